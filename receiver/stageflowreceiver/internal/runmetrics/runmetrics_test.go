// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runmetrics

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const (
	capturesDir = "../../../../testdata/captures"
	// updateGolden is the environment variable that has the golden files written instead of read, when it is "1".
	updateGolden = "UPDATE_GOLDEN"
)

var (
	start = time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)
	now   = start.Add(time.Hour)
)

// observed is an event as the receiver has it when its metrics are made.
type observed struct {
	event *event.Event
	told  []event.Told
}

// read decodes JSON lines and finds the attributes of each event, as the receiver does.
func read(t testing.TB, lines string) []observed {
	t.Helper()
	var d event.Decoder
	rejected, _ := d.Decode([]byte(lines), true)
	require.Empty(t, rejected)
	var out []observed
	for i := range d.Events {
		out = append(out, observed{&d.Events[i], d.Events[i].AppendTold(nil, false)})
	}
	return out
}

func (m *T) observe(service string, all ...observed) {
	for _, o := range all {
		var room [2]Fact
		m.Add(Facts(room[:0], o.event, service, o.told))
	}
}

// points shows the points of all metrics as "service name attributes value".
func points(md pmetric.Metrics) map[string]string {
	out := map[string]string{}
	for _, rm := range md.ResourceMetrics().All() {
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			show := func(attrs pcommon.Map, value string) {
				out[fmt.Sprintf("%s %s %v", serviceName(rm), m.Name(), attrs.AsRaw())] = value
			}
			numbers := pmetric.NewNumberDataPointSlice()
			switch m.Type() {
			case pmetric.MetricTypeSum:
				numbers = m.Sum().DataPoints()
			case pmetric.MetricTypeGauge:
				numbers = m.Gauge().DataPoints()
			}
			for _, p := range numbers.All() {
				if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
					show(p.Attributes(), fmt.Sprint(p.IntValue()))
				} else {
					show(p.Attributes(), fmt.Sprint(p.DoubleValue()))
				}
			}
			if m.Type() == pmetric.MetricTypeHistogram {
				for _, p := range m.Histogram().DataPoints().All() {
					show(p.Attributes(), fmt.Sprint(p.Count(), " in ", p.Sum(), " ", p.BucketCounts().AsRaw()))
				}
			}
		}
	}
	return out
}

// What the framework's queues and buffers really sent, and calls in every spelling, become the metrics of the
// golden files.
func TestGolden(t *testing.T) {
	for name, file := range map[string]string{
		"streaming_raw_emitter":       filepath.Join(capturesDir, "streaming_raw_emitter.ndjson"),
		"streaming_pipeline_ctx":      filepath.Join(capturesDir, "streaming_pipeline_ctx.ndjson"),
		"streaming_bus__two_channels": filepath.Join(capturesDir, "streaming_bus__two_channels.ndjson"),
		"calls":                       filepath.Join("testdata", "calls.ndjson"),
	} {
		t.Run(name, func(t *testing.T) {
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			m := New(start)
			m.observe("", read(t, string(body))...)
			got := m.Collect(now, State{
				Active: map[string]int64{"voice": 2}, Abandoned: map[string]int64{"voice": 1, "chat": 4},
				InFlight: map[CallKey]Calls{{"voice", "chat", "openai"}: {Count: 3, Oldest: now.Add(-1500 * time.Millisecond)}},
			})

			file := filepath.Join("testdata", name+".yaml")
			if os.Getenv(updateGolden) == "1" {
				require.NoError(t, golden.WriteMetricsToFile(file, got, golden.SkipMetricTimestampNormalization()))
			}
			want, err := golden.ReadMetrics(file)
			require.NoError(t, err, "regenerate with %s=1", updateGolden)
			require.NoError(t, pmetrictest.CompareMetrics(want, got, pmetrictest.IgnoreResourceMetricsOrder(),
				pmetrictest.IgnoreMetricsOrder(), pmetrictest.IgnoreMetricDataPointsOrder()))
		})
	}
}

// A queue tells at its close how much it dropped and blocked in all: in the captures that is what was counted from its
// events one by one.
func TestQueuesAgreeAtTheirClose(t *testing.T) {
	for _, name := range []string{"streaming_raw_emitter", "streaming_pipeline_ctx", "streaming_bus__two_channels"} {
		body, err := os.ReadFile(filepath.Join(capturesDir, name+".ndjson"))
		require.NoError(t, err)
		m := New(start)
		var dropped, blocked int64
		var duration float64
		for _, o := range read(t, string(body)) {
			m.observe("", o)
			if o.event.Type == "stream.queue_closed" {
				n, _ := o.event.Int("dropped_items")
				dropped += n
				n, _ = o.event.Int("blocked_puts")
				blocked += n
				ms, _ := o.event.Double("total_blocked_ms")
				duration += ms / 1000
			}
		}
		var sum, count int64
		for _, s := range m.byName[semconv.MetricStreamDropped].series {
			sum += s.sum
		}
		assert.Equal(t, dropped, sum, name)
		sum = 0
		tb := m.byName[semconv.MetricStreamBlockedDuration]
		for _, s := range tb.series {
			sum += s.sum
			for _, n := range s.counts {
				count += int64(n)
			}
		}
		assert.Equal(t, blocked, count, name)
		assert.InDelta(t, duration, float64(sum)/tb.step, 1e-6, name)
	}
}

func TestObserve(t *testing.T) {
	const pre = "svc stageflow.stream."
	for _, tt := range []struct {
		name, line string
		want       map[string]string
	}{
		{"a stage, a topology and a pipeline, no ids",
			`{"type":"stream.buffer_underrun","data":{"pipeline_run_id":"r","request_id":"q","user_id":"u","session_id":"s","stage":"tts","topology":"voice_fast","pipeline_name":"voice"}}`,
			map[string]string{pre + "underruns map[gen_ai.workflow.name:voice stageflow.run.topology:voice_fast stageflow.stage.name:tts]": "1"}},
		{"the event's service before the resource's", `{"type":"stream.buffer_underrun","data":{"service":"own"}}`,
			map[string]string{"own stageflow.stream.underruns map[]": "1"}},
		{"the oldest chunk made room: the queue is full", `{"type":"stream.chunk_dropped","data":{"queue_size":0,"max_size":1,"reason":"overflow"}}`,
			map[string]string{pre + "dropped map[stageflow.stream.drop_reason:overflow]": "1", pre + "queue.utilization map[]": "1"}},
		{"another reason: the size is what it is", `{"type":"stream.chunk_dropped","data":{"queue_size":1,"max_size":4,"reason":"stale"}}`,
			map[string]string{pre + "dropped map[stageflow.stream.drop_reason:stale]": "1", pre + "queue.utilization map[]": "0.25"}},
		{"a drop that tells nothing", `{"type":"stream.chunk_dropped"}`, map[string]string{pre + "dropped map[]": "1"}},
		{"a size below none", `{"type":"stream.chunk_dropped","data":{"queue_size":-1,"max_size":4,"reason":"overflow"}}`,
			map[string]string{pre + "dropped map[stageflow.stream.drop_reason:overflow]": "1"}},
		{"a drop of nonsense", `{"type":"stream.chunk_dropped","data":{"queue_size":-3,"max_size":{"a":1},"reason":17}}`,
			map[string]string{pre + "dropped map[stageflow.stream.drop_reason:17]": "1"}},
		{"a queue without room for anything", `{"type":"stream.chunk_dropped","data":{"queue_size":1,"max_size":0}}`,
			map[string]string{pre + "dropped map[]": "1"}},
		{"a tiny queue", `{"type":"stream.chunk_dropped","data":{"queue_size":1e308,"max_size":1e-308}}`,
			map[string]string{pre + "dropped map[]": "1", pre + "queue.utilization map[]": "1"}},
		{"fuller than full", `{"type":"stream.throttle_started","data":{"fill_percentage":250}}`, map[string]string{pre + "queue.utilization map[]": "1"}},
		{"drained", `{"type":"stream.throttle_ended","data":{"fill_percentage":0}}`, map[string]string{pre + "queue.utilization map[]": "0"}},
		{"emptier than empty", `{"type":"stream.throttle_ended","data":{"fill_percentage":-1}}`, nil},
		{"NaN", `{"type":"stream.throttle_ended","data":{"fill_percentage":NaN}}`, nil},
		{"blocked, on a bucket's edge", `{"type":"stream.producer_blocked","data":{"blocked_ms":5}}`,
			map[string]string{pre + "blocked.duration map[]": "1 in 0.005 [0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0]"}},
		{"blocked, as text", `{"type":"stream.producer_blocked","data":{"blocked_ms":"20000.5"}}`,
			map[string]string{pre + "blocked.duration map[]": "1 in 20.0005 [0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1]"}},
		{"blocked for less than no time", `{"type":"stream.producer_blocked","data":{"blocked_ms":-1}}`, nil},
		{"blocked for ever", `{"type":"stream.producer_blocked","data":{"blocked_ms":Infinity}}`, nil},
		{"blocked for longer than time", `{"type":"stream.producer_blocked","data":{"blocked_ms":1e300}}`, nil},
		{"bytes", `{"type":"stream.buffer_overflow","data":{"bytes_dropped":3200}}`, map[string]string{pre + "bytes.dropped map[]": "3200"}},
		{"bytes back", `{"type":"stream.buffer_overflow","data":{"bytes_dropped":-3200}}`, nil},
		{"bytes beyond counting", `{"type":"stream.buffer_overflow","data":{"bytes_dropped":1e300}}`, nil},
		{"tokens of nobody", `{"type":"provider_call.ended","data":{"tokens_in":2}}`,
			map[string]string{"svc gen_ai.client.token.usage map[gen_ai.token.type:input]": "1 in 2 [0 1 0 0 0 0 0 0 0 0 0 0 0 0 0]"}},
		{"no tokens", `{"type":"provider_call.ended","data":{"tokens_in":0,"tokens_out":-5}}`, nil},
		{"tokens of nonsense", `{"type":"provider_call.ended","data":{"tokens_in":"many","tokens_out":[1],"usage":{"completion_tokens":1.5}}}`, nil},
		{"a closed queue repeats what was told", `{"type":"stream.queue_closed","data":{"total_items":10,"dropped_items":6,"blocked_puts":3,"max_queue_size":4,"total_blocked_ms":17.08}}`, nil},
		{"recovered", `{"type":"stream.buffer_recovered","data":{"buffer_duration_ms":100}}`, nil},
		{"anything else", `{"type":"custom","data":{"bytes_dropped":1,"tokens_in":4}}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := New(start)
			m.observe("svc", read(t, tt.line)...)
			if tt.want == nil {
				tt.want = map[string]string{}
			}
			assert.Equal(t, tt.want, points(m.Collect(now, State{})))
		})
	}
}

// Facts can wait until the event's record has been handed on, and what it told is used for another.
func TestFactsOutliveTheRecord(t *testing.T) {
	m := New(start)
	var facts []Fact
	for _, o := range read(t, `{"type":"stream.buffer_underrun","data":{"stage":"tts"}}
{"type":"provider_call.ended","data":{"model":"gpt-4o","tokens_in":3,"tokens_out":4}}`) {
		facts = Facts(facts, o.event, "svc", o.told)
		clear(o.told)
	}
	assert.Empty(t, points(m.Collect(now, State{})))
	m.Add(facts)
	got := points(m.Collect(now, State{}))
	assert.Len(t, got, 3)
	assert.Equal(t, "1", got["svc stageflow.stream.underruns map[stageflow.stage.name:tts]"])
	assert.Contains(t, got["svc gen_ai.client.token.usage map[gen_ai.request.model:gpt-4o gen_ai.token.type:output]"], "1 in 4")
}

func TestNothingToTell(t *testing.T) {
	assert.Zero(t, New(start).Collect(now, State{}).ResourceMetrics().Len())
}

// Sums go on, gauges made of events begin again: a queue that nobody speaks of any more is not full for ever.
func TestCollectAgain(t *testing.T) {
	m := New(start)
	m.observe("svc", read(t, `{"type":"stream.chunk_dropped","data":{"queue_size":3,"max_size":4,"reason":"overflow"}}
{"type":"stream.throttle_ended","data":{"fill_percentage":20}}`)...)
	dropped, full := "svc stageflow.stream.dropped map[stageflow.stream.drop_reason:overflow]", "svc stageflow.stream.queue.utilization map[]"
	assert.Equal(t, map[string]string{dropped: "1", full: "1"}, points(m.Collect(now, State{})), "the fullest since the last time")
	assert.Equal(t, map[string]string{dropped: "1"}, points(m.Collect(now, State{})))
	m.observe("svc", read(t, `{"type":"stream.throttle_ended","data":{"fill_percentage":20}}`)...)
	assert.Equal(t, map[string]string{dropped: "1", full: "0.2"}, points(m.Collect(now, State{})))
}

func TestState(t *testing.T) {
	m := New(start)
	chat := CallKey{"chat", "chat", "openai"}
	got := points(m.Collect(now, State{
		Active: map[string]int64{"chat": 3, "": 1}, Abandoned: map[string]int64{"chat": 2},
		InFlight: map[CallKey]Calls{
			chat:                        {Count: 2, Oldest: now.Add(-90 * time.Second)},
			{"chat", "stt", ""}:         {Count: 1},
			{"chat", "tts", "deepgram"}: {Count: 1, Oldest: now.Add(time.Minute)},
		},
	}))
	const of = " map[gen_ai.operation.name:chat gen_ai.provider.name:openai]"
	assert.Equal(t, map[string]string{
		"pipeline stageflow.run.active map[]":                                                                  "1",
		"chat stageflow.run.active map[]":                                                                      "3",
		"chat stageflow.run.abandoned map[]":                                                                   "2",
		"chat stageflow.provider_call.in_flight" + of:                                                          "2",
		"chat stageflow.provider_call.oldest.age" + of:                                                         "90",
		"chat stageflow.provider_call.in_flight map[gen_ai.operation.name:stt]":                                "1",
		"chat stageflow.provider_call.oldest.age map[gen_ai.operation.name:stt]":                               "0",
		"chat stageflow.provider_call.in_flight map[gen_ai.operation.name:tts gen_ai.provider.name:deepgram]":  "1",
		"chat stageflow.provider_call.oldest.age map[gen_ai.operation.name:tts gen_ai.provider.name:deepgram]": "0",
	}, got)

	got = points(m.Collect(now, State{Abandoned: map[string]int64{"chat": 3}}))
	assert.Len(t, got, 9, "what is over is told of as none")
	assert.Equal(t, "0", got["chat stageflow.run.active map[]"])
	assert.Equal(t, "3", got["chat stageflow.run.abandoned map[]"])
	assert.Equal(t, "0", got["chat stageflow.provider_call.in_flight"+of])
	assert.Equal(t, "0", got["chat stageflow.provider_call.oldest.age"+of])
}

// Kinds, temporality and times are as the table says, one resource for each service and one metric of a name in it.
func TestEveryMetricIsWrittenAsTheTableSays(t *testing.T) {
	m := newLimited(start, 3)
	lines := `{"type":"stream.chunk_dropped","data":{"queue_size":3,"max_size":4}}
{"type":"stream.producer_blocked","data":{"blocked_ms":5}}
{"type":"stream.buffer_overflow","data":{"bytes_dropped":1}}
{"type":"stream.buffer_underrun"}
{"type":"provider_call.ended","data":{"tokens_in":2}}`
	state := State{Active: map[string]int64{}, Abandoned: map[string]int64{}, InFlight: map[CallKey]Calls{}}
	for _, service := range []string{"pipeline", "z", "beyond"} {
		m.observe(service, read(t, lines)...)
		state.Active[service], state.Abandoned[service], state.InFlight[CallKey{Service: service}] = 1, 1, Calls{Count: 1}
	}
	md := m.Collect(now, state)
	seen := map[string]map[string]bool{}
	for _, rm := range md.ResourceMetrics().All() {
		names := map[string]bool{}
		assert.NotContains(t, seen, serviceName(rm))
		seen[serviceName(rm)] = names
		assert.Equal(t, 1, rm.ScopeMetrics().Len())
		assert.Equal(t, semconv.ScopeName, rm.ScopeMetrics().At(0).Scope().Name())
		for _, got := range rm.ScopeMetrics().At(0).Metrics().All() {
			assert.False(t, names[got.Name()], got.Name())
			names[got.Name()] = true
		}
	}
	for _, want := range semconv.Metrics {
		assert.True(t, seen["pipeline"][want.Name], want.Name)
		for _, rm := range md.ResourceMetrics().All() {
			for _, got := range rm.ScopeMetrics().At(0).Metrics().All() {
				if got.Name() == want.Name {
					assertAsDefined(t, want, got)
				}
			}
		}
	}
}

func assertAsDefined(t *testing.T, want semconv.Metric, got pmetric.Metric) {
	t.Helper()
	assert.Equal(t, want.Unit, got.Unit(), want.Name)
	assert.Equal(t, want.Description, got.Description(), want.Name)
	from, at := pcommon.NewTimestampFromTime(start), pcommon.NewTimestampFromTime(now)
	number := func(p pmetric.NumberDataPoint) {
		assert.Equal(t, want.Type == semconv.Int, p.ValueType() == pmetric.NumberDataPointValueTypeInt, want.Name)
		assert.Equal(t, at, p.Timestamp())
	}
	switch want.Kind {
	case semconv.Counter, semconv.UpDownCounter:
		require.Equal(t, pmetric.MetricTypeSum, got.Type(), want.Name)
		assert.Equal(t, want.Kind == semconv.Counter, got.Sum().IsMonotonic(), want.Name)
		assert.Equal(t, pmetric.AggregationTemporalityCumulative, got.Sum().AggregationTemporality(), want.Name)
		for _, p := range got.Sum().DataPoints().All() {
			number(p)
			assert.Equal(t, from, p.StartTimestamp(), want.Name)
		}
	case semconv.Gauge:
		require.Equal(t, pmetric.MetricTypeGauge, got.Type(), want.Name)
		for _, p := range got.Gauge().DataPoints().All() {
			number(p)
		}
	case semconv.Histogram:
		require.Equal(t, pmetric.MetricTypeHistogram, got.Type(), want.Name)
		assert.Equal(t, pmetric.AggregationTemporalityCumulative, got.Histogram().AggregationTemporality(), want.Name)
		for _, p := range got.Histogram().DataPoints().All() {
			assert.Equal(t, want.Bounds, p.ExplicitBounds().AsRaw())
			assert.Equal(t, len(want.Bounds)+1, p.BucketCounts().Len())
			assert.Equal(t, from, p.StartTimestamp(), want.Name)
			assert.Equal(t, at, p.Timestamp(), want.Name)
		}
	}
}

// The table itself: its attributes fit into a series, its events are ones that there are.
func TestTable(t *testing.T) {
	names := map[string]bool{}
	for _, m := range semconv.Metrics {
		assert.False(t, names[m.Name], m.Name)
		names[m.Name] = true
		assert.LessOrEqual(t, len(m.Attributes), maxAttributes, m.Name)
		assert.Equal(t, m.Kind == semconv.Histogram, len(m.Bounds) > 0, m.Name)
		for other := range names {
			assert.False(t, strings.HasPrefix(other, m.Name+".") || strings.HasPrefix(m.Name, other+"."), "%s is a namespace of %s", m.Name, other)
		}
		for _, key := range m.Attributes {
			switch key {
			case semconv.RunIDKey, semconv.CallIDKey, semconv.RequestIDKey, semconv.UserIDKey, semconv.SessionIDKey, semconv.OrgIDKey, semconv.CorrelationIDKey:
				t.Errorf("%s has the id %s", m.Name, key)
			}
		}
	}
	kinds := map[semconv.EventName]bool{}
	for _, name := range semconv.EventTypes {
		kinds[name] = true
	}
	for _, name := range []semconv.EventName{
		semconv.EventStreamChunkDropped, semconv.EventStreamProducerBlocked, semconv.EventStreamThrottleStarted,
		semconv.EventStreamThrottleEnded, semconv.EventStreamBufferOverflow, semconv.EventStreamBufferUnderrun,
	} {
		assert.True(t, kinds[name], name)
	}
}

// Nothing is lost beyond the bound: it is counted in one series, and what has a series keeps it.
func TestSeriesAreBounded(t *testing.T) {
	m := New(start)
	const many = 3 * maxSeries
	models := func(i int) observed {
		return read(t, fmt.Sprintf(`{"type":"provider_call.ended","data":{"model":"m%d","tokens_in":3,"service":"s%d"}}`, i, i%7))[0]
	}
	state := State{Active: map[string]int64{}, Abandoned: map[string]int64{}, InFlight: map[CallKey]Calls{}}
	for i := range many {
		m.observe("", models(i))
		service := fmt.Sprint("s", i)
		state.Active[service], state.Abandoned[service] = 1, 2
		state.InFlight[CallKey{service, "chat", "p"}] = Calls{Count: 1, Oldest: now.Add(-time.Duration(i+1) * time.Second)}
	}
	m.observe("", models(0))
	first := points(m.Collect(now, state))
	assert.Equal(t, first, points(m.Collect(now, state)), "a series stays what it is")
	perMetric := map[string]int{}
	for k := range first {
		perMetric[strings.Fields(k)[1]]++
	}
	for _, name := range []string{semconv.MetricRunActive, semconv.MetricRunAbandoned, semconv.MetricCallInFlight, semconv.MetricCallOldestAge, semconv.MetricTokenUsage} {
		assert.Equal(t, maxSeries, perMetric[name], name)
	}
	const rest, over = many - maxSeries + 1, " map[otel.metric.overflow:true]"
	assert.Equal(t, fmt.Sprint(rest), first["pipeline stageflow.run.active"+over])
	assert.Equal(t, fmt.Sprint(2*rest), first["pipeline stageflow.run.abandoned"+over])
	assert.Equal(t, fmt.Sprint(rest), first["pipeline stageflow.provider_call.in_flight"+over])
	assert.Contains(t, first["pipeline gen_ai.client.token.usage"+over], fmt.Sprint(rest, " in ", 3*rest))
	assert.Contains(t, first["s0 gen_ai.client.token.usage map[gen_ai.request.model:m0 gen_ai.token.type:input]"], "2 in 6")
	for _, tb := range m.tables {
		assert.LessOrEqual(t, len(tb.series), maxSeries, tb.Name)
	}
}

// What applications choose is cut to a size, in valid UTF-8; resources are not cleaned before.
func TestTextsAreBounded(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "",
		"gpt-4o":                       "gpt-4o",
		"\xff":                         "\uFFFD",
		strings.Repeat("a", maxText+1): strings.Repeat("a", maxText),
		strings.Repeat("ä", maxText):   strings.Repeat("ä", maxText/2),
		"a" + strings.Repeat("ä", 200): "a" + strings.Repeat("ä", maxText/2-1),
		strings.Repeat("\x80", 1000):   "\uFFFD",
	} {
		assert.Equal(t, want, clean(in))
	}
	m := New(start)
	m.observe("\xff"+strings.Repeat("s", 1000), read(t, `{"type":"stream.buffer_underrun"}`)...)
	assert.Equal(t, map[string]string{"\uFFFD" + strings.Repeat("s", maxText-1) + " stageflow.stream.underruns map[]": "1"}, points(m.Collect(now, State{})))
}

func TestSumsDoNotWrap(t *testing.T) {
	m := New(start)
	most := fmt.Sprint(math.MaxInt64)
	m.observe("svc", read(t, strings.Repeat(`{"type":"stream.buffer_overflow","data":{"bytes_dropped":`+most+`}}
{"type":"provider_call.ended","data":{"tokens_out":`+most+`}}
`, 3))...)
	got := points(m.Collect(now, State{}))
	assert.Equal(t, most, got["svc stageflow.stream.bytes.dropped map[]"])
	assert.Equal(t, fmt.Sprint("3 in ", float64(math.MaxInt64), " [0 0 0 0 0 0 0 0 0 0 0 0 0 0 3]"), got["svc gen_ai.client.token.usage map[gen_ai.token.type:output]"])
}

// In whatever order events come, and whatever they say, the metrics are the same numbers.
func TestOrderDoesNotMatter(t *testing.T) {
	number := rapid.OneOf(rapid.Int64Range(-5, 5000).AsAny(), rapid.Float64().AsAny(), rapid.SampledFrom([]any{"17", "x", nil, math.MaxInt64, 1e300}))
	rapid.Check(t, func(rt *rapid.T) {
		var all []observed
		for range rapid.IntRange(1, 30).Draw(rt, "events") {
			data := map[string]any{}
			for _, field := range []string{"queue_size", "max_size", "blocked_ms", "fill_percentage", "bytes_dropped", "tokens_in", "output_tokens"} {
				data[field] = number.Draw(rt, field)
			}
			for _, field := range []string{"service", "stage", "topology", "reason", "provider", "model"} {
				data[field] = rapid.SampledFrom([]string{"a", "b", "overflow", ""}).Draw(rt, field)
			}
			lr := plog.NewLogRecord()
			eventType := rapid.SampledFrom([]string{
				"stream.chunk_dropped", "stream.producer_blocked", "stream.throttle_started", "stream.throttle_ended", "stream.queue_closed",
				"stream.buffer_overflow", "stream.buffer_underrun", "stream.buffer_recovered", semconv.TypeCallEnded, "custom",
			}).Draw(rt, "type")
			lr.SetEventName(semconv.EventNamePrefix)
			lr.Attributes().PutStr(semconv.EventTypeKey, eventType)
			require.NoError(rt, lr.Attributes().PutEmptyMap(semconv.EventDataKey).FromRaw(data))
			e, _, ok := event.Open(lr)
			require.True(rt, ok)
			all = append(all, observed{&e, e.AppendTold(nil, false)})
		}
		there, back := New(start), New(start)
		there.observe("svc", all...)
		order := make([]int, len(all))
		for i := range order {
			order[i] = i
		}
		for _, i := range rapid.Permutation(order).Draw(rt, "order") {
			back.observe("svc", all[i])
		}
		want, got := there.Collect(now, State{}), back.Collect(now, State{})
		require.NoError(rt, pmetrictest.CompareMetrics(want, got))
		for k, v := range points(got) {
			assert.NotContains(rt, v, "NaN", k)
			assert.NotContains(rt, v, "Inf", k)
			assert.False(rt, strings.HasPrefix(v, "-"), "%s %s", k, v)
		}
	})
}

func TestConcurrently(t *testing.T) {
	m := New(start)
	lines := `{"type":"stream.chunk_dropped","data":{"queue_size":3,"max_size":4,"stage":"s%d"}}
{"type":"stream.producer_blocked","data":{"blocked_ms":5,"stage":"s%d"}}
{"type":"stream.buffer_overflow","data":{"bytes_dropped":1,"stage":"s%d"}}
{"type":"stream.buffer_underrun","data":{"stage":"s%d"}}
{"type":"provider_call.ended","data":{"tokens_in":2,"model":"s%d"}}`
	var wg sync.WaitGroup
	const writers, times = 4, 200
	for i := range writers {
		events := read(t, strings.ReplaceAll(lines, "%d", fmt.Sprint(i%2)))
		wg.Go(func() {
			for range times {
				m.observe("svc", events...)
			}
		})
	}
	for range 50 {
		m.Collect(now, State{Active: map[string]int64{"svc": 1}})
	}
	wg.Wait()
	got := points(m.Collect(now, State{}))
	assert.Equal(t, fmt.Sprint(writers/2*times), got["svc stageflow.stream.underruns map[stageflow.stage.name:s0]"])
	assert.Equal(t, fmt.Sprint(writers/2*times), got["svc stageflow.stream.bytes.dropped map[stageflow.stage.name:s1]"])
}

// An event that says nothing of metrics costs nothing, one that does costs no allocation once its series is there.
func TestObserveDoesNotAllocate(t *testing.T) {
	for name, line := range benchmarks {
		m, o := New(start), read(t, line)[0]
		assert.Zero(t, testing.AllocsPerRun(100, func() { m.observe("svc", o) }), name)
	}
}

var benchmarks = map[string]string{
	"nothing": `{"type":"stage.wide","data":{"pipeline_run_id":"r","stage":"llm","status":"completed","started_at":"2026-11-22T11:40:39.061798+00:00","service":"chat"}}`,
	"dropped": `{"type":"stream.chunk_dropped","data":{"pipeline_run_id":"r","topology":"voice_fast","service":"voice","queue_size":9,"max_size":10,"reason":"overflow"}}`,
	"tokens":  `{"type":"provider_call.ended","data":{"call_id":"c","operation":"chat","provider":"openai","model_id":"gpt-4o","tokens_in":1200,"tokens_out":64,"service":"chat"}}`,
}

func BenchmarkObserve(b *testing.B) {
	for name, line := range benchmarks {
		b.Run(name, func(b *testing.B) {
			m, o := New(start), read(b, line)[0]
			b.ReportAllocs()
			var facts []Fact
			for b.Loop() {
				facts = Facts(facts[:0], o.event, "svc", o.told)
				m.Add(facts)
			}
		})
	}
}

// All metrics with as many series as there may be.
func BenchmarkCollect(b *testing.B) {
	m := New(start)
	var lines bytes.Buffer
	for i := range maxSeries {
		fmt.Fprintf(&lines, `{"type":"stream.producer_blocked","data":{"blocked_ms":5,"stage":"s%d"}}`+"\n", i)
		fmt.Fprintf(&lines, `{"type":"provider_call.ended","data":{"tokens_in":2,"model":"m%d"}}`+"\n", i)
	}
	m.observe("svc", read(b, lines.String())...)
	b.ReportAllocs()
	for b.Loop() {
		m.Collect(now, State{})
	}
}

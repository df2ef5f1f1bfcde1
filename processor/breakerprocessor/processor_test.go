// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"fmt"
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/stageflow/otelcol-stageflow/processor/breakerprocessor/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/processor/breakerprocessor/internal/metadatatest"
	"github.com/stageflow/otelcol-stageflow/processor/errorsummaryprocessor"
	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// at is a time on the tests' scale, in seconds.
func at(s float64) time.Time { return epoch.Add(time.Duration(s * float64(time.Second))) }

func ts(s float64) pcommon.Timestamp { return pcommon.NewTimestampFromTime(at(s)) }

// testCall is a call of one second to chat/openai that ended at end.
type testCall struct {
	id       string
	end      float64
	status   semconv.Status
	code     string
	provider string
	run      string
}

func (c testCall) attrs() map[string]any {
	if c.provider == "" {
		c.provider = "openai"
	}
	if c.run == "" {
		c.run = "r1"
	}
	attrs := map[string]any{
		semconv.RunIDKey: c.run, semconv.CallIDKey: c.id, semconv.CallStatusKey: string(c.status),
		semconv.GenAIOperationNameKey: "chat", semconv.GenAIProviderNameKey: c.provider,
	}
	if c.code != "" {
		attrs[semconv.ErrorCodeKey] = c.code
	}
	return attrs
}

func records(t testing.TB, calls ...testCall) plog.Logs {
	ld := plog.NewLogs()
	to := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, c := range calls {
		r := to.AppendEmpty()
		r.SetEventName(string(semconv.EventCallEnded))
		r.SetTimestamp(ts(c.end))
		attrs := c.attrs()
		attrs[semconv.CallLatencyKey] = 1000.0
		require.NoError(t, r.Attributes().FromRaw(attrs))
	}
	return ld
}

func spans(t testing.TB, calls ...testCall) ptrace.Traces {
	td := ptrace.NewTraces()
	to := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i, c := range calls {
		s := to.AppendEmpty()
		s.SetTraceID([16]byte{1})
		s.SetSpanID([8]byte{1, byte(i)})
		s.SetKind(ptrace.SpanKindClient)
		s.SetStartTimestamp(ts(c.end - 1))
		s.SetEndTimestamp(ts(c.end))
		require.NoError(t, s.Attributes().FromRaw(c.attrs()))
	}
	return td
}

func addRun(t testing.TB, td ptrace.Traces, id string) ptrace.Span {
	s := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().AppendEmpty()
	require.NoError(t, s.Attributes().FromRaw(map[string]any{semconv.RunIDKey: id, semconv.RunStatusKey: "failed"}))
	return s
}

// fail makes n failed calls that end a second apart, the first at end.
func fail(n int, end float64) []testCall {
	var out []testCall
	for i := range n {
		e := end + float64(i)
		out = append(out, testCall{id: fmt.Sprint("fail", e), end: e, status: semconv.StatusFailed})
	}
	return out
}

func newTestCore(t testing.TB, cfg *Config) *core {
	c, err := newCore(cfg, component.NewID(metadata.Type), componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	c.now = func() time.Time { return at(1e6) }
	t.Cleanup(func() { require.NoError(t, c.Shutdown(t.Context())) })
	return c
}

func defaults() *Config { return createDefaultConfig().(*Config) }

// note is what the processor wrote on a call.
type note struct{ key, state, transition string }

func noteOf(attrs pcommon.Map) note {
	raw := attrs.AsRaw()
	text := func(key string) string { s, _ := raw[key].(string); return s }
	return note{text(semconv.BreakerKeyKey), text(semconv.BreakerStateKey), text(semconv.BreakerTransitionKey)}
}

func (c *core) logNotes(t testing.TB, calls ...testCall) (out []note) {
	ld, err := c.processLogs(t.Context(), records(t, calls...))
	require.NoError(t, err)
	for _, r := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		out = append(out, noteOf(r.Attributes()))
	}
	return out
}

func (c *core) spanNotes(t testing.TB, calls ...testCall) (out []note) {
	td, err := c.processTraces(t.Context(), spans(t, calls...))
	require.NoError(t, err)
	for _, s := range td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
		out = append(out, noteOf(s.Attributes()))
	}
	return out
}

func (c *core) state(s float64) semconv.BreakerState {
	return c.breakers.StateAt(breaker.Key{Operation: "chat", Provider: "openai"}, at(s)).State
}

func TestABreakersLife(t *testing.T) {
	c := newTestCore(t, defaults())
	closed := note{"chat/openai", "closed", ""}
	assert.Equal(t, []note{closed, closed, closed, closed, {"chat/openai", "closed", "closed>open"}}, c.logNotes(t, fail(5, 1)...))
	ok := func(id string, end float64) testCall {
		return testCall{id: id, end: end, status: semconv.StatusCompleted}
	}
	assert.Equal(t, []note{{"chat/openai", "open", ""}}, c.logNotes(t, ok("slipped past", 10)))
	assert.Equal(t, []note{
		{"chat/openai", "open", ""}, // started before it was half-open
		{"chat/openai", "half_open", ""},
		{"chat/openai", "half_open", ""},
		{"chat/openai", "half_open", "half_open>closed"},
		{"chat/openai", "closed", ""},
	}, c.logNotes(t, ok("early", 32), ok("a", 39), ok("b", 40), ok("c", 41), ok("d", 43)))
}

func TestOrderWithinABatchIsByEnd(t *testing.T) {
	c := newTestCore(t, defaults())
	calls := fail(5, 1)
	calls[0], calls[4] = calls[4], calls[0]
	assert.Equal(t, "closed>open", c.logNotes(t, calls...)[0].transition)
}

func TestACallCountsOnce(t *testing.T) {
	t.Run("record, then span", func(t *testing.T) {
		c := newTestCore(t, defaults())
		first := c.logNotes(t, fail(5, 1)...)
		assert.Equal(t, first, c.spanNotes(t, fail(5, 1)...), "the span says what the record said")
		c = newTestCore(t, defaults())
		c.logNotes(t, fail(4, 1)...)
		c.spanNotes(t, fail(4, 1)...)
		assert.Equal(t, semconv.BreakerClosed, c.state(9))
	})
	t.Run("span, then record", func(t *testing.T) {
		c := newTestCore(t, defaults())
		c.spanNotes(t, fail(4, 1)...)
		c.logNotes(t, fail(4, 1)...)
		assert.Equal(t, semconv.BreakerClosed, c.state(9))
		c.logNotes(t, fail(5, 1)...)
		assert.Equal(t, semconv.BreakerOpen, c.state(9))
	})
	t.Run("as far as calls are remembered", func(t *testing.T) {
		cfg := defaults()
		cfg.MaxCalls = 1
		c := newTestCore(t, cfg)
		c.logNotes(t, fail(4, 1)...)
		c.logNotes(t, fail(4, 1)...)
		assert.Equal(t, 1, c.calls.Len())
		assert.NotEqual(t, semconv.BreakerClosed, c.state(9))
	})
	t.Run("the start of a call is no outcome and caused nothing", func(t *testing.T) {
		c := newTestCore(t, defaults())
		c.logNotes(t, fail(5, 1)...)
		ld := records(t, fail(1, 5)...)
		r := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
		r.SetEventName(string(semconv.EventCallStarted))
		_, err := c.processLogs(t.Context(), ld)
		require.NoError(t, err)
		assert.Equal(t, note{"chat/openai", "closed", ""}, noteOf(r.Attributes()))
	})
}

func TestCallsThatNothingNames(t *testing.T) {
	for _, id := range []string{"", "00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000"} {
		calls := fail(5, 1)
		for i := range calls {
			calls[i].id = id
		}
		c := newTestCore(t, defaults())
		c.logNotes(t, calls...)
		assert.Equal(t, semconv.BreakerOpen, c.state(9), "records: each by itself")
		assert.Zero(t, c.calls.Len())

		c = newTestCore(t, defaults())
		c.spanNotes(t, calls[:4]...)
		c.spanNotes(t, calls[:4]...)
		assert.Equal(t, semconv.BreakerClosed, c.state(9), "spans: by their ids")
		c.spanNotes(t, calls...)
		assert.Equal(t, semconv.BreakerOpen, c.state(9))
	}
}

func TestWhatIsNoOutcome(t *testing.T) {
	for name, call := range map[string]testCall{
		"client's fault": {status: semconv.StatusFailed, code: "INVALID_INPUT"},
		"not permitted":  {status: semconv.StatusFailed, code: "CIRCUIT_OPEN"},
		"cancelled":      {status: semconv.StatusCancelled},
		"running":        {status: semconv.StatusRunning},
		"abandoned":      {status: semconv.StatusAbandoned},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTestCore(t, defaults())
			c.logNotes(t, fail(4, 1)...)
			for i := range 10 {
				call.id, call.end = strconv.Itoa(i), 6
				assert.Equal(t, []note{{"chat/openai", "closed", ""}}, c.logNotes(t, call))
				call.id = fmt.Sprint("span", i)
				assert.Equal(t, []note{{"chat/openai", "closed", ""}}, c.spanNotes(t, call))
			}
			assert.Equal(t, semconv.BreakerClosed, c.state(9))
			c.logNotes(t, fail(1, 8)...)
			assert.Equal(t, semconv.BreakerOpen, c.state(9), "and no success either")
		})
	}
}

func TestForeignClientSpans(t *testing.T) {
	td := ptrace.NewTraces()
	to := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range 5 {
		s := to.AppendEmpty()
		s.SetSpanID([8]byte{byte(i + 1)})
		s.SetKind(ptrace.SpanKindClient)
		s.SetStartTimestamp(ts(float64(i)))
		s.SetEndTimestamp(ts(float64(i + 1)))
		s.Status().SetCode(ptrace.StatusCodeError)
		s.Attributes().PutStr(semconv.GenAIOperationNameKey, "chat")
		s.Attributes().PutStr(semconv.GenAIProviderNameKey, "openai")
	}
	other := to.AppendEmpty() // the same attributes on a span that is no call
	to.At(0).Attributes().CopyTo(other.Attributes())
	half := to.AppendEmpty() // a client span that names no provider
	half.SetKind(ptrace.SpanKindClient)
	half.Attributes().PutStr(semconv.GenAIOperationNameKey, "chat")

	c := newTestCore(t, defaults())
	_, err := c.processTraces(t.Context(), td)
	require.NoError(t, err)
	assert.Equal(t, note{"chat/openai", "closed", "closed>open"}, noteOf(to.At(4).Attributes()))
	assert.Equal(t, note{}, noteOf(other.Attributes()))
	assert.Equal(t, note{}, noteOf(half.Attributes()))
}

// What OpenTelemetry's conventions, old and new, OpenLLMetry and OpenInference tell of one provider is one breaker.
func TestKeysOfOtherInstrumentations(t *testing.T) {
	for name, tt := range map[string]struct {
		kind  ptrace.SpanKind
		attrs map[string]any
		want  string
	}{
		"conventions":             {ptrace.SpanKindClient, map[string]any{"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}, "chat/openai"},
		"older conventions":       {ptrace.SpanKindClient, map[string]any{"gen_ai.operation.name": "chat", "gen_ai.system": "openai"}, "chat/openai"},
		"the newer one counts":    {ptrace.SpanKindClient, map[string]any{"gen_ai.system": "azure", "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}, "chat/openai"},
		"OpenLLMetry":             {ptrace.SpanKindClient, map[string]any{"llm.request.type": "chat", "gen_ai.system": "OpenAI"}, "chat/openai"},
		"OpenLLMetry, completion": {ptrace.SpanKindClient, map[string]any{"llm.request.type": "completion", "gen_ai.system": "Cohere"}, "text_completion/cohere"},
		"OpenInference":           {ptrace.SpanKindInternal, map[string]any{"openinference.span.kind": "LLM", "llm.provider": "openai", "llm.system": "x"}, "chat/openai"},
		"OpenInference, system":   {ptrace.SpanKindInternal, map[string]any{"openinference.span.kind": "EMBEDDING", "llm.system": "mistralai"}, "embeddings/mistralai"},
		"OpenInference, no call":  {ptrace.SpanKindInternal, map[string]any{"openinference.span.kind": "CHAIN", "llm.provider": "openai"}, ""},
		"an agent":                {ptrace.SpanKindInternal, map[string]any{"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "openai"}, ""},
		"an empty name":           {ptrace.SpanKindClient, map[string]any{"gen_ai.operation.name": "chat", "gen_ai.provider.name": "", "gen_ai.system": "openai"}, "chat/openai"},
	} {
		t.Run(name, func(t *testing.T) {
			td := ptrace.NewTraces()
			span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
			span.SetKind(tt.kind)
			span.SetEndTimestamp(ts(1))
			require.NoError(t, span.Attributes().FromRaw(tt.attrs))
			_, err := newTestCore(t, defaults()).processTraces(t.Context(), td)
			require.NoError(t, err)
			assert.Equal(t, tt.want, noteOf(span.Attributes()).key)
		})
	}
}

func TestKeysOfTheUsers(t *testing.T) {
	cfg := defaults()
	cfg.Key = KeyConfig{Operation: []string{"rpc.method"}, Provider: []string{"server.address", "peer.service"}}
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetKind(ptrace.SpanKindClient)
	require.NoError(t, span.Attributes().FromRaw(map[string]any{
		"rpc.method": "Search", "peer.service": "y", "server.address": "x", "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
	}))
	_, err := newTestCore(t, cfg).processTraces(t.Context(), td)
	require.NoError(t, err)
	assert.Equal(t, "Search/x", noteOf(span.Attributes()).key)
}

func TestOtherRecordsStayAsTheyAre(t *testing.T) {
	c := newTestCore(t, defaults())
	ld := records(t, fail(1, 1)...)
	r := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	r.SetEventName(string(semconv.EventStageEnded))
	_, err := c.processLogs(t.Context(), ld)
	require.NoError(t, err)
	assert.Equal(t, note{}, noteOf(r.Attributes()))
	assert.Zero(t, c.breakers.Len())
}

func TestWhenACallStarted(t *testing.T) {
	now := at(100)
	for name, tt := range map[string]struct {
		attrs              map[string]any
		timestamp          pcommon.Timestamp
		wantStart, wantEnd time.Time
	}{
		"latency":                {map[string]any{semconv.CallLatencyKey: 2000.0}, ts(10), at(8), at(10)},
		"whole milliseconds":     {map[string]any{semconv.CallLatencyKey: 2000}, ts(10), at(8), at(10)},
		"start time":             {map[string]any{semconv.StartTimeKey: "2026-01-01T00:00:04Z"}, ts(10), at(4), at(10)},
		"latency before start":   {map[string]any{semconv.StartTimeKey: "2026-01-01T00:00:04Z", semconv.CallLatencyKey: 1.0}, ts(10), at(9.999), at(10)},
		"start time after end":   {map[string]any{semconv.StartTimeKey: "2026-01-01T00:01:04Z"}, ts(10), at(10), at(10)},
		"nonsense":               {map[string]any{semconv.StartTimeKey: "yesterday", semconv.CallLatencyKey: math.NaN()}, ts(10), at(10), at(10)},
		"endless":                {map[string]any{semconv.CallLatencyKey: math.Inf(1)}, ts(10), at(10), at(10)},
		"negative":               {map[string]any{semconv.CallLatencyKey: -5.0}, ts(10), at(10), at(10)},
		"in the future":          {nil, ts(500), at(100), at(100)},
		"observed only":          {nil, 0, at(7), at(7)},
		"past the year 2262":     {nil, math.MaxUint64, at(100), at(100)},
		"text instead of number": {map[string]any{semconv.CallLatencyKey: "2000"}, ts(10), at(10), at(10)},
	} {
		t.Run(name, func(t *testing.T) {
			r := plog.NewLogRecord()
			r.SetEventName(string(semconv.EventCallEnded))
			r.SetTimestamp(tt.timestamp)
			r.SetObservedTimestamp(ts(7))
			require.NoError(t, r.Attributes().FromRaw(tt.attrs))
			r.Attributes().PutStr(semconv.GenAIOperationNameKey, "chat")
			r.Attributes().PutStr(semconv.GenAIProviderNameKey, "openai")
			key := defaultKey()
			c, ok := fromRecord(r, newKeyAttributes(&key), now)
			require.True(t, ok)
			assert.Equal(t, tt.wantStart, c.start.UTC())
			assert.Equal(t, tt.wantEnd, c.end.UTC())
		})
	}
}

func TestRunSpansListTheBreakersThatWereNotClosed(t *testing.T) {
	cfg := defaults()
	cfg.ConsecutiveFailures, cfg.HalfOpenSuccesses = 1, 1
	c := newTestCore(t, cfg)
	c.logNotes(t,
		testCall{id: "1", end: 1, status: semconv.StatusFailed, provider: "open"},
		testCall{id: "2", end: 1, status: semconv.StatusFailed, provider: "healed"},
	)
	td := spans(t,
		testCall{id: "3", end: 5, status: semconv.StatusCompleted, provider: "open"},
		testCall{id: "4", end: 40, status: semconv.StatusCompleted, provider: "healed"},
		testCall{id: "5", end: 41, status: semconv.StatusFailed, provider: "now opened"},
		testCall{id: "6", end: 42, status: semconv.StatusCompleted, provider: "well"},
		testCall{id: "7", end: 45, status: semconv.StatusCompleted, provider: "open"}, // half-open by then
		testCall{id: "8", end: 46, status: semconv.StatusFailed, provider: "other", run: "r2"},
	)
	r1, r2, r3 := addRun(t, td, "r1"), addRun(t, td, "r2"), addRun(t, td, "r3")
	_, err := c.processTraces(t.Context(), td)
	require.NoError(t, err)
	entry := func(key, state string) any { return map[string]any{"key": key, "state": state} }
	assert.Equal(t, []any{
		entry("chat/healed", "half_open"), entry("chat/now opened", "open"), entry("chat/open", "open"),
	}, r1.Attributes().AsRaw()[semconv.RunBreakersKey])
	assert.Equal(t, []any{entry("chat/other", "open")}, r2.Attributes().AsRaw()[semconv.RunBreakersKey])
	assert.NotContains(t, r3.Attributes().AsRaw(), semconv.RunBreakersKey)
}

// A stage's attempt lists the breakers of its own calls only.
func TestStageSpansListTheBreakersThatWereNotClosed(t *testing.T) {
	cfg := defaults()
	cfg.ConsecutiveFailures = 1
	c := newTestCore(t, cfg)
	td := spans(t,
		testCall{id: "1", end: 5, status: semconv.StatusFailed, provider: "sick"},
		testCall{id: "2", end: 6, status: semconv.StatusCompleted, provider: "well"},
	)
	all := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	var stages [2]ptrace.Span
	for i := range stages {
		all.At(i).SetParentSpanID([8]byte{9, byte(i)})
		stages[i] = all.AppendEmpty()
		stages[i].SetTraceID([16]byte{1})
		stages[i].SetSpanID([8]byte{9, byte(i)})
		stages[i].Attributes().PutStr(semconv.StageStatusKey, "completed")
	}
	_, err := c.processTraces(t.Context(), td)
	require.NoError(t, err)
	assert.Equal(t, []any{map[string]any{"key": "chat/sick", "state": "open"}}, stages[0].Attributes().AsRaw()[semconv.StageBreakersKey])
	assert.NotContains(t, stages[1].Attributes().AsRaw(), semconv.StageBreakersKey)
}

// A call says how its breaker was when it started.
func TestCallsTellTheWindowAndTheOpening(t *testing.T) {
	cfg := defaults()
	c := newTestCore(t, cfg)
	calls := append(fail(5, 1), testCall{id: "rejected", end: 8, status: semconv.StatusFailed, code: "CIRCUIT_OPEN"})
	ld := records(t, calls...)
	_, err := c.processLogs(t.Context(), ld)
	require.NoError(t, err)
	written := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	first, last := written.At(0).Attributes().AsRaw(), written.At(5).Attributes().AsRaw()
	assert.InDelta(t, 0, first[semconv.BreakerFailureRatioKey], 0)
	assert.EqualValues(t, 0, first[semconv.BreakerCallsKey])
	assert.NotContains(t, first, semconv.BreakerOpenedAtKey)
	assert.NotContains(t, first, semconv.BreakerRetryAfterKey)
	assert.Equal(t, "open", last[semconv.BreakerStateKey])
	assert.InDelta(t, 1, last[semconv.BreakerFailureRatioKey], 0)
	assert.EqualValues(t, 5, last[semconv.BreakerCallsKey])
	assert.Equal(t, "2026-01-01T00:00:05Z", last[semconv.BreakerOpenedAtKey])
	assert.Positive(t, last[semconv.BreakerRetryAfterKey])
}

func TestPipelinesOfOneConfigurationShareTheBreaker(t *testing.T) {
	factory, cfg := NewFactory(), defaults()
	set := processortest.NewNopSettings(metadata.Type)
	logsSink, tracesSink := &consumertest.LogsSink{}, &consumertest.TracesSink{}
	logs, err := factory.CreateLogs(t.Context(), set, cfg, logsSink)
	require.NoError(t, err)
	traces, err := factory.CreateTraces(t.Context(), set, cfg, tracesSink)
	require.NoError(t, err)
	apart, err := factory.CreateTraces(t.Context(), set, defaults(), consumertest.NewNop())
	require.NoError(t, err)
	assert.True(t, logs.Capabilities().MutatesData && traces.Capabilities().MutatesData)
	require.NoError(t, logs.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, traces.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, apart.Start(t.Context(), componenttest.NewNopHost()))

	require.NoError(t, logs.ConsumeLogs(t.Context(), records(t, fail(5, 1)...)))
	require.NoError(t, logs.Shutdown(t.Context()))
	next := testCall{id: "next", end: 10, status: semconv.StatusCompleted}
	require.NoError(t, traces.ConsumeTraces(t.Context(), spans(t, next)), "goes on after the other pipeline stopped")
	span := tracesSink.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	assert.Equal(t, note{"chat/openai", "open", ""}, noteOf(span.Attributes()))

	td := spans(t, next)
	require.NoError(t, apart.ConsumeTraces(t.Context(), td))
	assert.Equal(t, "closed", noteOf(td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes()).state)
	require.NoError(t, traces.Shutdown(t.Context()))
	require.NoError(t, apart.Shutdown(t.Context()))
}

// As in a pipeline: what errorsummary writes decides what counts.
func TestBehindErrorSummary(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want semconv.BreakerState
	}{
		"provider's fault":  {"503 Service Unavailable", semconv.BreakerOpen},
		"caller's fault":    {"400 no such field", semconv.BreakerClosed},
		"local breaker":     {"Circuit breaker open for chat/openai", semconv.BreakerClosed},
		"nobody knows what": {"boom", semconv.BreakerOpen},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTestCore(t, defaults())
			ld := records(t, fail(5, 1)...)
			for _, r := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
				r.Attributes().PutStr(semconv.ExceptionMessageKey, tt.text)
			}
			sink := &consumertest.LogsSink{}
			factory := errorsummaryprocessor.NewFactory()
			summary, err := factory.CreateLogs(t.Context(), processortest.NewNopSettings(factory.Type()), factory.CreateDefaultConfig(), sink)
			require.NoError(t, err)
			require.NoError(t, summary.ConsumeLogs(t.Context(), ld))
			_, err = c.processLogs(t.Context(), sink.AllLogs()[0])
			require.NoError(t, err)
			assert.Equal(t, tt.want, c.state(9))
		})
	}
}

func TestConcurrentBatches(t *testing.T) {
	c := newTestCore(t, defaults())
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 50 {
				calls := fail(3, float64(i))
				if g%2 == 0 {
					c.logNotes(t, calls...)
				} else {
					c.spanNotes(t, calls...)
				}
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 52, c.calls.Len())
}

func TestTelemetry(t *testing.T) {
	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(t.Context())) }()
	cfg := defaults()
	cfg.MaxKeys = 1
	p, err := NewFactory().CreateLogs(t.Context(), metadatatest.NewSettings(tel), cfg, consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	calls := append(fail(5, 1),
		testCall{id: "a", end: 7, status: semconv.StatusFailed, code: "INVALID_INPUT"},
		testCall{id: "b", end: 8, status: semconv.StatusFailed, code: "CIRCUIT_OPEN"},
		testCall{id: "c", end: 9, status: semconv.StatusCompleted, provider: "other"},
		testCall{id: "d", end: 9, status: semconv.StatusRunning, provider: "third"},
	)
	for range 2 { // the second time nothing is new
		require.NoError(t, p.ConsumeLogs(t.Context(), records(t, calls...)))
	}
	point := func(n int64, kv ...attribute.KeyValue) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Attributes: attribute.NewSet(kv...), Value: n}
	}
	result := func(name string, n int64) metricdata.DataPoint[int64] {
		return point(n, attribute.String("result", name))
	}
	ignore := metricdatatest.IgnoreTimestamp()
	metadatatest.AssertEqualProcessorBreakerOutcomes(t, tel, []metricdata.DataPoint[int64]{
		result("failure", 5), result("ignored", 1), result("not_permitted", 1), result("success", 1),
	}, ignore)
	metadatatest.AssertEqualProcessorBreakerTransitions(t, tel, []metricdata.DataPoint[int64]{
		point(1, attribute.String("transition", "closed>open"), attribute.String("reason", "consecutive_failures")),
	}, ignore)
	metadatatest.AssertEqualProcessorBreakerKeys(t, tel, []metricdata.DataPoint[int64]{point(1)}, ignore)
	metadatatest.AssertEqualProcessorBreakerKeysEvicted(t, tel, []metricdata.DataPoint[int64]{point(1)}, ignore)
	metadatatest.AssertEqualProcessorBreakerCalls(t, tel, []metricdata.DataPoint[int64]{point(8)}, ignore)
	metadatatest.AssertEqualProcessorBreakerDuplicates(t, tel, []metricdata.DataPoint[int64]{point(8)}, ignore)
	require.NoError(t, p.Shutdown(t.Context()))
}

func TestTelemetryOfWhatDoesNotCount(t *testing.T) {
	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(t.Context())) }()
	c, err := newCore(defaults(), component.NewID(metadata.Type), tel.NewTelemetrySettings())
	require.NoError(t, err)
	c.now = func() time.Time { return at(100) }
	c.logNotes(t, fail(5, 1)...)
	for i := range 3 {
		c.logNotes(t, testCall{id: fmt.Sprint("good", i), end: 50 + float64(i), status: semconv.StatusCompleted})
	}
	c.logNotes(t,
		testCall{id: "late", end: 20, status: semconv.StatusFailed},
		testCall{id: "stale", end: 52, status: semconv.StatusFailed}, // it began at 51
	)
	c.breakers.Force(breaker.Key{Operation: "chat", Provider: "other"}, breaker.ForceOpen, at(99))
	one := []metricdata.DataPoint[int64]{{Value: 1}}
	ignore := metricdatatest.IgnoreTimestamp()
	metadatatest.AssertEqualProcessorBreakerOutcomesLate(t, tel, one, ignore)
	metadatatest.AssertEqualProcessorBreakerOutcomesStale(t, tel, one, ignore)
	metadatatest.AssertEqualProcessorBreakerKeysForced(t, tel, one, ignore)
	state := func(provider string, value int64) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: value, Attributes: attribute.NewSet(
			attribute.String("operation", "chat"), attribute.String("provider", provider))}
	}
	metadatatest.AssertEqualProcessorBreakerState(t, tel, []metricdata.DataPoint[int64]{state("openai", 0), state("other", 2)}, ignore)
	require.NoError(t, c.Shutdown(t.Context()))
}

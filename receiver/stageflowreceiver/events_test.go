// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadatatest"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const ndjson = "application/x-ndjson"

func gzipped(t testing.TB, body string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(body))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func zstded(t testing.TB, body string) []byte {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	require.NoError(t, err)
	defer w.Close()
	return w.EncodeAll([]byte(body), nil)
}

// Requests to the real server and what they are answered.
func TestAnswers(t *testing.T) {
	good := line("pipeline.started", "r", 1, "")
	large := strings.Repeat(good+"\n", 100)
	for _, tt := range []struct {
		name, contentType, encoding string
		body                        []byte
		code                        int
		want                        string // the answer as JSON, or part of its text
		accepted                    int
	}{
		{"an object", "application/json", "", []byte(good), 200, `{"accepted":1,"rejected":[]}`, 1},
		{"an object, indented", "application/json", "", []byte(strings.ReplaceAll(good, ",", ",\n  ")), 200, `{"accepted":1,"rejected":[]}`, 1},
		{"an array", "application/json", "", []byte("[" + good + "," + line("custom", "r", 2, "") + "]"), 200, `{"accepted":2,"rejected":[]}`, 2},
		{"lines", ndjson + "; charset=utf-8", "", []byte(good + "\n\r\n" + line("custom", "r", 2, "") + "\r\n"), 200, `{"accepted":2,"rejected":[]}`, 2},
		{"lines, not declared", "text/plain", "", []byte(good + "\n" + line("custom", "r", 2, "")), 200, `{"accepted":2,"rejected":[]}`, 2},
		{"a content type that is none", ";;", "", []byte(good), 200, `{"accepted":1,"rejected":[]}`, 1},
		{"gzip", ndjson, "gzip", gzipped(t, good), 200, `{"accepted":1,"rejected":[]}`, 1},
		{"zstd", ndjson, "zstd", zstded(t, good), 200, `{"accepted":1,"rejected":[]}`, 1},
		{"nothing", ndjson, "", nil, 200, `{"accepted":0,"rejected":[]}`, 0},
		{"an empty array", "application/json", "", []byte("[]"), 200, `{"accepted":0,"rejected":[]}`, 0},
		{"some lines are no events", ndjson, "", []byte("17\n" + good + "\n\n{\"data\":{}}\n{"), 200, `{"accepted":1,"rejected":[
			{"line":1,"error":"an event is a JSON object"},
			{"line":4,"error":"an event has a string \"type\" (or \"event_type\")"},
			{"line":5,"error":"not JSON: cannot parse JSON: cannot parse object: missing '}'; unparsed tail: \"\""}]}`, 1},
		{"no line is an event", ndjson, "", []byte("17\n[]\n"), 400, `{"accepted":0,"error":"no line is an event","rejected":[
			{"line":1,"error":"an event is a JSON object"},{"line":2,"error":"an event is a JSON object"}]}`, 0},
		{"too large", ndjson, "", []byte(large), 413, `the body is larger than 2000 bytes (events::max_request_body_size)`, 0},
		{"too large, gzip", ndjson, "gzip", gzipped(t, large), 413, `the body is larger than 2000 bytes`, 0},
		{"too large, zstd", ndjson, "zstd", zstded(t, large), 413, `the body is larger than 2000 bytes`, 0},
		{"broken gzip", ndjson, "gzip", []byte("no gzip"), 400, ``, 0},
		{"cut gzip", ndjson, "gzip", gzipped(t, good)[:40], 400, `the body cannot be read`, 0},
		{"cut zstd", ndjson, "zstd", zstded(t, good)[:40], 400, `the body cannot be read`, 0},
		{"an encoding that nobody knows", ndjson, "rot13", []byte(good), 400, ``, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newTestReceiver(t, listening(t), with(func(cfg *Config) { cfg.Events.Get().MaxRequestBodySize = 2000 }))
			resp, got := send(t, "http://"+r.cfg.Events.Get().NetAddr.Endpoint+EventsPath, tt.contentType, tt.encoding, tt.body)
			assert.Equal(t, tt.code, resp.StatusCode, got)
			if strings.HasPrefix(tt.want, "{") {
				assert.JSONEq(t, tt.want, got)
				assert.Equal(t, "application/json", resp.Header.Get("Content-Type"))
			} else {
				assert.Contains(t, got, tt.want)
			}
			assert.Empty(t, resp.Header.Get("Retry-After"), "again gives the same")
			assert.Equal(t, tt.accepted, r.logsSink.LogRecordCount())
		})
	}
}

func TestOnlyPostOnlyThere(t *testing.T) {
	r := newTestReceiver(t, listening(t))
	for url, code := range map[string]int{EventsPath: http.StatusMethodNotAllowed, "/": http.StatusNotFound, EventsPath + "/x": http.StatusNotFound} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.cfg.Events.Get().NetAddr.Endpoint+url, http.NoBody)
		require.NoError(t, err)
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, code, resp.StatusCode, url)
	}
}

func TestAnswerListsRejectedLinesUpToABound(t *testing.T) {
	r := newTestReceiver(t)
	w := r.post(t, strings.Repeat("x\n", 1500)+line("custom", "r", 1, ""))
	assert.Equal(t, http.StatusOK, w.Code)
	var a answer
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a))
	assert.Len(t, a.Rejected, 1000)
	assert.Equal(t, 1, a.Accepted)
	metadatatest.AssertEqualReceiverStageflowRejectedEvents(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: 1500}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
}

// What is refused leaves no trace: sent again, all of it is taken.
func TestRefusedIsTakenWhenSentAgain(t *testing.T) {
	body := strings.Join([]string{
		line("stage.a.started", "r", 1, `"stage":"a"`), line("stage.a.completed", "r", 2, `"stage":"a"`),
		line("provider_call.started", "r", 1, `"call_id":"c"`), line("provider_call.ended", "r", 2, `"call_id":"c"`), line("pipeline.completed", "r", 3, ""),
	}, "\n")
	for _, tt := range []struct {
		name       string
		refuse     func(*testReceiver, *flakyLogs)
		code       int
		retryAfter string
	}{
		{"the logs pipeline is busy", func(_ *testReceiver, logs *flakyLogs) { logs.err = errors.New("queue is full") }, 503, "2"},
		{"the logs pipeline says never", func(_ *testReceiver, logs *flakyLogs) { logs.err = consumererror.NewPermanent(errors.New("no")) }, 400, ""},
		{"too many runs", func(r *testReceiver, _ *flakyLogs) { r.post(t, line("pipeline.started", "other", 1, "")) }, 429, "2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			logs := &flakyLogs{}
			r := newTestReceiver(t, func(r *testReceiver) { r.logs, r.cfg.Runs.MaxActive = logs, 1 })
			tt.refuse(r, logs)
			before, active := logs.LogRecordCount(), r.intake.assembler.Active()
			for range 3 {
				w := r.post(t, body)
				assert.Equal(t, tt.code, w.Code)
				assert.Equal(t, tt.retryAfter, w.Header().Get("Retry-After"))
				assert.Contains(t, w.Body.String(), `"accepted":0,"rejected":[],"error":"`)
			}
			assert.Equal(t, before, logs.LogRecordCount())
			assert.Equal(t, active, r.intake.assembler.Active())

			logs.err = nil
			r.wait(t, 20*time.Minute)
			r.tracesSink.Reset()
			w := r.post(t, body)
			assert.Equal(t, http.StatusOK, w.Code)
			assert.JSONEq(t, `{"accepted":5,"rejected":[]}`, w.Body.String())
			assert.Equal(t, before+5, logs.LogRecordCount())
			r.wait(t, time.Second)
			assert.Len(t, r.spans(), 3)
			_, err := r.telemetry.GetMetric("otelcol_receiver_stageflow_duplicate_events")
			assert.Error(t, err, "nothing was a duplicate")
		})
	}
}

// blockingLogs is a logs pipeline that answers when it is told to.
type blockingLogs struct {
	entered chan struct{}
	answers chan error
	*flakyLogs
}

func (b *blockingLogs) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	if b.entered == nil {
		return b.flakyLogs.ConsumeLogs(ctx, ld)
	}
	b.entered <- struct{}{}
	return <-b.answers
}

// A sender that gave up waiting sends again while its first request is still under way: the copy may be called a
// duplicate only once the first has been taken.
func TestCopyOfARequestUnderWay(t *testing.T) {
	logs := &blockingLogs{entered: make(chan struct{}), answers: make(chan error), flakyLogs: &flakyLogs{}}
	r := newTestReceiver(t, func(r *testReceiver) { r.logs = logs })
	body := line("pipeline.completed", "r", 1, "")
	first := make(chan int)
	go func() { first <- r.post(t, body).Code }()
	<-logs.entered
	w := r.post(t, body+"\n"+line("custom", "r", 1, ""))
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Equal(t, "2", w.Header().Get("Retry-After"))
	logs.answers <- errors.New("queue is full")
	assert.Equal(t, http.StatusServiceUnavailable, <-first)

	logs.entered = nil
	assert.Equal(t, http.StatusOK, r.post(t, body+"\n"+line("custom", "r", 1, "")).Code)
	assert.Equal(t, 2, logs.LogRecordCount())
	assert.Equal(t, http.StatusOK, r.post(t, body).Code)
	assert.Equal(t, 2, logs.LogRecordCount(), "now it is a duplicate")
}

func TestDuplicatesAreDroppedAndCounted(t *testing.T) {
	r := newTestReceiver(t)
	same := line("custom", "r", 1, "")
	numbered := func(seq string) string {
		return strings.Replace(same, `{"type"`, `{"sink_id":"s","seq":`+seq+`,"type"`, 1)
	}
	w := r.post(t, strings.Join([]string{same, same, line("custom", "r", 2, ""), numbered("1"), numbered("2"), numbered("1")}, "\n"))
	assert.JSONEq(t, `{"accepted":6,"rejected":[]}`, w.Body.String(), "a duplicate has been taken")
	assert.Equal(t, 4, r.logsSink.LogRecordCount())
	r.post(t, same)
	assert.Len(t, r.logsSink.AllLogs(), 1, "nothing of it is left to pass on")
	metadatatest.AssertEqualReceiverStageflowDuplicateEvents(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: 3}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())

	nobodys := `{"type":"custom","data":{"n":1}}`
	r.logsSink.Reset()
	r.post(t, nobodys+"\n"+nobodys)
	assert.Equal(t, 2, r.logsSink.LogRecordCount(), "nothing tells whether these are two events")
}

func TestRepairsAreCountedOnce(t *testing.T) {
	r := newTestReceiver(t)
	w := r.server
	body := line("custom", "r", 1, `"a":NaN`) + "\n" + line("custom", "r", 2, `"a":-Infinity,"b":"\ud800"`)
	rejected := w.decode(t.Context(), &event.Decoder{}, []byte(body), false)
	assert.Empty(t, rejected)
	metadatatest.AssertEqualReceiverStageflowRepairedValues(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: 3}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
}

func TestServices(t *testing.T) {
	r := newTestReceiver(t)
	r.post(t, strings.Join([]string{
		line("pipeline.completed", "1", 1, `"service":"svc"`), line("pipeline.completed", "2", 1, `"service":17`),
		line("pipeline.completed", "3", 1, ""), line("pipeline.completed", "4", 1, `"service":null`),
	}, "\n"))
	r.wait(t, time.Second)
	logs := r.logsSink.AllLogs()[0]
	var services []string
	for _, rl := range logs.ResourceLogs().All() {
		service := ""
		if v, ok := rl.Resource().Attributes().Get(semconv.ServiceNameKey); ok {
			service = v.AsString()
		}
		services = append(services, service)
	}
	assert.Equal(t, []string{"svc", "17", ""}, services, "a record without a service is nobody's")
	byRun := map[string]string{}
	for _, rs := range r.tracesSink.AllTraces()[0].ResourceSpans().All() {
		v, _ := rs.Resource().Attributes().Get(semconv.ServiceNameKey)
		for _, span := range rs.ScopeSpans().At(0).Spans().All() {
			byRun[attr(span, semconv.RunIDKey)] = v.AsString()
		}
	}
	assert.Equal(t, map[string]string{"1": "svc", "2": "17", "3": "pipeline", "4": "pipeline"}, byRun)
}

// The record that leaves at once says what the event means.
func TestRecordsAreNormalised(t *testing.T) {
	r := newTestReceiver(t)
	r.post(t, strings.Join([]string{
		line("provider_call.started", "r", 1, `"call_id":"c","operation":"chat","provider":"openai","stage":"llm","stage_attempt":2`),
		`{"type":"provider_call.ended","emitted_at":"2026-11-22T12:00:00.005Z","data":{"call_id":"c","success":false,"latency_ms":4}}`,
		`{"type":"nothing.known"}`,
	}, "\n"))
	records := r.logsSink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	ended := records.At(1)
	assert.Equal(t, "stageflow.provider_call.ended", ended.EventName())
	assert.Equal(t, plog.SeverityNumberError, ended.SeverityNumber())
	assert.EqualValues(t, semconv.CallSpanID("r", "c"), ended.SpanID())
	assert.EqualValues(t, semconv.RunTraceID("r"), ended.TraceID())
	got := ended.Attributes().AsRaw()
	for key, want := range map[string]any{
		"stageflow.run.id": "r", "stageflow.call.id": "c", "stageflow.call.status": "failed", "gen_ai.operation.name": "chat",
		"gen_ai.provider.name": "openai", "stageflow.stage.name": "llm", "stageflow.stage.attempt": int64(2),
		"stageflow.start_time": "2026-11-22T12:00:00.001Z",
	} {
		assert.Equal(t, want, got[key], key)
	}
	unknown := records.At(2)
	assert.Equal(t, "stageflow.event", unknown.EventName())
	assert.Equal(t, map[string]any{"stageflow.event.type": "nothing.known"}, unknown.Attributes().AsRaw())
	assert.Zero(t, unknown.Timestamp())
	assert.Equal(t, r.clock, unknown.ObservedTimestamp().AsTime())
	assert.True(t, unknown.TraceID().IsEmpty())
}

func TestSeen(t *testing.T) {
	s := newSeen(2)
	begin := func(keys ...event.Key) (batchNumber, []item) {
		items := make([]item, len(keys))
		for i, key := range keys {
			items[i].key = key
		}
		return s.begin(items), items
	}
	known := func(items []item) (out []acquaintance) {
		for _, it := range items {
			out = append(out, it.known)
		}
		return out
	}
	first, one := begin(1, 1, 0, 0)
	assert.Equal(t, []acquaintance{unknown, duplicate, unknown, unknown}, known(one), "a copy in the same batch; what has no key has no copies")
	second, other := begin(1)
	assert.Equal(t, []acquaintance{underWay}, known(other), "a copy in another batch")
	s.end(second, other, false)
	third, other := begin(1)
	assert.Equal(t, []acquaintance{underWay}, known(other), "what was refused took nothing of others along")
	s.end(third, other, false)
	s.end(first, one, false)
	fourth, other := begin(1)
	assert.Equal(t, []acquaintance{unknown}, known(other), "it was refused")
	s.end(fourth, other, true)
	fifth, other := begin(1)
	assert.Equal(t, []acquaintance{duplicate}, known(other))
	s.end(fifth, other, true)
	assert.Empty(t, s.pending)

	s.keepAssembled(6)
	sixth, other := begin(6)
	assert.Equal(t, []acquaintance{assembled}, known(other))
	s.end(sixth, other, true)
	_, other = begin(6)
	assert.Equal(t, []acquaintance{duplicate}, known(other))

	s.keep(2, 3, 4, 5)
	_, other = begin(3, 1)
	assert.Equal(t, []acquaintance{duplicate, unknown}, known(other), "one or two generations are known")
	assert.LessOrEqual(t, len(s.young)+len(s.old), 4)
}

// Two events that read the same and tell no time are two; the same request again is the same two.
func TestANumberedRequestIsKnownAgain(t *testing.T) {
	r := newTestReceiver(t)
	const body = `{"type":"stream.chunk_dropped","data":{"queue_size":4}}` + "\n" + `{"type":"stream.chunk_dropped","data":{"queue_size":4}}`
	post := func(batch string) {
		req := httptest.NewRequest(http.MethodPost, EventsPath, strings.NewReader(body))
		req.Header.Set(SinkIDHeader, "sink")
		req.Header.Set(BatchSeqHeader, batch)
		w := httptest.NewRecorder()
		r.server.post(w, req)
		assert.JSONEq(t, `{"accepted":2,"rejected":[]}`, w.Body.String())
	}
	post("1")
	assert.Equal(t, 2, r.logsSink.LogRecordCount())
	post("1")
	assert.Equal(t, 2, r.logsSink.LogRecordCount())
	post("2")
	assert.Equal(t, 4, r.logsSink.LogRecordCount())
}

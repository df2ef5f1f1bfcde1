// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
	"unicode/utf8"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/internal/captures"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/runmetrics"
)

// capturedBodies are the beginnings of the captured streams, short, for a fuzzer changes a little at a time.
func capturedBodies(f *testing.F) [][]byte {
	all, err := captures.Load(capturesDir)
	require.NoError(f, err)
	var out [][]byte
	for _, c := range all {
		lines := bytes.SplitAfterN(c.Body, []byte("\n"), 4)
		if body := bytes.Join(lines[:len(lines)-1], nil); len(body) < 3000 {
			out = append(out, body)
		}
	}
	return out
}

// fuzzed is a receiver for all inputs of a fuzz target, since starting one takes a thousand times as long as most
// inputs. Its handler is that of the real server.
type fuzzed struct {
	*testReceiver
	handler http.Handler
}

func newFuzzed(f *testing.F) *fuzzed {
	r := newTestReceiver(f) // it listens nowhere: every process that fuzzes has one
	r.cfg.Events.Get().MaxRequestBodySize = 1 << 20
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+EventsPath, r.server.post)
	server, err := r.cfg.Events.Get().ToServer(context.Background(), nil, r.set.TelemetrySettings, mux)
	require.NoError(f, err)
	r.collector.end()
	return &fuzzed{r, server.Handler}
}

// forget leaves nothing of one input for the next.
func (r *fuzzed) forget(t *testing.T) {
	r.tracesSink.Reset()
	r.logsSink.Reset()
	r.metricsSink.Reset()
	calls, err := lru.New[string, callStart](1000)
	require.NoError(t, err)
	actions, err := lru.New[string, string](1000)
	require.NoError(t, err)
	r.intake.joins = &joins{byCallID: calls, byActionID: actions}
	r.intake.seen = newSeen(1000)
	r.intake.metrics = runmetrics.New(r.clock)
	r.collector.metrics = r.intake.metrics
}

// Whatever is posted is answered as the README says, what was accepted has been passed on and can be stored, and the runs
// that it tells of leave as spans that can be stored.
func FuzzPostEvents(f *testing.F) {
	for i, body := range capturedBodies(f) {
		f.Add(body, []string{ndjson, "application/json", ""}[i%3], "", "sink", "7")
		if i%8 == 0 {
			f.Add(gzipped(f, string(body)), ndjson, "gzip", "", "")
			f.Add(zstded(f, string(body)), "application/json", "zstd", "", "")
		}
	}
	f.Add([]byte(`[{"type":"pipeline.completed","data":{"pipeline_run_id":"r"}},7]`), "application/json; charset=utf-8", "identity", "", "1")
	f.Add([]byte("\x1f\x8b\x08"), ";;", "gzip", "\x00", "\xff")
	r := newFuzzed(f)
	f.Fuzz(func(t *testing.T, body []byte, contentType, encoding, sink, batch string) {
		r.forget(t)
		req := httptest.NewRequest(http.MethodPost, EventsPath, bytes.NewReader(body))
		req.Header.Set("Content-Type", contentType)
		req.Header.Set(SinkIDHeader, sink)
		req.Header.Set(BatchSeqHeader, batch)
		if encoding != "" {
			req.Header.Set("Content-Encoding", encoding)
		}
		w := httptest.NewRecorder()
		r.handler.ServeHTTP(w, req)
		require.Contains(t, []int{http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType}, w.Code, w.Body)
		if w.Header().Get("Content-Type") == "application/json" {
			var a answer
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a))
			require.Equal(t, w.Code == http.StatusOK, a.Error == "")
			require.LessOrEqual(t, len(a.Rejected), maxRejected)
			require.LessOrEqual(t, r.logsSink.LogRecordCount(), a.Accepted, "copies in a request are accepted, too")
			require.Equal(t, a.Accepted > 0, r.logsSink.LogRecordCount() > 0)
		} else {
			require.NotEqual(t, http.StatusOK, w.Code)
		}
		r.requireAllLeaves(t)
	})
}

// What comes over OTLP, whatever it is, is taken: events like those that are posted, and everything else is passed on as
// it came.
func FuzzTakeOTLP(f *testing.F) {
	marshaler := plog.ProtoMarshaler{}
	for i, body := range capturedBodies(f) {
		ld := wireForm(f, string(body))
		foreignLogs().ResourceLogs().MoveAndAppendTo(ld.ResourceLogs())
		raw, err := marshaler.MarshalLogs(ld)
		require.NoError(f, err)
		f.Add(raw, false)
		if i%4 == 0 {
			raw, err = (&plog.JSONMarshaler{}).MarshalLogs(ld)
			require.NoError(f, err)
			f.Add(raw, true)
		}
	}
	r := newFuzzed(f)
	f.Fuzz(func(t *testing.T, raw []byte, isJSON bool) {
		r.forget(t)
		var ld plog.Logs
		var err error
		if isJSON {
			ld, err = (&plog.JSONUnmarshaler{}).UnmarshalLogs(raw)
		} else {
			ld, err = (&plog.ProtoUnmarshaler{}).UnmarshalLogs(raw)
		}
		if err != nil {
			return
		}
		want := foreignRecords(t, ld)
		require.NoError(t, r.intake.take(t.Context(), ld))
		var got []string
		for _, passed := range r.logsSink.AllLogs() {
			got = append(got, foreignRecords(t, passed)...)
		}
		require.Equal(t, want, got)
		r.requireAllLeaves(t)
	})
}

// foreignRecords are the records that are no events, each with its resource and scope.
func foreignRecords(t *testing.T, ld plog.Logs) []string {
	marshaler := plog.ProtoMarshaler{}
	var out []string
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				if event.Is(lr) {
					continue
				}
				one := plog.NewLogs()
				toResource := one.ResourceLogs().AppendEmpty()
				rl.Resource().CopyTo(toResource.Resource())
				toResource.SetSchemaUrl(rl.SchemaUrl())
				toScope := toResource.ScopeLogs().AppendEmpty()
				sl.Scope().CopyTo(toScope.Scope())
				toScope.SetSchemaUrl(sl.SchemaUrl())
				lr.CopyTo(toScope.LogRecords().AppendEmpty())
				raw, err := marshaler.MarshalLogs(one)
				require.NoError(t, err)
				out = append(out, string(raw))
			}
		}
	}
	return out
}

// requireAllLeaves waits until all runs are over, and tells whether what has left can be stored.
func (r *fuzzed) requireAllLeaves(t *testing.T) {
	for _, ld := range r.logsSink.AllLogs() {
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					if event.Is(lr) {
						requireTexts(t, lr.EventName(), lr.Attributes())
					}
				}
			}
		}
	}
	for range 3 {
		r.wait(t, 20*time.Minute)
	}
	require.Zero(t, r.intake.assembler.Active())
	marshaler := ptrace.ProtoMarshaler{}
	for _, td := range r.tracesSink.AllTraces() {
		_, err := marshaler.MarshalTraces(td)
		require.NoError(t, err)
	}
	for _, span := range r.spans() {
		requireTexts(t, span.Name(), span.Attributes())
		requireTexts(t, span.Status().Message(), span.Attributes())
		require.GreaterOrEqual(t, span.EndTimestamp(), span.StartTimestamp())
		require.False(t, span.TraceID().IsEmpty())
		require.False(t, span.SpanID().IsEmpty())
		for _, note := range span.Events().All() {
			requireTexts(t, note.Name(), note.Attributes())
		}
	}
	r.collector.collect(t.Context())
	for _, md := range r.metricsSink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			requireTexts(t, "", rm.Resource().Attributes())
		}
	}
}

func requireTexts(t *testing.T, name string, m pcommon.Map) {
	requireText(t, name)
	for k, v := range m.All() {
		requireText(t, k)
		if v.Type() == pcommon.ValueTypeStr {
			requireText(t, v.Str())
		}
	}
}

func requireText(t *testing.T, s string) {
	require.True(t, utf8.ValidString(s), "%q", s)
	require.NotContains(t, s, "\x00")
}

// Every byte of a file is in one line, or waits for the end of its line.
func FuzzSplitLines(f *testing.F) {
	for _, body := range capturedBodies(f) {
		f.Add(body)
		f.Add(bytes.TrimSpace(body))
	}
	f.Add([]byte("{\"a\":\"}\\\"\"}\r\n\n[{}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var lines [][]byte
		rest := data
		for len(rest) > 0 {
			advance, line, err := splitLines(rest, true)
			require.NoError(t, err)
			if advance == 0 {
				require.Nil(t, line)
				break
			}
			require.LessOrEqual(t, len(line), advance)
			require.NotContains(t, string(line), "\n")
			// Half of it, when the file goes on, waits.
			if i := bytes.IndexByte(rest, '\n'); i < 0 {
				early, _, _ := splitLines(rest, false)
				require.Zero(t, early)
			}
			lines, rest = append(lines, line), rest[advance:]
		}
		joined := bytes.Join(append(lines, rest), []byte("\n"))
		require.Equal(t, string(data), string(joined[:len(data)]))
		require.NotContains(t, string(rest), "\n")
	})
}

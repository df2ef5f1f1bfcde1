// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// toBackend sends the spans to a second exporter, beside the run log.
const toBackend = `
exporters:
  otlp_grpc/backend:
    endpoint: %s
    tls: {insecure: true}
    sending_queue: {enabled: false}
service:
  pipelines:
    traces:
      exporters: [runlog, otlp_grpc/backend]
`

// runExample runs one of the examples against a collector and returns what it printed, in lines of fields.
func runExample(t *testing.T, name, grpcAddress string) (lines [][]string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program, "../../examples/"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	run := exec.CommandContext(t.Context(), program)
	run.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+grpcAddress)
	out, err = run.Output()
	require.NoError(t, err, "%s", out)
	for line := range strings.Lines(string(out)) {
		lines = append(lines, strings.Fields(line))
	}
	return lines
}

// runChat runs the example of that name and returns its run ids by scenario.
func runChat(t *testing.T, grpcAddress string) map[string]string {
	t.Helper()
	ids := map[string]string{}
	for _, fields := range runExample(t, "chat", grpcAddress) {
		require.Len(t, fields, 3, fields)
		ids[fields[1]] = fields[0]
	}
	return ids
}

// What queues and buffers tell under overload is stored with the run, stage and queue that it belongs to.
func TestVoiceExample(t *testing.T) {
	c := start(t, t.TempDir(), "exporters: {runlog: {store_events: true}}")
	ids := map[string]string{}
	for _, fields := range runExample(t, "voice", c.GRPC) {
		ids[strings.TrimSuffix(fields[1], ":")] = fields[0]
	}
	settled(t, c)

	for load, lost := range map[string]bool{"calm": false, "overload": true} {
		run := query(t, c.Database, "SELECT status FROM runs WHERE run_id = ?", ids[load])
		require.Len(t, run, 1, load)
		assert.Equal(t, "completed", run[0]["status"], load)
		for _, kind := range []string{"chunk_dropped", "producer_blocked", "buffer_overflow", "buffer_underrun"} {
			events := query(t, c.Database, "SELECT data FROM events WHERE run_id = ? AND type = ?", ids[load], "stream."+kind)
			if kind != "buffer_underrun" || lost { // a busy machine may make calm audio late
				assert.Equal(t, lost, len(events) > 0, "%s %s", load, kind)
			}
			for _, e := range events {
				assert.Regexp(t, `"queue":"(microphone|words|speaker)"`, e["data"])
				assert.Regexp(t, `"stage":"(hear|answer)"`, e["data"])
			}
		}
	}
	spoken := query(t, c.Database, "SELECT attributes FROM provider_calls WHERE run_id = ? AND operation = 'tts'", ids["calm"])
	require.Len(t, spoken, 1)
	assert.Contains(t, spoken[0]["attributes"], `"characters":`)
	require.NoError(t, c.Stop())
}

// What the SDK's example does is in the run log, with status, blame, code and breakers, and in a tracing backend as
// spans under their parents.
func TestExample(t *testing.T) {
	b := newBackend(t)
	c := start(t, t.TempDir(), fmt.Sprintf(toBackend, b.address))
	ids := runChat(t, c.GRPC)
	settled(t, c)

	type row struct{ status, failedStage, code any }
	for scenario, want := range map[string]row{
		"success":      {"completed", nil, nil},
		"rate_limited": {"failed", "llm", "RATE_LIMITED"},
		"timeout":      {"failed", "stt", "TIMEOUT"},
		"cancelled":    {"cancelled", "guard", nil},
		"parent":       {"completed", nil, nil},
		"child":        {"completed", nil, nil},
	} {
		rows := query(t, c.Database, "SELECT * FROM runs WHERE run_id = ?", ids[scenario])
		require.Len(t, rows, 1, scenario)
		r := rows[0]
		assert.Equal(t, want, row{r["status"], r["failed_stage"], r["error_code"]}, scenario)
		assert.Equal(t, "explicit", r["end_kind"], scenario)
		assert.Equal(t, "chat-example", r["service"], scenario)
		assert.Equal(t, semconv.RunTraceID(ids[traceRoot(scenario)]).String(), r["trace_id"], scenario)

		run := b.span(t, semconv.RunSpanID(ids[scenario]))
		assert.Equal(t, r["trace_id"], run.TraceID().String(), scenario)
		if want.status == "failed" {
			assert.Equal(t, ptrace.StatusCodeError, run.Status().Code(), scenario)
		}
	}
	assert.EqualValues(t, 1, query(t, c.Database, "SELECT error_retryable AS r FROM runs WHERE run_id = ?", ids["rate_limited"])[0]["r"])
	assert.Len(t, query(t, c.Database, "SELECT * FROM runs"), len(ids), "and no other run")

	assertBreakerOpened(t, c.Database, ids["rate_limited"])
	assertTree(t, b, c.Database, ids["success"])
	assertChild(t, b, c.Database, ids)
	require.NoError(t, c.Stop())
}

// traceRoot is the scenario whose run gives the trace its id: a child is in its parent's.
func traceRoot(scenario string) string {
	if scenario == "child" {
		return "parent"
	}
	return scenario
}

// assertBreakerOpened: five refused calls open the breaker of chat/openai, in that run and in no other.
func assertBreakerOpened(t *testing.T, database, runID string) {
	t.Helper()
	calls := query(t, database, "SELECT * FROM provider_calls WHERE run_id = ? ORDER BY started_at", runID)
	require.NotEmpty(t, calls)
	failed := 0
	for _, call := range calls {
		if call["provider"] == "openai" && call["error_code"] == "RATE_LIMITED" {
			failed++
			assert.Equal(t, "closed", call["breaker_state"], "when call %d began", failed)
		}
	}
	assert.Equal(t, 5, failed)
	assert.JSONEq(t, `[{"key":"chat/openai","state":"open"}]`, query(t, database, "SELECT breakers FROM runs WHERE run_id = ?", runID)[0]["breakers"].(string))
	assert.Empty(t, query(t, database, "SELECT run_id FROM runs WHERE breakers IS NOT NULL AND run_id <> ?", runID))
}

// assertTree: run, over stages, over calls.
func assertTree(t *testing.T, b *backend, database, runID string) {
	t.Helper()
	root := b.span(t, semconv.RunSpanID(runID))
	assert.True(t, root.ParentSpanID().IsEmpty())
	stages := query(t, database, "SELECT * FROM stages WHERE run_id = ? ORDER BY started_at", runID)
	var names []any
	for _, stage := range stages {
		names = append(names, stage["name"])
		span := b.span(t, semconv.StageSpanID(runID, stage["name"].(string), stage["attempt"].(int64)))
		assert.Equal(t, root.SpanID(), span.ParentSpanID(), stage["name"])
		assert.Equal(t, root.TraceID(), span.TraceID(), stage["name"])
		assert.Equal(t, stage["span_id"], span.SpanID().String())
	}
	assert.Equal(t, []any{"guard", "stt", "llm", "tts", "persist"}, names)
	calls := query(t, database, "SELECT * FROM provider_calls WHERE run_id = ?", runID)
	require.NotEmpty(t, calls)
	for _, call := range calls {
		span := b.span(t, semconv.CallSpanID(runID, call["call_id"].(string)))
		assert.Equal(t, pcommon.SpanID(semconv.StageSpanID(runID, call["stage"].(string), 1)), span.ParentSpanID(), call["stage"])
		assert.Equal(t, ptrace.SpanKindClient, span.Kind())
	}
}

// assertChild: the child run hangs under the stage that started it.
func assertChild(t *testing.T, b *backend, database string, ids map[string]string) {
	t.Helper()
	child := query(t, database, "SELECT * FROM runs WHERE run_id = ?", ids["child"])[0]
	assert.Equal(t, ids["parent"], child["parent_run_id"])
	span := b.span(t, semconv.RunSpanID(ids["child"]))
	parentStage := semconv.StageSpanID(ids["parent"], child["parent_stage"].(string), 1)
	assert.Equal(t, pcommon.SpanID(parentStage), span.ParentSpanID())
	assert.Equal(t, b.span(t, parentStage).TraceID(), span.TraceID())
	assert.Equal(t, ptrace.SpanKindInternal, span.Kind())
}

// The same events over OTLP/HTTP: the SDK's other protocol.
func TestExampleOverHTTP(t *testing.T) {
	c := start(t, t.TempDir(), "")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	ids := runChat(t, c.HTTP)
	settled(t, c)
	var statuses []any
	for _, scenario := range []string{"success", "rate_limited", "timeout", "cancelled", "parent", "child"} {
		rows := query(t, c.Database, "SELECT status FROM runs WHERE run_id = ?", ids[scenario])
		require.Len(t, rows, 1, scenario)
		statuses = append(statuses, rows[0]["status"])
	}
	assert.Equal(t, []any{"completed", "failed", "failed", "cancelled", "completed", "completed"}, statuses)
	require.NoError(t, c.Stop())
}

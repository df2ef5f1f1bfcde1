// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// The records of tool calls say which tool, which call and how it stands; those without a run get that of the call.
func TestToolRecords(t *testing.T) {
	r := newTestReceiver(t)
	r.post(t, strings.Join([]string{
		line("tool.invoked", "r", 1, `"tool_name":"search","action_id":"t","request_id":"http-1"`),
		line("approval.requested", "r", 2, `"tool_name":"search","action_id":"t","request_id":"approval-1"`),
		`{"type":"approval.decided","emitted_at":"2026-11-22T12:00:00.003Z","data":{"tool":"search","action_id":"t","pipeline_run_id":null,"request_id":"approval-1","approved":true}}`,
		`{"type":"tool.completed","emitted_at":"2026-11-22T12:00:00.009Z","data":{"tool":"search","action_id":"t","duration_ms":4,"output_summary":{"success":false}}}`,
		line("tool.undo_failed", "r", 10, `"tool_name":"search","action_id":"t","error_message":"no","reason":"RuntimeError"`),
		line("tool.failed", "r", 11, `"tool_name":"search","action_id":"","error_code":"ConnectionError","error_message":"down"`),
		`{"type":"tool.started","emitted_at":"2026-11-22T12:00:00.012Z","data":{"tool":"search","action_id":"unseen"}}`,
		line("pipeline.completed", "r", 20, ""),
	}, "\n"))
	records := r.logsSink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	require.Equal(t, 8, records.Len())
	for i, want := range []struct {
		name     string
		severity plog.SeverityNumber
		attrs    map[string]any
	}{
		{"stageflow.tool.invoked", plog.SeverityNumberInfo, map[string]any{"stageflow.tool.status": "running", "stageflow.request.id": "http-1"}},
		{"stageflow.approval.requested", plog.SeverityNumberInfo, map[string]any{"stageflow.tool.status": "running", "stageflow.approval.id": "approval-1"}},
		{"stageflow.approval.decided", plog.SeverityNumberInfo, map[string]any{
			"stageflow.tool.status": "running", "stageflow.approval.id": "approval-1", "stageflow.approval.decision": "approved"}},
		{"stageflow.tool.ended", plog.SeverityNumberError, map[string]any{
			"stageflow.tool.status": "failed", "stageflow.tool.duration_ms": 4.0, "stageflow.start_time": "2026-11-22T12:00:00.005Z"}},
		{"stageflow.tool.undo_failed", plog.SeverityNumberError, map[string]any{
			"stageflow.tool.status": "completed", "exception.message": "no", "exception.type": "RuntimeError"}},
	} {
		lr := records.At(i)
		assert.Equal(t, want.name, lr.EventName())
		assert.Equal(t, want.severity, lr.SeverityNumber(), want.name)
		assert.EqualValues(t, semconv.ToolSpanID("r", "t"), lr.SpanID(), want.name)
		assert.EqualValues(t, semconv.RunTraceID("r"), lr.TraceID(), want.name)
		got := lr.Attributes().AsRaw()
		delete(got, semconv.EventTypeKey)
		delete(got, semconv.EventDataKey)
		delete(got, semconv.EventEnvelopeKey)
		want.attrs["stageflow.run.id"], want.attrs["gen_ai.tool.name"], want.attrs["gen_ai.tool.call.id"] = "r", "search", "t"
		assert.Equal(t, want.attrs, got, want.name)
	}

	noID := records.At(5).Attributes().AsRaw()
	assert.NotContains(t, noID, semconv.GenAIToolCallIDKey)
	assert.Equal(t, "ConnectionError", noID[semconv.ExceptionTypeKey])
	assert.NotContains(t, noID, semconv.ErrorCodeKey, "the name of a class is no code")
	assert.True(t, records.At(5).SpanID().IsEmpty())
	unseen := records.At(6)
	assert.NotContains(t, unseen.Attributes().AsRaw(), semconv.RunIDKey)
	assert.True(t, unseen.TraceID().IsEmpty())

	r.wait(t, time.Second)
	spans := r.spans()
	require.Len(t, spans, 2)
	assert.Equal(t, "http-1", attr(spans[0], semconv.RequestIDKey))
	assert.Equal(t, "execute_tool search", spans[1].Name())
	assert.Equal(t, "failed", attr(spans[1], semconv.ToolStatusKey))
	assert.Equal(t, 3, spans[1].Events().Len())
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func TestRunLogger(t *testing.T) {
	c, s, k := newTestClient(t)
	l := NewPipelineRunLogger(c)
	ctx, sc := ambient(t)
	traceparent := semconv.FormatTraceParent(semconv.TraceID(sc.TraceID()), semconv.SpanID(sc.SpanID()))

	l.LogRunStarted(ctx, RunStarted{RunID: runID, PipelineName: "p", UserID: "u", ParentRunID: "above", ParentStage: "spawn", Attributes: map[string]any{"k": 1}})
	k.pass(20 * time.Millisecond)
	// The ends come from elsewhere, and still say the same of the run's trace.
	elsewhere := t.Context()
	l.LogRunCompleted(elsewhere, RunCompleted{RunID: runID, PipelineName: "p", StageResults: map[string]any{"llm": map[string]any{"kind": "work"}}})
	l.LogRunFailed(elsewhere, RunFailed{RunID: runID, PipelineName: "p", Err: context.DeadlineExceeded, Stage: "llm", Duration: time.Second})
	l.LogRunCancelled(elsewhere, RunCancelled{RunID: runID, PipelineName: "p", Reason: "why", Stage: "guard", Attributes: map[string]any{"k": 2}})

	events := s.all()
	require.Equal(t, []string{"pipeline.started", "pipeline.completed", "pipeline.failed", "pipeline.cancelled"}, s.types())
	for _, e := range events {
		assert.Equal(t, traceparent, e.traceparent)
		assert.Equal(t, sc.TraceID(), e.traceID)
		assert.Equal(t, semconv.RunSpanID(runID).String(), e.spanID.String())
	}
	assert.Equal(t, map[string]any{
		"pipeline_run_id": runID, "pipeline_name": "p", "user_id": "u", "parent_run_id": "above", "parent_stage_id": "spawn", "k": int64(1),
	}, events[0].data)
	assert.Equal(t, map[string]any{
		"pipeline_run_id": runID, "pipeline_name": "p", "status": "completed", "duration_ms": int64(20),
		"stage_results": map[string]any{"llm": map[string]any{"kind": "work"}},
	}, events[1].data)
	assert.Equal(t, map[string]any{
		"pipeline_run_id": runID, "pipeline_name": "p", "stage": "llm", "duration_ms": int64(1000),
		"error": "context deadline exceeded", "error_code": "TIMEOUT", "error_type": "context.deadlineExceededError", "error_retryable": true,
	}, events[2].data)
	assert.Equal(t, map[string]any{
		"pipeline_run_id": runID, "pipeline_name": "p", "reason": "why", "stage": "guard", "duration_ms": int64(20), "k": int64(2),
	}, events[3].data)
}

func TestRunLoggerWithoutAStart(t *testing.T) {
	c, s, _ := newTestClient(t)
	NewPipelineRunLogger(c).LogRunFailed(t.Context(), RunFailed{RunID: runID})
	e := s.all()[0]
	assert.Equal(t, map[string]any{"pipeline_run_id": runID}, e.data, "what is not known is left out")
	assert.Equal(t, runTrace, e.traceID.String())
}

func TestRunLoggerInsideAStageLinksTheChild(t *testing.T) {
	c, s, _ := newTestClient(t)
	l := NewPipelineRunLogger(c)
	require.NoError(t, Run(t.Context(), "p", func(ctx context.Context) error {
		return Stage(ctx, "spawn", KindWork, func(ctx context.Context) error {
			l.LogRunStarted(ctx, RunStarted{RunID: "child"})
			l.LogRunCompleted(t.Context(), RunCompleted{RunID: "child"})
			return nil
		})
	}, WithClient(c), WithRunID(runID)))
	started, ended := s.all()[2], s.all()[3]
	assert.Equal(t, runID, started.data["parent_run_id"])
	assert.Equal(t, "spawn", started.data["parent_stage_id"])
	assert.Equal(t, "00-"+runTrace+"-"+semconv.StageSpanID(runID, "spawn", 1).String()+"-01", started.traceparent)
	assert.Equal(t, started.traceparent, ended.traceparent)
}

func TestCallLogger(t *testing.T) {
	c, s, k := newTestClient(t)
	ctx, _ := ambient(t)
	NewPipelineRunLogger(c).LogRunStarted(ctx, RunStarted{RunID: runID})
	l := NewProviderCallLogger(c)

	id := l.LogCallStart(t.Context(), CallStart{
		Operation: "chat", Provider: "openai", ModelID: "gpt-x", RunID: runID, Stage: "llm", StageAttempt: 2,
		Attributes: map[string]any{"temperature": 0.2, "provider": "not this one"},
	})
	k.pass(3 * time.Millisecond)
	l.LogCallEnd(t.Context(), id, CallEnd{Err: &statusError{503}, Usage: Usage{InputTokens: 5, Metrics: map[string]any{"try": 1}}})

	run, started, ended := s.all()[0], s.all()[1], s.all()[2]
	base := map[string]any{
		"call_id": id, "operation": "chat", "provider": "openai", "model_id": "gpt-x",
		"pipeline_run_id": runID, "stage": "llm", "stage_attempt": int64(2),
	}
	with := func(more map[string]any) map[string]any {
		for k, v := range base {
			more[k] = v
		}
		return more
	}
	assert.Equal(t, with(map[string]any{"temperature": 0.2}), started.data)
	assert.Equal(t, with(map[string]any{
		"success": false, "latency_ms": 3.0, "error": "provider said 503", "error_code": "UNAVAILABLE",
		"error_type": "*stageflow.statusError", "error_retryable": true, "http_status": int64(503), "input_tokens": int64(5), "try": int64(1),
	}), ended.data)
	for _, e := range []event{started, ended} {
		assert.Equal(t, run.traceparent, e.traceparent)
		assert.Equal(t, run.traceID, e.traceID)
		assert.Equal(t, semconv.CallSpanID(runID, id).String(), e.spanID.String())
	}
}

func TestCallLoggerFindsRunAndStageInTheContext(t *testing.T) {
	c, s, _ := newTestClient(t)
	l := NewProviderCallLogger(c)
	require.NoError(t, Run(t.Context(), "p", func(ctx context.Context) error {
		return Stage(ctx, "stt", KindWork, func(ctx context.Context) error {
			id := l.LogCallStart(ctx, CallStart{Operation: "stt", Provider: "deepgram"})
			l.LogCallEnd(context.Background(), id, CallEnd{Success: true, Latency: 1500 * time.Microsecond})
			return nil
		})
	}, WithClient(c), WithRunID(runID)))
	ended := s.only(t, "provider_call.ended").data
	assert.Equal(t, runID, ended["pipeline_run_id"])
	assert.Equal(t, "stt", ended["stage"])
	assert.EqualValues(t, 1, ended["stage_attempt"])
	assert.InDelta(t, 1.5, ended["latency_ms"], 0)
	assert.Equal(t, true, ended["success"])
}

func TestCallEndWithoutAStart(t *testing.T) {
	c, s, _ := newTestClient(t)
	l := NewProviderCallLogger(c)
	l.LogCallEnd(t.Context(), "unknown", CallEnd{Success: true})
	assert.Equal(t, map[string]any{"call_id": "unknown", "success": true}, s.all()[0].data)
}

func TestOpenCallsAreBounded(t *testing.T) {
	c, _, _ := newTestClient(t)
	l := NewProviderCallLogger(c)
	for range maxCalls + 5 {
		l.LogCallStart(t.Context(), CallStart{})
	}
	assert.Len(t, c.calls.entries, maxCalls)
	assert.Equal(t, maxCalls, c.calls.order.Len())
}

func TestBounded(t *testing.T) {
	b := newBounded[string, int](2)
	b.put("a", 1)
	b.put("b", 2)
	b.put("a", 3) // renewed
	b.put("c", 4)
	_, ok := b.get("b")
	assert.False(t, ok, "the oldest goes")
	v, ok := b.take("a")
	assert.True(t, ok)
	assert.Equal(t, 3, v)
	_, ok = b.take("a")
	assert.False(t, ok)
}

func TestLoggersFollowTheDefaultClient(t *testing.T) {
	runs, calls := NewPipelineRunLogger(nil), NewProviderCallLogger(nil)
	runs.LogRunStarted(t.Context(), RunStarted{RunID: "lost"}) // nobody listens yet

	c, s, _ := newTestClient(t)
	SetDefault(c)
	t.Cleanup(func() { SetDefault(nil) })
	runs.LogRunStarted(t.Context(), RunStarted{RunID: "kept"})
	calls.LogCallStart(t.Context(), CallStart{})
	assert.Equal(t, []string{"pipeline.started", "provider_call.started"}, s.types())
}

func TestNoOps(t *testing.T) {
	var runs PipelineRunLogger = NoOpPipelineRunLogger{}
	runs.LogRunStarted(t.Context(), RunStarted{})
	runs.LogRunCompleted(t.Context(), RunCompleted{})
	runs.LogRunFailed(t.Context(), RunFailed{})
	runs.LogRunCancelled(t.Context(), RunCancelled{})
	var calls ProviderCallLogger = NoOpProviderCallLogger{}
	id := calls.LogCallStart(t.Context(), CallStart{})
	assert.Equal(t, "00000000-0000-0000-0000-000000000000", id)
	calls.LogCallEnd(t.Context(), id, CallEnd{Err: errors.New("x")})
	b := GetCircuitBreaker()
	assert.Equal(t, NoOpCircuitBreaker{}, b)
	b.RecordFailure(t.Context(), "o", "p", "r")
	b.RecordSuccess(t.Context(), "o", "p")
	assert.False(t, b.IsOpen(t.Context(), "o", "p"))
}

func TestEventWithoutAnyContextHasNoTrace(t *testing.T) {
	c, s, _ := newTestClient(t)
	NewProviderCallLogger(c).LogCallStart(t.Context(), CallStart{Operation: "o"})
	assert.Equal(t, trace.TraceID{}, s.all()[0].traceID)
}

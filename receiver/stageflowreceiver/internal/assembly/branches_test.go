// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// The Rust port tells the id of a tool call when it is invoked, and afterwards the tool alone.
func TestToolEventsThatNameNoCall(t *testing.T) {
	done := ev("pipeline.completed", 20, "")
	const run = "run r completed explicit "
	invoked := func(id string, ms float64) string {
		return ev("tool.invoked", ms, `"tool":"search","action_id":"`+id+`"`)
	}
	plain := func(eventType string, ms float64, fields string) string {
		return ev(eventType, ms, join(`"tool":"search"`, fields))
	}
	for _, tt := range []streamTest{
		{"started and completed", []string{invoked("t", 1), plain("tool.started", 2, ""), plain("tool.completed", 5, ""), done}, 0,
			[]string{run + "1..20", "tool t completed 2..5 in run r"}},
		{"sent twice", []string{invoked("t", 1), plain("tool.started", 2, ""), plain("tool.completed", 5, ""), plain("tool.completed", 5, ""), done}, 0,
			[]string{run + "1..20", "tool t completed 2..5 in run r"}},
		{"failed", []string{invoked("t", 1), plain("tool.failed", 5, `"error":"boom"`), done}, 0, []string{run + "1..20", "tool t failed 1..5 in run r"}},
		{"denied by a person", []string{invoked("t", 1), plain("approval.requested", 2, `"message":"may I?"`), plain("approval.decided", 5, `"approved":false`), done}, 0,
			[]string{run + "1..20", "tool t skipped 1..5 in run r"}},
		{"one call after another", []string{invoked("t", 1), plain("tool.started", 2, ""), plain("tool.completed", 3, ""), invoked("u", 4), plain("tool.failed", 5, ""), done}, 0,
			[]string{run + "1..20", "tool t completed 2..3 in run r", "tool u failed 4..5 in run r"}},
		{"two at once: nothing tells which", []string{invoked("t", 1), invoked("u", 2), plain("tool.completed", 3, ""), done}, 0,
			[]string{run + "1..20", "tool t abandoned 1..20 in run r", "tool u abandoned 2..20 in run r"}},
		{"two at once, one of which tells itself", []string{invoked("t", 1), invoked("u", 2), toolEvent("tool.completed", "t", 3, ""), plain("tool.completed", 4, ""), done}, 0,
			[]string{run + "1..20", "tool t completed 1..3 in run r", "tool u completed 2..4 in run r"}},
		{"another tool", []string{invoked("t", 1), ev("tool.completed", 3, `"tool":"other"`), done}, 0, []string{run + "1..20", "tool t abandoned 1..20 in run r"}},
		{"before the call", []string{plain("tool.completed", 1, ""), invoked("t", 2), done}, 0, []string{run + "1..20", "tool t abandoned 2..20 in run r"}},
		{"an end that is told keeps no run open", []string{invoked("t", 1), plain("tool.completed", 2, "")}, 5 * time.Minute,
			[]string{"run r completed inferred 1..2", "tool t completed 1..2 in run r"}},
	} {
		tt.run(t)
	}
	s := newStream(invoked("t", 1), plain("approval.requested", 2, `"message":"may I?"`), plain("approval.decided", 3, `"approved":true`), plain("tool.failed", 5, `"error":"boom"`), done)
	span := named(t, s.wait(time.Second), "tool t")
	assert.Equal(t, "boom", span.Status().Message())
	assert.Equal(t, []string{"2 approval.requested map[stageflow.approval.message:may I?]", "3 approval.decided map[stageflow.approval.decision:approved]"}, notesOf(span))
}

func TestUnnamedToolEventsAreBounded(t *testing.T) {
	s := newStream()
	lines := make([]string, 0, maxTools+2)
	for range maxTools + 1 {
		lines = append(lines, ev("tool.completed", 1, `"tool":"x"`))
	}
	s.add(append(lines, ev("tool.completed", 1, ""), ev("pipeline.completed", 2, ""))...)
	assert.Len(t, s.wait(time.Second), 1)
	assert.Equal(t, 1, s.Lost())
}

// The envelope of the telemetry branch tells the trace, the parent and the times of a run.
func TestEnvelopeOfTheTelemetryBranch(t *testing.T) {
	const envelope = `"event_name":"x","event_version":"v1","pipeline_run_id":"r","parent_run_id":"p","parent_stage_id":"spawner","trace_id":"` + traceA + `"`
	s := newStream(
		ev("tool.started", 2, join(envelope, `"tool_name":"search","action_id":"t"`)),
		ev("tool.completed", 3, join(envelope, `"tool_name":"search","action_id":"t"`)),
		ev("pipeline.wide", 9, join(envelope, `"status":"completed","name":"chat","start_time":"`+stamp(1)+`","end_time":"`+stamp(8.9)+`"`)))
	spans := s.wait(time.Second)
	assert.ElementsMatch(t, []string{"run r completed explicit 1..8.9", "tool t completed 2..3 in run r"}, told(spans))
	run := runSpan(t, spans, "r")
	assert.Equal(t, traceA, run.TraceID().String())
	assert.Equal(t, "invoke_workflow chat", run.Name())
	assert.Equal(t, "p", attr(run, semconv.RunParentIDKey))
	assert.Equal(t, "spawner", attr(run, semconv.RunParentStageKey))
	assert.Empty(t, attr(named(t, spans, "tool t"), semconv.StageNameKey))
}

// What the Rust port's parent says of its child is under the parent's own id.
func TestChildrenOfTheRustPort(t *testing.T) {
	done := ev("pipeline.wide", 9, `"pipeline_run_id":"p","status":"completed"`)
	told := func(lines ...string) []string {
		s := newStream(append(lines, done)...)
		return toldRuns(s)
	}
	assert.ElementsMatch(t, []string{"run p completed explicit 1..9", "run r completed parent 1..5 under p"},
		told(ev("pipeline.spawned_child", 1, `"pipeline_run_id":"p","child_run_id":"r"`), ev("pipeline.child_completed", 5, `"pipeline_run_id":"p","child_run_id":"r"`)))
	assert.ElementsMatch(t, []string{"run p completed explicit 1..9", "run r cancelled requested 1..5 under p"},
		told(ev("pipeline.spawned_child", 1, `"pipeline_run_id":"p","child_run_id":"r"`), ev("pipeline.canceled", 5, `"pipeline_run_id":"p","child_run_id":"r"`)))
}

// toldRuns waits until all runs are over and tells them with their parents.
func toldRuns(s *stream) []string {
	var out []string
	for _, d := range []time.Duration{time.Second, 5 * time.Minute} {
		for _, span := range s.wait(d) {
			line := told([]ptrace.Span{span})[0]
			if parent := attr(span, semconv.RunParentIDKey); parent != "" {
				line += " under " + parent
			}
			out = append(out, line)
		}
	}
	return out
}

// A stage of the Rust port cancels its run.
func TestRunCancelledByAStageOfTheRustPort(t *testing.T) {
	s := newStream(ev("stage.started", 1, `"stage":"a"`), ev("stage.cancelled", 2, `"stage":"a","reason":"enough"`), ev("pipeline_cancelled", 3, `"stage":"a","reason":"enough"`))
	spans := s.wait(time.Second)
	assert.Equal(t, []string{"run r cancelled explicit 1..3", "a#1 cancelled 1..2"}, told(spans))
	assert.Equal(t, "a", attr(spans[0], semconv.RunFailedStageKey))
	assert.Equal(t, "enough", attr(spans[0], semconv.RunReasonKey))
}

// Two ends that differ in nothing but the start that one of them tells are two.
func TestAnEndThatTellsTheStart(t *testing.T) {
	streamTest{"beside one that does not", []string{ev("pipeline.wide", 9, `"status":"completed"`), ev("pipeline.wide", 9, `"status":"completed","start_time":"`+stamp(1)+`"`)}, 0,
		[]string{"run r completed explicit 1..9"}}.run(t)
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// toolEvent is an event about the tool call id.
func toolEvent(eventType, id string, ms float64, fields string) string {
	return ev(eventType, ms, join(fmt.Sprintf(`"tool_name":"search","action_id":%q`, id), fields))
}

func TestTools(t *testing.T) {
	done := ev("pipeline.completed", 20, "")
	const run = "run r completed explicit "
	a, aEnd := stage("a", "started", 1, ""), stage("a", "completed", 9, "")
	b, bEnd := stage("b", "started", 2, ""), stage("b", "completed", 8, "")
	invoked, started := toolEvent("tool.invoked", "t", 2, ""), toolEvent("tool.started", "t", 3, "")
	completed := toolEvent("tool.completed", "t", 5, `"duration_ms":2.1`)
	undone := toolEvent("tool.undone", "t", 7, "")
	for _, tt := range []streamTest{
		{"from its start to its end", []string{invoked, started, completed, done}, 0, []string{run + "2..20", "tool t completed 3..5 in run r"}},
		{"no start: from its invocation", []string{invoked, completed, done}, 0, []string{run + "2..20", "tool t completed 2..5 in run r"}},
		{"an end alone: its duration tells the start", []string{toolEvent("tool.completed", "t", 5, `"duration_ms":1.5`), done}, 0,
			[]string{run + "3.5..20", "tool t completed 3.5..5 in run r"}},
		{"an end alone, and a duration that makes no sense", []string{toolEvent("tool.completed", "t", 5, `"duration_ms":-1`), done}, 0,
			[]string{run + "5..20", "tool t completed 5..5 in run r"}},
		{"completed, it says, without success", []string{started, toolEvent("tool.completed", "t", 5, `"output_summary":{"success":false,"has_error":true}`), done}, 0,
			[]string{run + "3..20", "tool t failed 3..5 in run r"}},
		{"completed with success", []string{started, toolEvent("tool.completed", "t", 5, `"output_summary":{"success":true}`), done}, 0,
			[]string{run + "3..20", "tool t completed 3..5 in run r"}},
		{"failed: its run need not have", []string{started, toolEvent("tool.failed", "t", 5, ""), done}, 0, []string{run + "3..20", "tool t failed 3..5 in run r"}},
		{"denied by its behaviour", []string{invoked, toolEvent("tool.denied", "t", 3, ""), done}, 0, []string{run + "2..20", "tool t skipped 2..3 in run r"}},
		{"nobody knows the tool", []string{toolEvent("tool.requested", "t", 2, ""), toolEvent("tool.unresolved", "t", 3, ""), done}, 0,
			[]string{run + "2..20", "tool t failed 2..3 in run r"}},
		{"denied by a person", []string{invoked, toolEvent("approval.requested", "t", 3, ""), toolEvent("approval.decided", "t", 6, `"decision":"denied"`), done}, 0,
			[]string{run + "2..20", "tool t skipped 2..6 in run r"}},
		{"denied by a person, as the Rust port tells it", []string{invoked, toolEvent("approval.decided", "t", 6, `"approved":false`), done}, 0,
			[]string{run + "2..20", "tool t skipped 2..6 in run r"}},
		{"approved", []string{invoked, toolEvent("approval.decided", "t", 2.5, `"decision":"approved"`), started, completed, done}, 0,
			[]string{run + "2..20", "tool t completed 3..5 in run r"}},
		{"denied and yet completed: what it told itself", []string{invoked, toolEvent("approval.decided", "t", 6, `"decision":"denied"`), completed, done}, 0,
			[]string{run + "2..20", "tool t completed 2..5 in run r"}},
		{"undone", []string{started, completed, undone, done}, 0, []string{run + "3..20", "tool t completed 3..5 in run r"}},
		{"undone, and nothing else told that it had completed", []string{started, toolEvent("tool.undo_failed", "t", 6, ""), undone, done}, 0,
			[]string{run + "3..20", "tool t completed 3..7 in run r"}},
		{"undone, and the undoing tells when it had completed", []string{started, toolEvent("tool.undone", "t", 7, `"original_action_timestamp":"`+stamp(5)+`"`), done}, 0,
			[]string{run + "3..20", "tool t completed 3..5 in run r"}},
		{"an undoing alone", []string{undone, done}, 0, []string{run + "7..20", "tool t completed 7..7 in run r"}},
		{"invoked, and never again heard of", []string{invoked, done}, 0, []string{run + "2..20", "tool t abandoned 2..20 in run r"}},
		{"started, and never again heard of", []string{invoked, started, done}, 0, []string{run + "2..20", "tool t abandoned 3..20 in run r"}},
		{"approved, and never again heard of", []string{toolEvent("approval.decided", "t", 2, `"decision":"approved"`), done}, 0, []string{run + "2..20", "tool t abandoned 2..20 in run r"}},
		{"a tool open holds its run open", []string{a, invoked, aEnd}, 15 * time.Minute,
			[]string{"run r abandoned abandoned 1..9", "a#1 completed 1..9", "tool t abandoned 2..9 in a#1"}},
		{"an end before its start", []string{started, toolEvent("tool.failed", "t", 2, ""), done}, 0, []string{run + "2..20", "tool t failed 3..3 in run r"}},
		{"two ends: the later", []string{started, completed, toolEvent("tool.failed", "t", 6, ""), done}, 0, []string{run + "3..20", "tool t failed 3..6 in run r"}},
		{"two ends at once: the worse", []string{started, completed, toolEvent("tool.failed", "t", 5, ""), done}, 0, []string{run + "3..20", "tool t failed 3..5 in run r"}},
		{"no id", []string{ev("tool.invoked", 2, `"tool_name":"x","action_id":null`), ev("tool.completed", 3, `"tool_name":"x"`), done}, 0, []string{run + "2..20"}},
		{"called by the stage that was running", []string{a, invoked, started, completed, aEnd, done}, 0,
			[]string{run + "1..20", "a#1 completed 1..9", "tool t completed 3..5 in a#1"}},
		{"called when two were running", []string{a, b, started, completed, aEnd, bEnd, done}, 0,
			[]string{run + "1..20", "a#1 completed 1..9", "b#1 completed 2..8", "tool t completed 3..5 in run r"}},
		{"called by the one it names", []string{a, b, toolEvent("tool.started", "t", 3, `"parent_stage_id":"b"`), completed, aEnd, bEnd, done}, 0,
			[]string{run + "1..20", "a#1 completed 1..9", "b#1 completed 2..8", "tool t completed 3..5 in b#1"}},
	} {
		tt.run(t)
	}
}

func TestToolSpan(t *testing.T) {
	s := newStream(
		toolEvent("tool.invoked", "t", 2, `"behavior":"practice","payload_summary":{"q":"x"},"request_id":"http-1"`),
		toolEvent("approval.requested", "t", 2.5, `"request_id":"approval-1","approval_message":"may I?"`),
		toolEvent("approval.decided", "t", 3, `"request_id":"approval-1","decision":"approved","decided_by":null`),
		toolEvent("tool.started", "t", 4, ""),
		toolEvent("tool.failed", "t", 5, `"duration_ms":1.25,"error_code":"ConnectionError","error_message":"down"`),
		toolEvent("tool.undo_failed", "t", 6, `"error_message":"cannot restore","reason":"RuntimeError"`),
		ev("pipeline.completed", 9, ""))
	spans := s.wait(time.Second)
	span := named(t, spans, "tool t")
	assert.Equal(t, "execute_tool search", span.Name())
	assert.Equal(t, ptrace.SpanKindInternal, span.Kind())
	assert.EqualValues(t, semconv.ToolSpanID("r", "t"), span.SpanID())
	assert.EqualValues(t, semconv.RunSpanID("r"), span.ParentSpanID())
	assert.Equal(t, ptrace.StatusCodeError, span.Status().Code())
	assert.Equal(t, "down", span.Status().Message())
	assert.Equal(t, map[string]any{
		"stageflow.run.id": "r", "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "gen_ai.tool.call.id": "t",
		"stageflow.tool.status": "failed", "stageflow.tool.behavior": "practice", "stageflow.tool.duration_ms": 1.25,
		"error.type": "ConnectionError", "stageflow.data.payload_summary": map[string]any{"q": "x"},
	}, span.Attributes().AsRaw())
	assert.Equal(t, []string{
		`2.5 approval.requested map[stageflow.approval.id:approval-1 stageflow.approval.message:may I?]`,
		`3 approval.decided map[stageflow.approval.decision:approved stageflow.approval.id:approval-1]`,
		`6 tool.undo_failed map[exception.message:cannot restore exception.type:RuntimeError]`,
	}, notesOf(span))
	run := runSpan(t, spans, "r")
	assert.Equal(t, "http-1", attr(run, semconv.RequestIDKey), "an approval's id is not the request's")
	assert.Equal(t, ptrace.StatusCodeUnset, run.Status().Code(), "a failed tool fails no run")
}

func notesOf(span ptrace.Span) []string {
	var out []string
	for _, note := range span.Events().All() {
		out = append(out, fmt.Sprint(ms(note.Timestamp()), " ", note.Name(), " ", note.Attributes().AsRaw()))
	}
	return out
}

// What was denied has no error: the reason tells why it never ran.
func TestDeniedToolSpan(t *testing.T) {
	s := newStream(
		ev("tool.invoked", 1, `"tool":"rm","action_id":"t1"`), ev("tool.denied", 2, `"tool":"rm","action_id":"t1","reason":"behavior_not_allowed","allowed_behaviors":["admin"]`),
		ev("tool.invoked", 3, `"tool":"rm","action_id":"t2"`), ev("approval.decided", 4, `"tool":"rm","action_id":"t2","approved":false`),
		ev("pipeline.completed", 9, ""))
	spans := s.wait(time.Second)
	for id, want := range map[string]string{"t1": "behavior_not_allowed", "t2": "approval_denied"} {
		span := named(t, spans, "tool "+id)
		assert.Equal(t, "execute_tool rm", span.Name())
		assert.Equal(t, "skipped", attr(span, semconv.ToolStatusKey))
		assert.Equal(t, want, attr(span, semconv.ToolReasonKey))
		assert.Equal(t, ptrace.StatusCodeUnset, span.Status().Code())
	}
	assert.JSONEq(t, `["admin"]`, attr(named(t, spans, "tool t1"), semconv.ToolAllowedBehaviorsKey))
	assert.Equal(t, []string{"4 approval.decided map[stageflow.approval.decision:denied]"}, notesOf(named(t, spans, "tool t2")))
}

// After the run has settled an end still gives a span; an undoing or an approval gives none, for it would replace one
// that says more.
func TestLateTools(t *testing.T) {
	s := newStream(toolEvent("tool.started", "t", 1, ""), toolEvent("tool.completed", "t", 2, ""), toolEvent("tool.started", "u", 3, ""), ev("pipeline.completed", 9, ""))
	assert.Len(t, s.wait(time.Second), 3)
	s.add(toolEvent("tool.undone", "t", 10, ""), toolEvent("approval.requested", "v", 10, ""), toolEvent("tool.updated", "t", 11, ""))
	assert.Empty(t, s.wait(time.Second))
	s.add(toolEvent("tool.completed", "u", 12, `"duration_ms":9`))
	assert.Equal(t, []string{"tool u completed 3..12 in ?"}, told(s.wait(time.Second)))
}

// Of a run that goes on, a tool call that has finished leaves once, with or after the stage that called it.
func TestToolsLeaveBeforeTheirRun(t *testing.T) {
	s := longRun(stage("a", "started", 1, ""), toolEvent("tool.started", "t", 2, ""), toolEvent("tool.completed", "t", 3, ""),
		toolEvent("tool.started", "u", 3, ""), stage("a", "completed", 4, ""), stage("b", "started", 5, ""))
	first := s.wait(time.Minute)
	assert.Equal(t, []string{"a#1 completed 1..4", "tool t completed 2..3 in a#1"}, told(first))
	s.add(toolEvent("tool.undone", "t", 8, "")) // a log record only: the span has left
	s.add(stage("b", "completed", 7, ""))
	assert.Equal(t, []string{"b#1 completed 5..7"}, told(s.wait(time.Minute)))
	s.add(toolEvent("tool.completed", "u", 8, ""), ev("pipeline.completed", 9, ""))
	spans := s.wait(time.Second)
	assert.ElementsMatch(t, []string{"run r completed explicit 1..9", "tool u completed 3..8 in ?"}, told(spans))
	assert.EqualValues(t, semconv.StageSpanID("r", "a", 1), named(t, spans, "tool u").ParentSpanID())
}

// What has no room is counted; of one tool call the earliest events stay.
func TestToolsAreBounded(t *testing.T) {
	s := newStream(toolEvent("tool.started", "t", 1, ""))
	for i := maxNotesOfTool + 2; i > 0; i-- {
		s.add(toolEvent("tool.updated", "t", float64(i), ""))
	}
	s.add(toolEvent("tool.updated", "t", maxNotesOfTool, ""), ev("pipeline.completed", 500, ""))
	span := named(t, s.wait(time.Second), "tool t")
	require.Equal(t, maxNotesOfTool, span.Events().Len())
	assert.Equal(t, "1", ms(span.Events().At(0).Timestamp()))
	assert.Equal(t, strconv.Itoa(maxNotesOfTool), ms(span.Events().At(maxNotesOfTool-1).Timestamp()))
	assert.Equal(t, 2, s.Lost())

	s = newStream()
	var lines []string
	for i := range maxTools + 3 {
		lines = append(lines, toolEvent("tool.started", "t"+strconv.Itoa(i), 1, ""))
	}
	s.add(append(lines, ev("pipeline.completed", 2, ""))...)
	assert.Len(t, s.wait(time.Second), maxTools+1)
	assert.Equal(t, 3, s.Lost())
}

// The recorded executor: every tool call has the outcome that the application saw. A tool that returned without
// success is one that the application calls "ok", because nothing was raised.
func TestToolsOfTheCapture(t *testing.T) {
	const capture = "../../../../testdata/captures/tools_lifecycle"
	raw, err := os.ReadFile(capture + ".truth.json")
	require.NoError(t, err)
	var truth struct {
		Notes struct {
			Outcomes [][2]any `json:"tool_outcomes"`
		} `json:"notes"`
	}
	require.NoError(t, json.Unmarshal(raw, &truth))
	body, err := os.ReadFile(capture + ".ndjson")
	require.NoError(t, err)
	s := newStream(strings.Split(strings.TrimSpace(string(body)), "\n")...)
	spans := map[string]ptrace.Span{}
	var stage ptrace.Span
	for _, span := range s.wait(time.Second) {
		switch {
		case attr(span, semconv.ToolStatusKey) != "":
			spans[attr(span, semconv.GenAIToolNameKey)] = span
		case attr(span, semconv.StageStatusKey) != "":
			stage = span
		}
	}

	names := map[string]string{"EDIT": "edit_document", "RENAME": "RENAME", "MOVE": "MOVE", "LOOKUP": "lookup", "SEARCH": "search", "DELETE": "delete_all"}
	status := map[any]string{"ok": "completed", "ToolExecutionError": "failed", "ToolDeniedError": "skipped"}
	undoing := map[any]string{true: "tool.undone", "ToolUndoError": "tool.undo_failed"} // false: nothing was undone
	notes := map[string][]string{}
	seen := 0
	for _, outcome := range truth.Notes.Outcomes {
		action, undo := strings.CutPrefix(outcome[0].(string), "undo ")
		if undo {
			if event := undoing[outcome[1]]; event != "" {
				notes[action] = append(notes[action], event)
			}
			continue
		}
		if outcome[1] == "ToolNotFoundError" {
			continue // no event tells of it
		}
		seen++
		span, ok := spans[names[action]]
		require.True(t, ok, action)
		want := status[outcome[1]]
		if action == "LOOKUP" {
			want = "failed" // output_summary.success is false
		}
		assert.Equal(t, want, attr(span, semconv.ToolStatusKey), action)
		assert.Equal(t, stage.SpanID(), span.ParentSpanID(), action)
		assert.Equal(t, want == "failed", span.Status().Code() == ptrace.StatusCodeError, action)
		assert.Less(t, span.StartTimestamp(), span.EndTimestamp(), action)
	}
	assert.Len(t, spans, seen)
	for action, name := range names {
		var got []string
		for _, note := range spans[name].Events().All() {
			got = append(got, note.Name())
		}
		assert.Equal(t, notes[action], got, action)
	}
	assert.Equal(t, "ConnectionError", attr(spans["search"], semconv.ErrorTypeKey))
	assert.Equal(t, "search backend down", spans["search"].Status().Message())
	assert.Equal(t, "behavior_not_allowed", attr(spans["delete_all"], semconv.ToolReasonKey))
}

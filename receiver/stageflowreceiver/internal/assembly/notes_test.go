// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func turn(n int, ms float64, fields string) string {
	return ev("agent.turn.started", ms, join(fmt.Sprintf(`"turn":%d`, n), fields))
}

// What an agent, a guard or a retry did is shown where it happened: on the stage that the event names, else on the only
// one that was running, else on the run.
func TestNotes(t *testing.T) {
	done := ev("pipeline.completed", 20, "")
	a, aEnd := stage("a", "started", 1, ""), stage("a", "completed", 9, "")
	b, bEnd := stage("b", "started", 2, ""), stage("b", "completed", 8, "")
	for _, tt := range []struct {
		name   string
		events []string
		want   map[string][]string
	}{
		{"of the only stage that was running", []string{a, turn(1, 2, ""), turn(2, 5, `"tool_calling_mode":"native"`), ev("agent.completed", 6, `"turns":2`), aEnd, done}, map[string][]string{"a#1": {
			"2 agent.turn.started map[stageflow.agent.turn:1]",
			"5 agent.turn.started map[stageflow.agent.turn:2 stageflow.data.tool_calling_mode:native]",
			"6 agent.completed map[stageflow.agent.turns:2]"}}},
		{"told once, though it came twice", []string{a, turn(1, 2, ""), turn(1, 2, ""), aEnd, done}, map[string][]string{"a#1": {"2 agent.turn.started map[stageflow.agent.turn:1]"}}},
		{"two were running: the run's", []string{a, b, turn(1, 3, ""), aEnd, bEnd, done}, map[string][]string{"run r": {"3 agent.turn.started map[stageflow.agent.turn:1]"}}},
		{"two were running, and it names one", []string{a, b, turn(1, 3, `"stage":"b"`), aEnd, bEnd, done},
			map[string][]string{"b#1": {"3 agent.turn.started map[stageflow.agent.turn:1 stageflow.stage.name:b]"}}},
		{"of a stage that nobody else tells of: the run's", []string{a, turn(1, 3, `"stage":"x"`), aEnd, done},
			map[string][]string{"run r": {"3 agent.turn.started map[stageflow.agent.turn:1 stageflow.stage.name:x]"}}},
		{"no stage at all", []string{turn(1, 3, ""), done}, map[string][]string{"run r": {"3 agent.turn.started map[stageflow.agent.turn:1]"}}},
		{"of the attempt that was running",
			[]string{wide("a", "failed", 1, 2, ""), wide("a", "completed", 3, 5, ""), ev("guardrail.fail_open", 4, `"stage":"a","violation_count":1`), done},
			map[string][]string{"a#2": {"4 guardrail.fail_open map[stageflow.data.violation_count:1 stageflow.stage.name:a]"}}},
		{"a retry within a stage: its attempts are not the stage's", []string{a, ev("stage.retry_scheduled", 3, `"stage":"a","attempt":1,"error":"reset"`), aEnd, done},
			map[string][]string{"a#1": {"3 stage.retry_scheduled map[exception.message:reset stageflow.data.attempt:1 stageflow.stage.name:a]"}}},
		{"a guard's retry ties stages together: the run's", []string{a, ev("guard_retry.attempt", 3, `"guard":"g","retry_stage":"a","attempt":1`), aEnd, done},
			map[string][]string{"run r": {"3 guard_retry.attempt map[stageflow.data.attempt:1 stageflow.data.guard:g stageflow.data.retry_stage:a]"}}},
		{"streams are metrics", []string{a, ev("stream.chunk_dropped", 3, `"queue_size":1`), ev("context.truncation", 3, ""), ev("custom", 3, ""), aEnd, done}, map[string][]string{}},
	} {
		for _, order := range []string{"in order", "reversed"} {
			t.Run(tt.name+"/"+order, func(t *testing.T) {
				events := slices.Clone(tt.events)
				if order == "reversed" {
					slices.Reverse(events)
				}
				s := newStream()
				for _, line := range events {
					s.add(line)
				}
				got := map[string][]string{}
				for _, span := range s.wait(time.Second) {
					if notes := notesOf(span); len(notes) > 0 {
						got[nameOfSpan(span)] = notes
					}
					assert.Equal(t, ptrace.StatusCodeUnset, statusCode(span), nameOfSpan(span))
				}
				assert.Equal(t, tt.want, got)
			})
		}
	}
}

// statusCode is that of spans that did not fail before.
func statusCode(span ptrace.Span) ptrace.StatusCode {
	if statusOf(span) == "retried" {
		return ptrace.StatusCodeUnset
	}
	return span.Status().Code()
}

// Of a run that goes on, a stage takes its notes with it when it leaves, once; what comes for it later is logged only.
func TestNotesLeaveWithTheirStage(t *testing.T) {
	s := longRun(stage("a", "started", 1, ""), turn(1, 2, ""), stage("a", "completed", 3, ""), turn(1, 4, ""), stage("b", "started", 5, ""))
	spans := s.wait(time.Minute)
	assert.Equal(t, []string{"a#1 completed 1..3"}, told(spans))
	assert.Equal(t, []string{"2 agent.turn.started map[stageflow.agent.turn:1]"}, notesOf(spans[0]))
	s.add(turn(2, 2.5, ""), turn(2, 6, ""), stage("b", "completed", 7, ""), ev("pipeline.completed", 9, ""))
	spans = s.wait(time.Second)
	assert.ElementsMatch(t, []string{"b#1 completed 5..7", "run r completed explicit 1..9"}, told(spans))
	assert.Equal(t, []string{"6 agent.turn.started map[stageflow.agent.turn:2]"}, notesOf(named(t, spans, "b#1")))
	assert.Equal(t, []string{"4 agent.turn.started map[stageflow.agent.turn:1]"}, notesOf(runSpan(t, spans, "r")))
	s.add(turn(3, 8, ""))
	assert.Empty(t, s.wait(time.Second), "the run has left")
}

// The earliest notes stay, in whatever order they came; the others are counted.
func TestNotesAreBounded(t *testing.T) {
	for _, order := range []int{1, -1} {
		s := newStream()
		for i := range maxShown + 3 {
			n := i + 1
			if order < 0 {
				n = maxShown + 3 - i
			}
			s.add(turn(n, float64(n), ""))
		}
		assert.Zero(t, s.Lost())
		s.add(turn(1, 1, ""), ev("pipeline.completed", 1000, ""))
		run := runSpan(t, s.wait(time.Second), "r")
		require.Equal(t, maxShown, run.Events().Len())
		assert.Equal(t, "1", ms(run.Events().At(0).Timestamp()))
		assert.Equal(t, maxShown, int(run.Events().At(maxShown-1).Timestamp().AsTime().Sub(base).Milliseconds()))
		assert.Equal(t, 3, s.Lost())
	}
}

// An agent tells of its tool calls by the call that its model made; the framework's branches tell of the same call by
// events of the tool, which name no action then.
func TestToolsOfAgents(t *testing.T) {
	done := ev("pipeline.completed", 20, "")
	const run = "run r completed explicit "
	agent := func(what string, ms float64, fields string) string {
		return ev("agent.tool."+what, ms, join(`"tool":"search","call_id":"c"`, fields))
	}
	of := func(what string, ms float64, fields string) string {
		return ev("tool."+what, ms, join(`"tool_name":"search","action_id":null,"call_id":"c","sequence":1`, fields))
	}
	a, aEnd := stage("a", "started", 1, ""), stage("a", "completed", 9, "")
	b, bEnd := stage("b", "started", 1, ""), stage("b", "completed", 9, "")
	for _, tt := range []streamTest{
		{"executed, and nothing else told: a point", []string{a, agent("executed", 3, `"success":true`), aEnd, done}, 0,
			[]string{run + "1..20", "a#1 completed 1..9", "tool c completed 3..3 in a#1"}},
		{"executed without success", []string{agent("executed", 3, `"success":false`), done}, 0, []string{run + "3..20", "tool c failed 3..3 in run r"}},
		{"from its start to its end", []string{agent("requested", 2, ""), agent("started", 3, ""), agent("executed", 5, `"success":true`), agent("completed", 6, `"success":true`), done}, 0,
			[]string{run + "2..20", "tool c completed 3..6 in run r"}},
		{"failed", []string{agent("started", 3, ""), agent("executed", 5, `"success":false,"error":"boom"`), agent("failed", 5, `"success":false,"error":"boom"`), done}, 0,
			[]string{run + "3..20", "tool c failed 3..5 in run r"}},
		{"nobody knows the tool", []string{ev("tools.unresolved", 3, `"tool":"x","call_id":"c","error":"no such tool"`), agent("unresolved", 3, `"error":"no such tool"`), of("unresolved", 3.1, `"error":"no such tool","status":"unresolved"`), done}, 0,
			[]string{run + "3..20", "tool c failed 3.1..3.1 in run r"}},
		{"both accounts are one call, in the stage that one of them names",
			[]string{a, b, agent("requested", 2, ""), of("requested", 2.1, `"parent_stage_id":"b"`), agent("started", 2.2, ""), of("started", 2.3, `"parent_stage_id":"b"`),
				agent("executed", 5, `"success":true`), of("completed", 5.1, `"parent_stage_id":"b","success":true`), aEnd, bEnd, done}, 0,
			[]string{run + "1..20", "a#1 completed 1..9", "b#1 completed 1..9", "tool c completed 2.2..5.1 in b#1"}},
		{"an action comes before the call", []string{ev("tool.started", 2, `"action_id":"act","call_id":"c"`), ev("tool.completed", 3, `"action_id":"act","call_id":"c"`), done}, 0,
			[]string{run + "2..20", "tool act completed 2..3 in run r"}},
		{"no id, or the nil one", []string{ev("agent.tool.executed", 2, `"tool":"x","call_id":null`), ev("agent.tool.executed", 3, `"tool":"x","call_id":"00000000-0000-0000-0000-000000000000"`), done}, 0,
			[]string{run + "2..20"}},
		{"asked for, and never again heard of", []string{agent("requested", 2, ""), done}, 0, []string{run + "2..20", "tool c abandoned 2..20 in run r"}},
		{"a tool call and a provider's call may have one id", []string{agent("executed", 3, `"success":true`), callStarted("c", 4, ""), callEnded("c", 5, ""), done}, 0,
			[]string{run + "3..20", "tool c completed 3..3 in run r", "call c completed 4..5 in run r"}},
	} {
		tt.run(t)
	}

	s := newStream(agent("started", 2, `"arguments":{"q":"x"}`), agent("updated", 3, `"payload":{"n":1}`), agent("failed", 4, `"success":false,"error":"boom"`), done)
	span := named(t, s.wait(time.Second), "tool c")
	assert.Equal(t, "execute_tool search", span.Name())
	assert.EqualValues(t, semconv.ToolSpanID("r", "c"), span.SpanID())
	assert.Equal(t, "boom", span.Status().Message())
	assert.JSONEq(t, `{"q":"x"}`, attr(span, semconv.DataPrefix+"arguments"))
	assert.Equal(t, []string{"3 agent.tool.updated map[stageflow.data.payload:map[n:1]]"}, notesOf(span))
}

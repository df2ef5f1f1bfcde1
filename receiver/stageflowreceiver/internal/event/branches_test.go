// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// enveloped is the data of an event in the envelope of the telemetry branch, with the event's own fields.
func enveloped(eventType, fields string) string {
	return fmt.Sprintf(`{"type":%q,"data":{"event_version":"v1","event_kind":"span","event_name":%q,"timestamp":"2026-03-22T10:00:09+00:00",
		"pipeline_run_id":"r","parent_run_id":"p","parent_stage_id":"spawner","request_id":"http","session_id":"s","user_id":"u","org_id":"o","interaction_id":"i",
		"execution_mode":"practice","pipeline_name":"chat_fast","service":"chat","trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","parent_span_id":null,
		"correlation_id":"c","metadata":{"k":"v"}%s}}`, eventType, eventType, fields)
}

// The shapes of the framework's branches that are not merged, and of the Rust port: catalogue 1.9, line by line.
func TestBranches(t *testing.T) {
	const trace = "0af7651916cd43dd8448eb211c80319c"
	everywhere := map[string]any{
		"stageflow.run.id": "r", "stageflow.run.parent.id": "p", "stageflow.run.parent.stage": "spawner", "stageflow.request.id": "http", "session.id": "s", "user.id": "u",
		"stageflow.org.id": "o", "stageflow.interaction.id": "i", "stageflow.run.execution_mode": "practice", "gen_ai.workflow.name": "chat_fast", "stageflow.correlation.id": "c",
	}
	aside := map[string]any{ // without an attribute of their own
		"stageflow.data.event_kind": "span", "stageflow.data.span_id": "b7ad6b7169203331", "stageflow.data.metadata": map[string]any{"k": "v"},
	}
	with := func(own map[string]any, more ...map[string]any) map[string]any {
		out := map[string]any{}
		for _, m := range append(more, own) {
			for key, v := range m {
				out[key] = v
			}
		}
		return out
	}
	for _, tt := range []struct {
		name, line     string
		kind           semconv.EventName
		run, at, trace string // at is the time of day
		common, own    map[string]any
		more           func(*testing.T, *Event)
	}{
		{"telemetry: a lifecycle event", enveloped("stage.llm.started", `,"stage":"llm","status":"started"`), semconv.EventStageStarted, "r", "10:00:09", trace,
			everywhere, with(map[string]any{"stageflow.stage.name": "llm", "stageflow.stage.status": "running"}, aside), nil},
		{"telemetry: a wide event of a stage", enveloped("stage.wide", `,"stage":"llm","status":"failed","started_at":"2026-03-22T10:00:01+00:00","ended_at":"2026-03-22T10:00:03+00:00","duration_ms":2000,
			"error":"boom","data_keys":["x"],"id":"r:llm:2026-03-22T10:00:01+00:00","parent_observation_id":null,"type":"SPAN","name":"llm",
			"start_time":"2026-03-22T10:00:01+00:00","end_time":"2026-03-22T10:00:03+00:00","node":"llm","step":null`),
			semconv.EventWideStage, "r", "10:00:09", trace, everywhere,
			with(map[string]any{
				"stageflow.stage.name": "llm", "stageflow.stage.status": "failed", "stageflow.stage.duration_ms": 2000.0, "exception.message": "boom", "stageflow.stage.data_keys": []any{"x"},
				"stageflow.data.id": "r:llm:2026-03-22T10:00:01+00:00", "stageflow.data.type": "SPAN", "stageflow.data.name": "llm", "stageflow.data.node": "llm",
			}, aside), isAt("10:00:01", "10:00:03")},
		{"telemetry: a wide event of a stage with the new times alone", `{"type":"stage.wide","data":{"stage":"llm","start_time":"2026-03-22T10:00:01+00:00","end_time":"2026-03-22T10:00:03+00:00"}}`,
			semconv.EventWideStage, "", "10:00:03", "", nil, map[string]any{"stageflow.stage.name": "llm"}, isAt("10:00:01", "10:00:03")},
		{"telemetry: a wide event of a run", enveloped("pipeline.wide", `,"status":"completed","duration_ms":8000,"id":"r","type":"TRACE","name":"chat",
			"start_time":"2026-03-22T10:00:00+00:00","end_time":"2026-03-22T10:00:08+00:00","node":"chat","step":0`),
			semconv.EventWideRun, "r", "10:00:09", trace, everywhere,
			with(map[string]any{
				"stageflow.run.status": "completed", "stageflow.run.duration_ms": 8000.0, "stageflow.data.id": "r", "stageflow.data.type": "TRACE", "stageflow.data.name": "chat",
				"stageflow.data.node": "chat", "stageflow.data.step": int64(0),
			}, aside), isAt("10:00:00", "10:00:08")},
		{"telemetry: a run of a context without a name", `{"type":"pipeline.wide","data":{"event_name":"pipeline.wide","event_version":"v1","pipeline_run_id":"r","pipeline_name":null,"name":"chat","status":"completed"}}`,
			semconv.EventWideRun, "r", "", "", map[string]any{"stageflow.run.id": "r", "gen_ai.workflow.name": "chat"},
			map[string]any{"stageflow.run.status": "completed", "stageflow.data.name": "chat"}, nil},
		{"telemetry: an approval has the request of the HTTP call", enveloped("approval.decided", `,"tool_name":"rm","action_id":"t","decision":"denied","decided_by":null`),
			semconv.EventApprovalDecided, "r", "10:00:09", trace, everywhere,
			with(map[string]any{"gen_ai.tool.name": "rm", "gen_ai.tool.call.id": "t", "stageflow.approval.decision": "denied"}, aside),
			func(t *testing.T, e *Event) { assert.Equal(t, semconv.StatusSkipped, e.ToolStatus()) }},
		{"the framework: an approval has an id of its own", `{"type":"approval.requested","data":{"pipeline_run_id":"r","request_id":"ap","tool_name":"rm","action_id":"t"}}`,
			semconv.EventApprovalRequested, "r", "", "", map[string]any{"stageflow.run.id": "r"},
			map[string]any{"stageflow.approval.id": "ap", "gen_ai.tool.name": "rm", "gen_ai.tool.call.id": "t"}, nil},
		{"telemetry: an approval without the envelope keeps its id, whatever its kind", `{"type":"approval.requested","data":{"pipeline_run_id":"r","request_id":"ap","event_kind":"tool","event_version":"v1","tool_name":"rm","action_id":"t"}}`,
			semconv.EventApprovalRequested, "r", "", "", map[string]any{"stageflow.run.id": "r"},
			map[string]any{"stageflow.approval.id": "ap", "gen_ai.tool.name": "rm", "gen_ai.tool.call.id": "t", "stageflow.data.event_kind": "tool", "stageflow.data.event_version": "v1"}, nil},
		{"telemetry: the stage around a tool's event spawned the run, it did not call the tool", enveloped("tool.started", `,"tool_name":"rm","action_id":"t"`),
			semconv.EventToolStarted, "r", "10:00:09", trace, everywhere, with(map[string]any{"gen_ai.tool.name": "rm", "gen_ai.tool.call.id": "t"}, aside),
			func(t *testing.T, e *Event) { assert.Empty(t, e.ToolStage()) }},
		{"telemetry: a trace id that is none", `{"type":"agent.completed","data":{"event_name":"agent.completed","event_version":"v1","pipeline_run_id":"r","trace_id":"unknown","turns":3}}`,
			semconv.EventAgentEnded, "r", "", "", map[string]any{"stageflow.run.id": "r"}, map[string]any{"stageflow.agent.turns": int64(3)}, nil},
		{"telemetry: a child's event, which has no envelope", `{"type":"pipeline.spawned_child","data":{"parent_run_id":"p","child_run_id":"r","parent_stage_id":"llm","pipeline_name":"inner","timestamp":"2026-03-22T10:00:01+00:00"}}`,
			semconv.EventChildStarted, "r", "10:00:01", "", map[string]any{"gen_ai.workflow.name": "inner"},
			map[string]any{"stageflow.run.id": "r", "stageflow.run.parent.id": "p", "stageflow.run.parent.stage": "llm"}, isChildOf("p")},

		{"backend: the run logger's extra arguments", `{"type":"pipeline.started","data":{"pipeline_run_id":"r","pipeline_name":"chat","topology":"chat","request_id":"http","session_id":"s","trace_id":"` + trace + `",
			"parent_run_id":"p","parent_stage_id":"tools","correlation_id":"c"}}`, semconv.EventRunStarted, "r", "", trace,
			map[string]any{"stageflow.run.id": "r", "gen_ai.workflow.name": "chat", "stageflow.run.topology": "chat", "stageflow.request.id": "http", "session.id": "s", "stageflow.correlation.id": "c"},
			map[string]any{"stageflow.run.parent.id": "p", "stageflow.run.parent.stage": "tools"}, nil},
		{"backend: cancelled is a status of completed", `{"type":"pipeline.completed","data":{"pipeline_run_id":"r","status":"cancelled","duration_ms":5,"trace_id":"of the application","stage_results":{"llm":{"kind":"transform"}}}}`,
			semconv.EventRunEnded, "r", "", "", map[string]any{"stageflow.run.id": "r"},
			map[string]any{"stageflow.run.status": "cancelled", "stageflow.run.duration_ms": 5.0, "stageflow.run.stage_results": map[string]any{"llm": map[string]any{"kind": "transform"}}},
			func(t *testing.T, e *Event) { assert.Equal(t, semconv.StatusCancelled, e.RunStatus()) }},
		{"backend: a tool's event names the call and the stage", `{"type":"tool.requested","data":{"tool_name":"search","action_id":null,"call_id":"c","pipeline_run_id":"r","request_id":"http","parent_stage_id":"agent","sequence":7,
			"emitted_at":"2026-04-09T10:00:01+00:00","arguments":{"q":"x"},"status":"requested"}}`, semconv.EventToolRequested, "r", "10:00:01", "",
			map[string]any{"stageflow.run.id": "r", "stageflow.request.id": "http"},
			map[string]any{"gen_ai.tool.name": "search", "gen_ai.tool.call.id": "c", "stageflow.stage.name": "agent", "stageflow.data.sequence": int64(7),
				"stageflow.data.arguments": map[string]any{"q": "x"}, "stageflow.data.status": "requested"},
			func(t *testing.T, e *Event) {
				assert.Equal(t, "agent", e.ToolStage())
				assert.Equal(t, "c", e.ToolID())
				assert.Empty(t, e.ActionID())
			}},
		{"backend: a tool's progress", `{"type":"tool.updated","data":{"tool":"search","call_id":"c","pipeline_run_id":"r","parent_stage_id":"agent","status":"updated","update":{"payload":{"n":1},"emitted_at":"2026-04-09T10:00:01+00:00"}}}`,
			semconv.EventToolUpdated, "r", "", "", map[string]any{"stageflow.run.id": "r"},
			map[string]any{"gen_ai.tool.name": "search", "gen_ai.tool.call.id": "c", "stageflow.stage.name": "agent", "stageflow.data.status": "updated",
				"stageflow.data.update": map[string]any{"payload": map[string]any{"n": int64(1)}, "emitted_at": "2026-04-09T10:00:01+00:00"}}, nil},
		{"backend: a tool that returned without success", `{"type":"tool.failed","data":{"tool_name":"search","call_id":"c","pipeline_run_id":"r","status":"failed","success":false,"error":"boom","data":null}}`,
			semconv.EventToolEnded, "r", "", "", map[string]any{"stageflow.run.id": "r"},
			map[string]any{"gen_ai.tool.name": "search", "gen_ai.tool.call.id": "c", "exception.message": "boom", "stageflow.data.status": "failed"}, isTool(semconv.StatusFailed)},
		{"backend: nobody knows the tool", `{"type":"tool.unresolved","data":{"tool_name":"x","call_id":"c","pipeline_run_id":"r","error":"no such tool","status":"unresolved"}}`,
			semconv.EventToolUnresolved, "r", "", "", map[string]any{"stageflow.run.id": "r"},
			map[string]any{"gen_ai.tool.name": "x", "gen_ai.tool.call.id": "c", "exception.message": "no such tool", "stageflow.data.status": "unresolved"}, isTool(semconv.StatusFailed)},
		{"backend: an agent's turn", `{"type":"agent.turn.started","data":{"pipeline_run_id":"r","turn":2,"tool_calling_mode":"native"}}`, semconv.EventAgentTurnStarted, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"stageflow.agent.turn": int64(2), "stageflow.data.tool_calling_mode": "native"}, nil},
		{"backend: an agent's tool was asked for", `{"type":"agent.tool.requested","data":{"pipeline_run_id":"r","tool":"search","call_id":"c"}}`, semconv.EventToolRequested, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"gen_ai.tool.name": "search", "gen_ai.tool.call.id": "c"}, isTool(semconv.StatusRunning)},
		{"backend: an agent's tool began", `{"type":"agent.tool.started","data":{"pipeline_run_id":"r","tool":"search","call_id":"c"}}`, semconv.EventToolStarted, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"gen_ai.tool.name": "search", "gen_ai.tool.call.id": "c"}, isTool(semconv.StatusRunning)},
		{"an agent's tool was executed", `{"type":"agent.tool.executed","data":{"pipeline_run_id":"r","tool":"search","call_id":"c","success":true}}`, semconv.EventToolEnded, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"gen_ai.tool.name": "search", "gen_ai.tool.call.id": "c"}, isTool(semconv.StatusCompleted)},
		{"backend: executed without success, with the text", `{"type":"agent.tool.executed","data":{"pipeline_run_id":"r","tool":"search","call_id":"c","success":false,"error":"boom"}}`, semconv.EventToolEnded, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"gen_ai.tool.name": "search", "gen_ai.tool.call.id": "c", "exception.message": "boom"}, isTool(semconv.StatusFailed)},
		{"backend: an agent's tool completed", `{"type":"agent.tool.completed","data":{"pipeline_run_id":"r","tool":"search","call_id":"c","success":true,"error":null}}`, semconv.EventToolEnded, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"gen_ai.tool.name": "search", "gen_ai.tool.call.id": "c"}, isTool(semconv.StatusCompleted)},
		{"backend: an agent's tool failed", `{"type":"agent.tool.failed","data":{"pipeline_run_id":"r","tool":"search","call_id":"c"}}`, semconv.EventToolEnded, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"gen_ai.tool.name": "search", "gen_ai.tool.call.id": "c"}, isTool(semconv.StatusFailed)},
		{"backend: an agent's tool is unknown", `{"type":"agent.tool.unresolved","data":{"pipeline_run_id":"r","tool":"search","call_id":"c"}}`, semconv.EventToolUnresolved, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"gen_ai.tool.name": "search", "gen_ai.tool.call.id": "c"}, isTool(semconv.StatusFailed)},

		{"rust: a stage's name is in the data", `{"type":"stage.started","data":{"stage":"llm","pipeline_run_id":"r","request_id":"http","execution_mode":"production","topology":"chat"}}`, semconv.EventStageStarted, "r", "", "",
			map[string]any{"stageflow.run.id": "r", "stageflow.request.id": "http", "stageflow.run.execution_mode": "production", "stageflow.run.topology": "chat"},
			map[string]any{"stageflow.stage.name": "llm"}, isStage("llm", semconv.StatusRunning)},
		{"rust: a stage completed", `{"type":"stage.completed","data":{"stage":"llm","pipeline_run_id":"r","duration_ms":1.5}}`, semconv.EventStageEnded, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"stageflow.stage.name": "llm", "stageflow.stage.duration_ms": 1.5}, isStage("llm", semconv.StatusCompleted)},
		{"rust: a stage failed", `{"type":"stage.failed","data":{"stage":"llm","pipeline_run_id":"r","error":"boom","duration_ms":1.5}}`, semconv.EventStageEnded, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"stageflow.stage.name": "llm", "stageflow.stage.duration_ms": 1.5, "exception.message": "boom"}, isStage("llm", semconv.StatusFailed)},
		{"rust: a stage skipped", `{"type":"stage.skipped","data":{"stage":"llm","pipeline_run_id":"r","reason":"cached"}}`, semconv.EventStageEnded, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"stageflow.stage.name": "llm", "stageflow.stage.reason": "cached"}, isStage("llm", semconv.StatusSkipped)},
		{"rust: a stage cancelled", `{"type":"stage.cancelled","data":{"stage":"llm","pipeline_run_id":"r","reason":"enough"}}`, semconv.EventStageEnded, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"stageflow.stage.name": "llm", "stageflow.stage.reason": "enough"}, isStage("llm", semconv.StatusCancelled)},
		{"rust: an event with its own time beside its data", `{"type":"stage.started","timestamp":"2026-04-01T10:00:01Z","data":{"stage":"llm"}}`, semconv.EventStageStarted, "", "10:00:01", "",
			nil, map[string]any{"stageflow.stage.name": "llm"}, nil},
		{"rust: a wide event with the words of the framework's core", `{"type":"stage.wide","data":{"pipeline_run_id":"r","stage":"llm","status":"cancel","started_at":"2026-04-01T10:00:01Z","ended_at":"2026-04-01T10:00:03Z","duration_ms":2000.5}}`,
			semconv.EventWideStage, "r", "10:00:03", "", map[string]any{"stageflow.run.id": "r"},
			map[string]any{"stageflow.stage.name": "llm", "stageflow.stage.status": "cancelled", "stageflow.stage.duration_ms": 2000.5}, isStage("llm", semconv.StatusCancelled)},
		{"rust: the run was cancelled by a stage", `{"type":"pipeline_cancelled","data":{"pipeline_run_id":"r","stage":"llm","reason":"enough"}}`, semconv.EventRunEnded, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"stageflow.run.failed_stage": "llm", "stageflow.run.reason": "enough"},
			func(t *testing.T, e *Event) {
				assert.Equal(t, semconv.StatusCancelled, e.RunStatus())
				assert.Equal(t, semconv.EndExplicit, e.EndKind())
			}},
		{"rust: the parent tells of its child under its own id", `{"type":"pipeline.spawned_child","data":{"pipeline_run_id":"p","child_run_id":"r","depth":1}}`, semconv.EventChildStarted, "r", "", "",
			nil, map[string]any{"stageflow.run.id": "r", "stageflow.run.parent.id": "p", "stageflow.data.depth": int64(1)}, isChildOf("p")},
		{"rust: a child completed", `{"type":"pipeline.child_completed","data":{"pipeline_run_id":"p","child_run_id":"r","duration_ms":1.5}}`, semconv.EventChildEnded, "r", "", "",
			nil, map[string]any{"stageflow.run.id": "r", "stageflow.run.parent.id": "p", "stageflow.run.duration_ms": 1.5}, isChildOf("p")},
		{"rust: a child failed, with error", `{"type":"pipeline.child_failed","data":{"pipeline_run_id":"p","child_run_id":"r","error":"boom"}}`, semconv.EventChildEnded, "r", "", "",
			nil, map[string]any{"stageflow.run.id": "r", "stageflow.run.parent.id": "p", "exception.message": "boom"}, isChildOf("p")},
		{"rust: a cancelled child is not its parent", `{"type":"pipeline.canceled","data":{"pipeline_run_id":"p","child_run_id":"r","reason":"Parent cancelled"}}`, semconv.EventRunCancelRequested, "r", "", "",
			nil, map[string]any{"stageflow.run.id": "r", "stageflow.run.parent.id": "p", "stageflow.run.reason": "Parent cancelled"}, isChildOf("p")},
		{"the framework: a cancelled run, which may be a child", `{"type":"pipeline.canceled","data":{"pipeline_run_id":"r","parent_run_id":"p","reason":"enough","cascade_depth":1}}`, semconv.EventRunCancelRequested, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"stageflow.run.parent.id": "p", "stageflow.run.reason": "enough", "stageflow.data.cascade_depth": int64(1)},
			func(t *testing.T, e *Event) { assert.False(t, e.OfChild()) }},
		{"rust: tool, not tool_name", `{"type":"tool.invoked","data":{"pipeline_run_id":"r","tool":"rm","action_id":"t"}}`, semconv.EventToolInvoked, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"gen_ai.tool.name": "rm", "gen_ai.tool.call.id": "t"}, isTool(semconv.StatusRunning)},
		{"rust: an approval's message", `{"type":"approval.requested","data":{"pipeline_run_id":"r","tool":"rm","message":"may I?"}}`, semconv.EventApprovalRequested, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"gen_ai.tool.name": "rm", "stageflow.approval.message": "may I?"}, nil},
		{"rust: approved", `{"type":"approval.decided","data":{"pipeline_run_id":"r","tool":"rm","approved":true}}`, semconv.EventApprovalDecided, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"gen_ai.tool.name": "rm"},
			func(t *testing.T, e *Event) { assert.Equal(t, "approved", e.ApprovalDecision()) }},
		{"rust: not approved", `{"type":"approval.decided","data":{"pipeline_run_id":"r","tool":"rm","approved":false}}`, semconv.EventApprovalDecided, "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"gen_ai.tool.name": "rm"}, isTool(semconv.StatusSkipped)},
		{"rust: idempotency", `{"type":"stage.idempotency_hit","data":{"pipeline_run_id":"r","stage":"llm","key":"k"}}`, "stageflow.stage.idempotency_hit", "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"stageflow.data.stage": "llm", "stageflow.data.key": "k"}, nil},
		{"rust: the size of the context", `{"type":"context.size_recorded","data":{"pipeline_run_id":"r","stage":"llm","size_bytes":9}}`, "stageflow.context.size_recorded", "r", "", "",
			map[string]any{"stageflow.run.id": "r"}, map[string]any{"stageflow.data.stage": "llm", "stageflow.data.size_bytes": int64(9)}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lr := decodeOne(t, []byte(strings.ReplaceAll(tt.line, "\n", " ")))
			e := open(lr)
			assert.Equal(t, tt.kind, e.Name)
			assert.Equal(t, tt.run, e.RunID())
			if tt.at == "" {
				assert.Zero(t, lr.Timestamp())
			} else {
				assert.Equal(t, tt.at, timeOfDay(lr.Timestamp()))
			}
			trace, parent := e.TraceContext()
			assert.True(t, parent.IsZero(), "a trace id tells no parent")
			if tt.trace == "" {
				assert.True(t, trace.IsZero())
			} else {
				assert.Equal(t, tt.trace, trace.String())
			}
			common, own := divided(e)
			assert.Equal(t, with(nil, tt.common), common.AsRaw())
			assert.Equal(t, with(nil, tt.own), own.AsRaw())
			if tt.more != nil {
				tt.more(t, e)
			}
		})
	}
}

// divided are the attributes that every event may tell and those of the event's kind.
func divided(e *Event) (common, own pcommon.Map) {
	common, own = pcommon.NewMap(), pcommon.NewMap()
	for _, told := range e.AppendTold(nil, true) {
		if told.Common {
			told.Value.PutIn(common, told.Key)
		} else {
			told.Value.PutIn(own, told.Key)
		}
	}
	return common, own
}

func timeOfDay(t pcommon.Timestamp) string { return t.AsTime().Format("15:04:05") }

func isAt(start, end string) func(*testing.T, *Event) {
	return func(t *testing.T, e *Event) {
		assert.Equal(t, start, timeOfDay(e.StartedAt()))
		assert.Equal(t, end, timeOfDay(e.EndedAt()))
	}
}

func isChildOf(parent string) func(*testing.T, *Event) {
	return func(t *testing.T, e *Event) { assert.Equal(t, parent, e.ParentRunID()) }
}

func isTool(status semconv.Status) func(*testing.T, *Event) {
	return func(t *testing.T, e *Event) { assert.Equal(t, status, e.ToolStatus()) }
}

func isStage(name string, status semconv.Status) func(*testing.T, *Event) {
	return func(t *testing.T, e *Event) {
		assert.Equal(t, name, e.StageName())
		assert.Equal(t, status, e.StageStatus())
	}
}

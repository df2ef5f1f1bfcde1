// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func callStarted(id string, ms float64, fields string) string {
	return ev("provider_call.started", ms, join(`"call_id":"`+id+`"`, fields))
}

// callEnded names no run, as the framework's do.
func callEnded(id string, ms float64, fields string) string {
	return ev("provider_call.ended", ms, join(`"pipeline_run_id":null,"call_id":"`+id+`"`, fields))
}

func TestCalls(t *testing.T) {
	done := ev("pipeline.completed", 20, "")
	const run = "run r completed explicit "
	a := stage("a", "started", 1, "") // open until 5
	aEnd := stage("a", "completed", 5, "")
	b, bEnd := stage("b", "started", 2, ""), stage("b", "completed", 6, "")
	for _, tt := range []streamTest{
		{"start and end, in either order", []string{callStarted("c", 2, ""), callEnded("c", 3, `"success":true`), done}, 0,
			[]string{run + "2..20", "call c completed 2..3 in run r"}},
		{"the latency puts the start earlier", []string{callStarted("c", 2, ""), callEnded("c", 3, `"success":true,"latency_ms":1.5`), done}, 0,
			[]string{run + "1.5..20", "call c completed 1.5..3 in run r"}},
		{"a negative latency", []string{callStarted("c", 2, ""), callEnded("c", 3, `"success":true,"latency_ms":-7`), done}, 0,
			[]string{run + "2..20", "call c completed 2..3 in run r"}},
		{"failed, by its flag or by its text", []string{callStarted("c", 2, ""), callEnded("c", 3, `"success":false`), callStarted("d", 2, ""), callEnded("d", 3, `"error":"boom"`), done}, 0,
			[]string{run + "2..20", "call c failed 2..3 in run r", "call d failed 2..3 in run r"}},
		{"a start alone", []string{callStarted("c", 2, ""), done}, 0, []string{run + "2..20", "call c abandoned 2..20 in run r"}},
		{"a start alone, after the end of the run", []string{callStarted("c", 22, ""), done}, 0, []string{run + "20..20", "call c abandoned 22..22 in run r"}},
		{"an end alone that names its run", []string{callEnded("c", 3, `"pipeline_run_id":"r","success":true,"latency_ms":2`), done}, 0,
			[]string{run + "1..20", "call c completed 1..3 in run r"}},
		{"an end alone that names none", []string{callEnded("c", 3, ""), done}, 0, []string{run + "20..20"}},
		{"an end before its start: clocks of two hosts", []string{callStarted("c", 4, ""), callEnded("c", 3, `"success":true`), done}, 0,
			[]string{run + "3..20", "call c completed 4..4 in run r"}},
		{"two ends: the later", []string{callStarted("c", 2, ""), callEnded("c", 3, `"success":true`), callEnded("c", 4, `"pipeline_run_id":"r","success":false`), done}, 0,
			[]string{run + "2..20", "call c failed 2..4 in run r"}},
		{"the nil id is no id", []string{callStarted("00000000-0000-0000-0000-000000000000", 2, ""), callEnded("00000000-0000-0000-0000-000000000000", 3, ""), done}, 0,
			[]string{run + "2..20"}},
		{"no id", []string{ev("provider_call.started", 2, `"call_id":null`), ev("provider_call.ended", 3, ""), done}, 0, []string{run + "2..20"}},
		{"an id that is a number", []string{ev("provider_call.started", 2, `"call_id":17`), ev("provider_call.ended", 3, `"pipeline_run_id":null,"call_id":17`), done}, 0,
			[]string{run + "2..20", "call 17 completed 2..3 in run r"}},
		{"made by the stage that was running", []string{a, callStarted("c", 2, ""), callEnded("c", 3, ""), aEnd, done}, 0,
			[]string{run + "1..20", "a#1 completed 1..5", "call c completed 2..3 in a#1"}},
		{"made when two were running", []string{a, b, callStarted("c", 3, ""), callEnded("c", 4, ""), aEnd, bEnd, done}, 0,
			[]string{run + "1..20", "a#1 completed 1..5", "b#1 completed 2..6", "call c completed 3..4 in run r"}},
		{"made by the one it names", []string{a, b, callStarted("c", 3, `"stage":"b"`), callEnded("c", 4, ""), aEnd, bEnd, done}, 0,
			[]string{run + "1..20", "a#1 completed 1..5", "b#1 completed 2..6", "call c completed 3..4 in b#1"}},
		{"made by the attempt it names, though it lies outside",
			[]string{stage("a", "started", 1, `"attempt":1`), stage("a", "failed", 2, `"attempt":1`), stage("a", "started", 4, `"attempt":2`), stage("a", "completed", 5, `"attempt":2`),
				callStarted("c", 4.5, `"stage":"a","stage_attempt":1`), callEnded("c", 5, ""), done}, 0,
			[]string{run + "1..20", "a#1 retried 1..2", "a#2 completed 4..5", "call c completed 4.5..5 in a#1"}},
		{"made by the only attempt of the stage it names, though it lies outside", []string{a, aEnd, callStarted("c", 0.9, `"stage":"a"`), callEnded("c", 4, ""), done}, 0,
			[]string{run + "0.9..20", "a#1 completed 1..5", "call c completed 0.9..4 in a#1"}},
		{"made by the attempt that was running, of several",
			[]string{a, stage("a", "failed", 5, ""), stage("a", "started", 6, ""), stage("a", "completed", 9, ""), callStarted("c", 7, `"stage":"a"`), callEnded("c", 8, ""), done}, 0,
			[]string{run + "1..20", "a#1 retried 1..5", "a#2 completed 6..9", "call c completed 7..8 in a#2"}},
		{"made by a stage that nobody else tells of", []string{a, aEnd, callStarted("c", 3, `"stage":"x"`), callEnded("c", 4, ""), done}, 0,
			[]string{run + "1..20", "a#1 completed 1..5", "call c completed 3..4 in run r"}},
		{"silence with a call open", []string{a, callStarted("c", 2, ""), aEnd}, 15 * time.Minute,
			[]string{"run r abandoned abandoned 1..5", "a#1 completed 1..5", "call c abandoned 2..5 in a#1"}},
	} {
		tt.run(t)
	}
}

// A sender that numbers its attempts gives its calls their parent, whoever sees the stage's own events.
func TestCallNamesItsParentWithoutTheStagesEvents(t *testing.T) {
	s := newStream(callStarted("c", 2, `"stage":"x","stage_attempt":4`), callEnded("c", 3, ""), ev("pipeline.completed", 5, ""))
	call := named(t, s.wait(time.Second), "call c")
	assert.EqualValues(t, semconv.StageSpanID("r", "x", 4), call.ParentSpanID())
	assert.Equal(t, "x", attr(call, semconv.StageNameKey))
	assert.Equal(t, "4", attr(call, semconv.StageAttemptKey))
}

func TestCallSpan(t *testing.T) {
	s := newStream(
		callStarted("c", 2, `"operation":"chat","provider":"openai","model_id":"gpt","user_id":"u","temperature":0.5`),
		callEnded("c", 3, `"success":false,"latency_ms":1,"error":"boom","error_type":"RateLimitError","http_status":429,"usage":{"prompt_tokens":7,"completion_tokens":8}`),
		ev("pipeline.completed", 5, ""))
	spans := s.wait(time.Second)
	call := named(t, spans, "call c")
	assert.Equal(t, "chat gpt", call.Name())
	assert.Equal(t, ptrace.SpanKindClient, call.Kind())
	assert.EqualValues(t, semconv.CallSpanID("r", "c"), call.SpanID())
	assert.Equal(t, ptrace.StatusCodeError, call.Status().Code())
	assert.Equal(t, "boom", call.Status().Message())
	got := call.Attributes().AsRaw()
	usage := got["stageflow.data.usage"]
	require.NotNil(t, usage)
	delete(got, "stageflow.data.usage")
	assert.Equal(t, map[string]any{
		"stageflow.run.id": "r", "stageflow.call.id": "c", "stageflow.call.status": "failed", "stageflow.call.latency_ms": 1.0,
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt",
		"gen_ai.usage.input_tokens": int64(7), "gen_ai.usage.output_tokens": int64(8),
		"error.type": "RateLimitError", "http.response.status_code": int64(429), "stageflow.data.temperature": 0.5,
	}, got)
	assert.Equal(t, ptrace.StatusCodeUnset, runSpan(t, spans, "r").Status().Code(), "a failed call fails no run")
}

// What has no room is counted, and the oldest go.
func TestOrphansAreBounded(t *testing.T) {
	s := newStream()
	for i := range maxOrphans + 3 {
		s.add(ev("provider_call.ended", 1, `"pipeline_run_id":null,"call_id":`+strconv.Itoa(i)))
	}
	assert.Equal(t, 3, s.Lost())
	assert.Zero(t, s.Active())
	s.add(ev("provider_call.started", 1, `"call_id":2`), ev("provider_call.started", 1, `"call_id":3`), ev("pipeline.completed", 2, ""))
	assert.ElementsMatch(t, []string{"run r completed explicit 1..2", "call 2 abandoned 1..2 in run r", "call 3 completed 1..1 in run r"}, told(s.wait(time.Second)))
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func TestAttempts(t *testing.T) {
	done := ev("pipeline.completed", 20, "")
	const run = "run r completed explicit "
	numbered := func(name, status string, ms float64, attempt string) string {
		return stage(name, status, ms, `"attempt":`+attempt)
	}
	for _, tt := range []streamTest{
		{"the run's wide event alone", []string{runWide("completed", 20, detail("a", "completed", 1, 2, ""), detail("b", "completed", 2, 4, ""))}, 0,
			[]string{run + "1..20", "a#1 completed 1..2", "b#1 completed 2..4"}},
		{"the run's wide event repeats the stages' own", []string{wide("a", "completed", 1, 2, ""), runWide("completed", 20, detail("a", "completed", 1, 2, ""))}, 0,
			[]string{run + "1..20", "a#1 completed 1..2"}},
		{"lifecycle and wide events of one attempt, 0.1 ms apart",
			[]string{stage("a", "started", 1.1, ""), stage("a", "completed", 2.1, ""), wide("a", "completed", 1, 2, ""), runWide("completed", 20, detail("a", "completed", 1, 2, ""))}, 0,
			[]string{run + "1..20", "a#1 completed 1..2"}},
		{"a guard's retries, 0.6 ms apart, are attempts",
			[]string{wide("a", "failed", 1, 1.4, ""), wide("a", "failed", 1.6, 2, ""), wide("a", "completed", 2.2, 2.6, ""), runWide("completed", 20, detail("a", "completed", 2.2, 2.6, ""))}, 0,
			[]string{run + "1..20", "a#1 retried 1..1.4", "a#2 retried 1.6..2", "a#3 completed 2.2..2.6"}},
		{"both accounts of attempts that follow at once",
			[]string{
				stage("a", "started", 1.05, ""), stage("a", "failed", 1.35, ""), wide("a", "failed", 1, 1.3, ""),
				stage("a", "started", 1.65, ""), stage("a", "completed", 1.95, ""), wide("a", "completed", 1.6, 1.9, ""), done}, 0,
			[]string{run + "1..20", "a#1 retried 1..1.3", "a#2 completed 1.6..1.9"}},
		{"the last attempt's failure is final", []string{wide("a", "failed", 1, 2, ""), wide("a", "failed", 3, 4, ""), done}, 0,
			[]string{run + "1..20", "a#1 retried 1..2", "a#2 failed 3..4"}},
		{"lifecycle attempts are paired in time",
			[]string{stage("a", "started", 1, ""), stage("a", "failed", 2, ""), stage("a", "started", 3, ""), stage("a", "completed", 4, ""), done}, 0,
			[]string{run + "1..20", "a#1 retried 1..2", "a#2 completed 3..4"}},
		{"numbers of the sender stay",
			[]string{numbered("a", "started", 1, "2"), numbered("a", "completed", 2, "2"), numbered("a", "started", 3, "7"), done}, 0,
			[]string{run + "1..20", "a#2 completed 1..2", "a#7 abandoned 3..20"}},
		{"numbers that are none", []string{numbered("a", "started", 1, "0"), numbered("a", "completed", 2, "-3"), stage("b", "completed", 3, `"attempt":"x"`), done}, 0,
			[]string{run + "1..20", "a#1 completed 1..2", "b#1 completed 3..3"}},
		{"a detail of a numbered attempt",
			[]string{numbered("a", "started", 1.05, "1"), numbered("a", "completed", 2, "1"), runWide("completed", 20, detail("a", "completed", 1, 2.1, ""))}, 0,
			[]string{run + "1..20", "a#1 completed 1..2.1"}},
		{"a detail belongs to the numbered attempt nearest to it",
			[]string{
				numbered("a", "started", 1, "1"), numbered("a", "failed", 1.4, "1"),
				numbered("a", "started", 1.6, "2"), numbered("a", "completed", 2, "2"),
				runWide("completed", 20, detail("a", "completed", 1.6, 2, ""))}, 0,
			[]string{run + "1..20", "a#1 retried 1..1.4", "a#2 completed 1.6..2"}},
		{"two numbered starts at one time, and a detail",
			[]string{numbered("a", "started", 1, "2"), numbered("a", "started", 1, "1"), runWide("completed", 20, detail("a", "completed", 1, 2, ""))}, 0,
			[]string{run + "1..20", "a#1 completed 1..2", "a#2 abandoned 1..20"}},
		{"attempts without a number take the free ones",
			[]string{numbered("a", "started", 1, "2"), numbered("a", "failed", 2, "2"), wide("a", "completed", 5, 6, ""), wide("a", "completed", 8, 9, ""), done}, 0,
			[]string{run + "1..20", "a#2 retried 1..2", "a#1 completed 5..6", "a#3 completed 8..9"}},
		{"told twice", []string{stage("a", "started", 1, ""), stage("a", "completed", 2, `"duration_ms":1`), stage("a", "completed", 2.5, ""), done}, 0,
			[]string{run + "1..20", "a#1 completed 1..2.5"}},
		{"the same event twice", []string{stage("a", "started", 1, ""), stage("a", "started", 1, ""), stage("a", "completed", 2, ""), stage("a", "completed", 2, ""), done}, 0,
			[]string{run + "1..20", "a#1 completed 1..2"}},
		{"contradictory ends: the worse stays", []string{stage("a", "started", 1, ""), stage("a", "failed", 2, ""), stage("a", "completed", 3, ""), done}, 0,
			[]string{run + "1..20", "a#1 failed 1..3"}},
		{"completed and then failed", []string{stage("a", "started", 1, ""), stage("a", "completed", 2, ""), stage("a", "failed", 3, ""), done}, 0,
			[]string{run + "1..20", "a#1 failed 1..3"}},
		{"an end without a start", []string{stage("a", "completed", 5, `"duration_ms":3`), stage("b", "failed", 6, ""), done}, 0,
			[]string{run + "2..20", "a#1 completed 2..5", "b#1 failed 6..6"}},
		{"a start without an end", []string{stage("a", "started", 5, ""), done}, 0,
			[]string{run + "5..20", "a#1 abandoned 5..20"}},
		{"a start after the run's end", []string{stage("a", "started", 25, ""), done}, 0,
			[]string{run + "20..20", "a#1 abandoned 25..25"}},
		{"a duration longer than all time", []string{stage("a", "completed", 5, `"duration_ms":9e12`), stage("b", "completed", 6, `"duration_ms":"3"`), done}, 0,
			[]string{run + "3..20", "a#1 completed 5..5", "b#1 completed 3..6"}},
		{"an end before its start", []string{wide("a", "completed", 5, 3, ""), done}, 0,
			[]string{run + "3..20", "a#1 completed 5..5"}},
		{"a detail without its end", []string{runWide("completed", 20, `{"stage":"a","status":"completed","started_at":"`+stamp(3)+`"}`)}, 0,
			[]string{run + "3..20", "a#1 completed 3..20"}},
		{"a detail without its end, but how long it took", []string{runWide("completed", 20, `{"stage":"a","status":"completed","started_at":"`+stamp(3)+`","duration_ms":4}`)}, 0,
			[]string{run + "3..20", "a#1 completed 3..7"}},
		{"a detail without any time", []string{runWide("completed", 20, `{"stage":"a","status":"failed"}`, `{"stage":"b","status":"completed","duration_ms":5}`)}, 0,
			[]string{run + "15..20", "a#1 failed 20..20", "b#1 completed 15..20"}},
		{"details that are none", []string{runWide("completed", 20, `null`, `3`, `"a"`, `[]`)}, 0, []string{run + "20..20"}},
		{"a wide event without its start, and the start event",
			[]string{stage("a", "started", 1, ""), ev("stage.wide", 3, `"stage":"a","status":"completed","ended_at":"`+stamp(3)+`","data_keys":[]`), done}, 0,
			[]string{run + "1..20", "a#1 completed 1..3"}},
		{"a skip", []string{wide("a", "completed", 1, 2, `"data_keys":["reason"]`), wide("b", "completed", 1, 2, `"data_keys":["reason","text"]`), done}, 0,
			[]string{run + "1..20", "a#1 skipped 1..2", "b#1 completed 1..2"}},
		{"a skip by its own event", []string{stage("a", "skipped", 2, `"reason":"no need"`), done}, 0, []string{run + "2..20", "a#1 skipped 2..2"}},
		{"a skip told by both", []string{stage("a", "skipped", 2.1, `"reason":"no need"`), wide("a", "completed", 1, 2, `"data_keys":["reason"]`), done}, 0,
			[]string{run + "1..20", "a#1 skipped 1..2"}},
		{"a cancel", []string{runWide("cancelled", 20, detail("a", "completed", 1, 2, `"data_keys":["cancel_reason"]`))}, 0,
			[]string{"run r cancelled explicit 1..20", "a#1 cancelled 1..2"}},
		{"a retry, on the recommended graph", []string{wide("a", "completed", 1, 2, `"error":"again please"`), done}, 0,
			[]string{run + "1..20", "a#1 retried 1..2"}},
		{"completed with a text, on the deprecated graph",
			[]string{stage("a", "started", 1, ""), stage("a", "completed", 2, ""), wide("a", "completed", 1, 2, `"error":"short-circuit"`), done}, 0,
			[]string{run + "1..20", "a#1 completed 1..2"}},
		{"stages of any name", []string{wide("", "completed", 1, 2, ""), wide("a.b c/ü", "completed", 1, 2, ""), done}, 0,
			[]string{run + "1..20", "#1 completed 1..2", "a.b c/ü#1 completed 1..2"}},
	} {
		tt.run(t)
	}
}

func TestRetriedAttemptsAreErrors(t *testing.T) {
	s := newStream(wide("a", "failed", 1, 2, `"error":"boom","error_type":"ValueError"`), wide("a", "completed", 3, 4, ""), runWide("completed", 5))
	spans := s.wait(time.Second)
	first, second := named(t, spans, "a#1"), named(t, spans, "a#2")
	assert.Equal(t, ptrace.StatusCodeError, first.Status().Code())
	assert.Equal(t, "boom", first.Status().Message())
	assert.Equal(t, "ValueError", attr(first, semconv.ErrorTypeKey))
	assert.Equal(t, ptrace.StatusCodeUnset, second.Status().Code())
}

func TestStageSpan(t *testing.T) {
	s := newStream(
		ev("stage.llm.started", 1, `"stage":"llm","kind":"agent","attempt":3,"colour":"red","user_id":42`),
		ev("stage.llm.completed", 2, `"stage":"llm","attempt":3,"duration_ms":1,"data_keys":["text"],"extra":{"n":1}`),
		ev("pipeline.completed", 3, `"pipeline_name":"chat","service":"svc"`))
	due := s.Due(s.now.Add(time.Second), false)
	td := Spans(due)
	require.Equal(t, 1, td.ResourceSpans().Len())
	assert.Equal(t, map[string]any{"service.name": "svc"}, td.ResourceSpans().At(0).Resource().Attributes().AsRaw())
	assert.Equal(t, semconv.ScopeName, td.ResourceSpans().At(0).ScopeSpans().At(0).Scope().Name())
	spans := flat(td)
	run, span := spans[0], spans[1]
	assert.Equal(t, "invoke_workflow chat", run.Name())
	assert.Equal(t, ptrace.SpanKindInternal, run.Kind())
	assert.Equal(t, "42", attr(run, semconv.UserIDKey), "an id that is a number")
	assert.Equal(t, "stage llm", span.Name())
	assert.Equal(t, run.SpanID(), span.ParentSpanID())
	assert.Equal(t, run.TraceID(), span.TraceID())
	assert.EqualValues(t, semconv.StageSpanID("r", "llm", 3), span.SpanID())
	assert.Equal(t, map[string]any{
		"stageflow.run.id": "r", "stageflow.stage.name": "llm", "stageflow.stage.kind": "agent", "stageflow.stage.status": "completed",
		"stageflow.stage.attempt": int64(3), "stageflow.stage.duration_ms": 1.0, "stageflow.stage.data_keys": []any{"text"},
		"stageflow.data.colour": "red", "stageflow.data.extra": map[string]any{"n": int64(1)},
	}, span.Attributes().AsRaw(), "every field that came in leaves")
}

// Times and duration come from one measurement: the lifecycle events are measured by another layer.
func TestTheDurationGoesWithTheTimes(t *testing.T) {
	s := newStream(stage("a", "started", 0, ""), wide("a", "failed", 1, 2, `"duration_ms":1`), stage("a", "failed", 3, `"duration_ms":3`), runWide("failed", 5))
	for _, span := range s.wait(time.Second) {
		if attr(span, semconv.StageNameKey) == "a" {
			assert.Equal(t, "1", attr(span, semconv.StageDurationKey))
		}
	}
}

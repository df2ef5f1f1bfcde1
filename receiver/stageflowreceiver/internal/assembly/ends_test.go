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

func TestEnds(t *testing.T) {
	const idle, abandon = 5 * time.Minute, 15 * time.Minute
	for _, tt := range []streamTest{
		{"explicit", []string{ev("pipeline.started", 1, ""), ev("pipeline.completed", 9, "")}, 0,
			[]string{"run r completed explicit 1..9"}},
		{"explicit beats what the parent says later",
			[]string{ev("pipeline.started", 1, ""), ev("pipeline.failed", 5, ""), ev("pipeline.child_completed", 9, `"child_run_id":"r"`)}, 0,
			[]string{"run r failed explicit 1..5"}},
		{"of two explicit ends the later holds",
			[]string{ev("pipeline.failed", 5, ""), ev("pipeline.completed", 6, "")}, 0,
			[]string{"run r completed explicit 5..6"}},
		{"of two at the same time failed holds",
			[]string{ev("pipeline.completed", 5, ""), ev("pipeline.failed", 5, ""), ev("pipeline.cancelled", 5, "")}, 0,
			[]string{"run r failed explicit 5..5"}},
		{"cancelled by the run logger's completed",
			[]string{ev("pipeline.completed", 5, `"status":"cancelled"`)}, 0,
			[]string{"run r cancelled explicit 5..5"}},
		{"a requested cancel and then completion",
			[]string{ev("pipeline.canceled", 3, `"reason":"user left"`), runWide("completed", 5)}, 0,
			[]string{"run r completed explicit 3..5"}},
		{"a requested cancel is the answer to silence",
			[]string{ev("pipeline.started", 1, ""), ev("pipeline.canceled", 3, `"reason":"user left"`)}, idle,
			[]string{"run r cancelled requested 1..3"}},
		{"silence with nothing open", []string{stage("a", "started", 1, ""), stage("a", "completed", 2, "")}, idle,
			[]string{"run r completed inferred 1..2", "a#1 completed 1..2"}},
		{"silence after a failed stage",
			[]string{stage("a", "started", 1, ""), stage("a", "failed", 2, ""), stage("b", "started", 2, ""), stage("b", "completed", 3, "")}, idle,
			[]string{"run r failed inferred 1..3", "a#1 failed 1..2", "b#1 completed 2..3"}},
		{"silence with a stage open",
			[]string{stage("a", "started", 1, ""), stage("b", "started", 2, ""), stage("b", "completed", 3, "")}, abandon,
			[]string{"run r abandoned abandoned 1..3", "a#1 abandoned 1..3", "b#1 completed 2..3"}},
		{"silence after the run's start", []string{ev("pipeline.started", 1, "")}, abandon,
			[]string{"run r abandoned abandoned 1..1"}},
		{"a run that says it runs has not ended", []string{runWide("running", 5, detail("a", "completed", 1, 2, ""))}, idle,
			[]string{"run r completed inferred 1..5", "a#1 completed 1..2"}},
		{"the duration tells the start", []string{ev("pipeline.completed", 100, `"duration_ms":60`)}, 0,
			[]string{"run r completed explicit 40..100"}},
		{"a stage began before the duration says",
			[]string{ev("pipeline.wide", 100, `"status":"completed","duration_ms":60,"stage_details":[`+detail("a", "completed", 30, 90, "")+`]`)}, 0,
			[]string{"run r completed explicit 30..100", "a#1 completed 30..90"}},
		{"no duration is negative: the end told before the start",
			[]string{ev("pipeline.started", 9, ""), ev("pipeline.completed", 1, `"duration_ms":-5`)}, 0,
			[]string{"run r completed explicit 1..1"}},
		{"durations beyond all reason",
			[]string{ev("pipeline.completed", 5, `"duration_ms":1e300`), ev("pipeline.failed", 6, `"duration_ms":1e15`)}, 0,
			[]string{"run r failed explicit 5..6"}},
	} {
		tt.run(t)
	}
}

func TestEarlierEndsAreListed(t *testing.T) {
	s := newStream(ev("pipeline.failed", 5, `"error":"first"`), ev("pipeline.cancelled", 6, ""), ev("pipeline.completed", 7, ""),
		ev("pipeline.completed", 7, ""), ev("pipeline.canceled", 8, ""))
	run := runSpan(t, s.wait(time.Second), "r")
	list, ok := run.Attributes().Get(semconv.RunEarlierEndsKey)
	require.True(t, ok)
	assert.Equal(t, []any{"cancelled " + stamp(6), "failed " + stamp(5), "cancelled " + stamp(8)}, list.Slice().AsRaw(), "strongest first, each once")
	assert.Equal(t, "5", attr(run, semconv.RunRevisionKey))
	assert.Equal(t, ptrace.StatusCodeUnset, run.Status().Code(), "the failure that lost leaves nothing behind")
	assert.Empty(t, run.Status().Message())
	assert.Empty(t, attr(run, semconv.ExceptionMessageKey))
}

func TestSilenceIsCountedFromTheLatestEvent(t *testing.T) {
	s := newStream(stage("a", "started", 1, ""))
	assert.Empty(t, s.wait(14*time.Minute))
	s.add(stage("b", "started", 2, ""))
	assert.Empty(t, s.wait(14*time.Minute))
	assert.Equal(t, 1, s.Active())
	s.add(stage("a", "completed", 3, ""), stage("b", "completed", 3, ""))
	assert.Empty(t, s.wait(5*time.Minute-1))
	assert.Len(t, s.wait(1), 3)
}

func TestRunThatEndedWaitsForStragglersFromItsFirstEnd(t *testing.T) {
	s := newStream(ev("pipeline.completed", 5, ""))
	assert.Empty(t, s.wait(900*time.Millisecond))
	s.add(wide("a", "completed", 1, 2, ""))
	assert.Equal(t, []string{"run r completed explicit 1..5", "a#1 completed 1..2"}, told(s.wait(100*time.Millisecond)), "stragglers do not put it off")
}

func TestEndedRunsLeaveAtOnceOnRequest(t *testing.T) {
	s := newStream(ev("pipeline.completed", 5, ""), ev("pipeline.started", 5, `"pipeline_run_id":"open"`), ev("pipeline.canceled", 5, `"pipeline_run_id":"asked"`))
	assert.Equal(t, []string{"run r completed explicit 5..5"}, told(flat(Spans(s.Due(s.now, true)))))
	assert.Equal(t, 2, s.Active())
}

// The cause of a failure is found wherever it is.
func TestCauseOfAFailedRun(t *testing.T) {
	for _, tt := range []struct {
		name                          string
		events                        []string
		message, stage, errorType, by string
	}{
		{"told by the end", []string{ev("pipeline.failed", 5, `"error":"boom","error_type":"ValueError","stage":"a","error_code":"X"`)}, "boom", "a", "ValueError", "X"},
		{"pipeline.failed, although the wide event came later",
			[]string{ev("pipeline.failed", 5, `"error":"boom","error_type":"ValueError","stage":"a","error_code":"X"`), runWide("failed", 6)}, "boom", "a", "ValueError", "X"},
		{"the first stage that failed",
			[]string{wide("b", "failed", 2, 4, `"error":"second"`), wide("a", "failed", 1, 3, `"error":"first","error_type":"E"`), runWide("failed", 6)}, "first", "a", "E", ""},
		{"the stage that the end names",
			[]string{wide("b", "failed", 2, 4, `"error":"second"`), wide("a", "failed", 1, 3, `"error":"first"`), ev("pipeline.failed", 6, `"stage":"b"`)}, "second", "b", semconv.ErrorTypeOther, ""},
		{"not one that was tried again",
			[]string{wide("a", "failed", 1, 2, `"error":"tried again"`), wide("a", "completed", 3, 4, ""), wide("b", "failed", 5, 6, `"error":"final"`), runWide("failed", 7)}, "final", "b", semconv.ErrorTypeOther, ""},
		{"the parent's word",
			[]string{runWide("failed", 6), ev("pipeline.child_failed", 7, `"child_run_id":"r","error_message":"told by the parent"`)}, "told by the parent", "", semconv.ErrorTypeOther, ""},
		{"nobody knows", []string{runWide("failed", 6)}, "", "", semconv.ErrorTypeOther, ""},
		{"not the cause of an end that was no failure",
			[]string{ev("pipeline.cancelled", 5, `"error":"left"`), runWide("failed", 6)}, "", "", semconv.ErrorTypeOther, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStream(tt.events...)
			run := runSpan(t, s.wait(time.Second), "r")
			assert.Equal(t, "failed", attr(run, semconv.RunStatusKey))
			assert.Equal(t, ptrace.StatusCodeError, run.Status().Code())
			assert.Equal(t, tt.message, run.Status().Message())
			assert.Equal(t, tt.stage, attr(run, semconv.RunFailedStageKey))
			assert.Equal(t, tt.errorType, attr(run, semconv.ErrorTypeKey))
			assert.Equal(t, tt.by, attr(run, semconv.ErrorCodeKey))
		})
	}
}

func TestAbandonedRunIsMarked(t *testing.T) {
	s := newStream(ev("pipeline.started", 1, ""), ev("provider_call.started", 2, `"call_id":"c"`))
	spans := s.wait(15 * time.Minute)
	for _, span := range spans {
		assert.Equal(t, ptrace.StatusCodeError, span.Status().Code())
		assert.Equal(t, "abandoned", attr(span, semconv.ErrorTypeKey))
		assert.Equal(t, semconv.ErrorCodeAbandoned, attr(span, semconv.ErrorCodeKey))
	}
	assert.Len(t, spans, 2)
}

func TestBoundOfRunsInFlight(t *testing.T) {
	set := testSettings
	set.MaxActive = 2
	s := newStream()
	s.Assembler = New(set)
	factsOf := func(lines ...string) []Fact {
		var facts Facts
		for _, lr := range decode(lines).All() {
			s.facts(&facts, lr, s.now)
		}
		return facts.List
	}
	one, two, three := ev("pipeline.started", 1, `"pipeline_run_id":"1"`), ev("pipeline.started", 1, `"pipeline_run_id":"2"`), ev("pipeline.started", 1, `"pipeline_run_id":"3"`)
	admit := func(facts []Fact) error {
		room, err := s.Admit(facts)
		s.Cancel(room)
		return err
	}
	require.ErrorIs(t, admit(factsOf(one, two, three)), ErrTooManyRuns)
	require.NoError(t, admit(factsOf(one, one, two)), "a run counts once")
	s.add(one, two)
	require.ErrorIs(t, admit(factsOf(three)), ErrTooManyRuns)
	require.ErrorIs(t, admit(factsOf(one, three)), ErrTooManyRuns)
	require.NoError(t, admit(factsOf(one, two)), "runs in flight go on")
	require.ErrorIs(t, admit(factsOf(ev("pipeline.spawned_child", 1, `"parent_run_id":"2","child_run_id":"4"`))), ErrTooManyRuns)
	require.NoError(t, admit(factsOf(ev("provider_call.ended", 1, `"pipeline_run_id":null,"call_id":"c"`))), "what belongs to no run yet needs no room")
	s.add(ev("pipeline.completed", 2, `"pipeline_run_id":"1"`))
	s.wait(time.Second)
	require.NoError(t, admit(factsOf(three)), "a run that settled makes room")
}

// What one way of telling the end does not have, another may.
func TestOneEndCompletesAnother(t *testing.T) {
	s := newStream(ev("pipeline.wide", 5, `"status":"failed","duration_ms":5`), ev("pipeline.failed", 6, `"error":"429 rate limited","stage":"llm"`))
	assert.Equal(t, "5", attr(s.wait(time.Second)[0], semconv.RunDurationKey))

	s = newStream(ev("pipeline.canceled", 5, `"reason":"user hung up"`), ev("pipeline.wide", 6, `"status":"cancelled"`))
	assert.Equal(t, "user hung up", attr(s.wait(time.Second)[0], semconv.RunReasonKey))

	s = newStream(ev("pipeline.canceled", 5, `"reason":"user hung up"`), ev("pipeline.wide", 6, `"status":"completed"`))
	assert.Empty(t, attr(s.wait(time.Second)[0], semconv.RunReasonKey), "it was not cancelled after all")
}

// Room that was kept is nobody else's until it is used or given back, so requests at one time do not take it twice.
func TestRoomIsKept(t *testing.T) {
	s := newStream()
	s.set.MaxActive = 2
	fact := func(id string) []Fact { return []Fact{{RunID: id}} }
	first, err := s.Admit(fact("1"))
	require.NoError(t, err)
	second, err := s.Admit(fact("2"))
	require.NoError(t, err)
	_, err = s.Admit(fact("3"))
	require.ErrorIs(t, err, ErrTooManyRuns)
	s.Add(fact("1"), first, s.now, 0)
	_, err = s.Admit(fact("3"))
	require.ErrorIs(t, err, ErrTooManyRuns)
	s.Cancel(second)
	third, err := s.Admit(fact("3"))
	require.NoError(t, err)
	s.Add(fact("3"), third, s.now, 0)
	assert.Equal(t, 2, s.Active())
}

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

// settled is a run that has left: the stage a was tried twice, the stage b once.
func settledStream(t *testing.T, end string) *stream {
	s := newStream(
		wide("a", "failed", 1, 1.4, `"service":"svc"`), wide("a", "completed", 2, 4, `"service":"svc"`),
		stage("b", "started", 5, `"service":"svc","attempt":1`), stage("b", "completed", 7, `"service":"svc","attempt":1`), end)
	require.Len(t, s.wait(5*time.Minute), 4)
	return s
}

func TestStragglers(t *testing.T) {
	for _, tt := range []struct {
		name string
		late []string
		want []string
	}{
		{"nothing new", []string{wide("a", "completed", 2, 4, "")}, nil},
		{"a detail of what has left", []string{runWide("completed", 20, detail("a", "completed", 2, 4, ""))}, nil},
		{"a stage that was missing", []string{wide("c", "completed", 8, 9, "")}, []string{"c#1 completed 8..9"}},
		{"an attempt that was missing", []string{wide("a", "completed", 8, 9, "")}, []string{"a#3 completed 8..9"}},
		{"a guard's retry that was missing", []string{wide("a", "failed", 1.6, 1.9, "")}, []string{"a#3 retried 1.6..1.9"}},
		{"lifecycle events of an attempt that was missing", []string{stage("a", "started", 8, ""), stage("a", "completed", 9, "")}, []string{"a#3 completed 8..9"}},
		{"a numbered attempt that was missing", []string{stage("b", "started", 8, `"attempt":2`), stage("b", "completed", 9, `"attempt":2`)}, []string{"b#2 completed 8..9"}},
		{"an end told again", []string{stage("b", "completed", 7, "")}, nil},
		{"a call in a stage that has left", []string{callStarted("c", 6, ""), callEnded("c", 6.5, "")}, []string{"call c completed 6..6.5 in ?"}},
		{"a weaker end", []string{ev("pipeline.canceled", 30, "")}, nil},
		{"the parent's word", []string{ev("pipeline.child_failed", 30, `"child_run_id":"r"`)}, nil},
		{"an end as strong", []string{ev("pipeline.failed", 30, "")}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := settledStream(t, ev("pipeline.completed", 10, ""))
			s.add(tt.late...)
			assert.Equal(t, 1, s.Active())
			assert.Empty(t, s.wait(time.Second-1), "it waits for its siblings")
			spans := s.wait(1)
			assert.ElementsMatch(t, tt.want, told(spans))
			for _, span := range spans {
				assert.EqualValues(t, semconv.RunTraceID("r"), span.TraceID())
			}
			assert.Zero(t, s.Active())
			// Once more: it has left now.
			s.add(tt.late...)
			for _, span := range s.wait(time.Second) {
				assert.Equal(t, ptrace.SpanKindClient, span.Kind(), "only calls are not remembered: %s", nameOfSpan(span))
			}
		})
	}
}

func TestStragglersGoUnderTheirStageAndService(t *testing.T) {
	s := settledStream(t, ev("pipeline.completed", 10, ""))
	s.add(callStarted("in a", 3, ""), callStarted("in the first a", 1.2, ""), callStarted("named", 20, `"stage":"b","stage_attempt":1`),
		callStarted("by name", 20, `"stage":"b"`), callStarted("nowhere", 20, ""))
	due := s.Due(s.now.Add(time.Second), false)
	td := Spans(due)
	require.Equal(t, 1, td.ResourceSpans().Len())
	service, _ := td.ResourceSpans().At(0).Resource().Attributes().Get(semconv.ServiceNameKey)
	assert.Equal(t, "svc", service.Str(), "the late events name no service, the run had one")
	spans := flat(td)
	for name, parent := range map[string]semconv.SpanID{
		"call in a":           semconv.StageSpanID("r", "a", 2),
		"call in the first a": semconv.StageSpanID("r", "a", 1),
		"call named":          semconv.StageSpanID("r", "b", 1),
		"call by name":        semconv.StageSpanID("r", "b", 1),
		"call nowhere":        semconv.RunSpanID("r"),
	} {
		assert.EqualValues(t, parent, named(t, spans, name).ParentSpanID(), name)
	}
}

// A stage that was open when its run left is sent again when its end comes: same id, now with its end.
func TestStageThatWasOpenEndsLate(t *testing.T) {
	s := newStream(stage("a", "started", 1, ""), ev("pipeline.completed", 10, ""))
	assert.Equal(t, []string{"run r completed explicit 1..10", "a#1 abandoned 1..10"}, told(s.wait(time.Second)))
	s.add(stage("a", "failed", 12, `"error":"boom"`))
	assert.Equal(t, []string{"a#1 failed 1..12"}, told(s.wait(time.Second)))
	s.add(stage("a", "failed", 12, `"error":"boom"`))
	assert.Empty(t, s.wait(time.Second))
}

func TestStrongerEndSendsTheRunAgain(t *testing.T) {
	s := newStream(
		wide("a", "failed", 1, 2, `"user_id":"u","service":"svc","error":"boom"`),
		ev("pipeline.spawned_child", 0.5, `"parent_run_id":"p","child_run_id":"r","parent_stage_id":"s"`))
	first := runSpan(t, s.wait(5*time.Minute), "r")
	assert.Equal(t, "failed", attr(first, semconv.RunStatusKey))
	assert.Equal(t, "2", attr(first, semconv.RunRevisionKey))

	s.add(ev("pipeline.child_failed", 8, `"parent_run_id":"p","child_run_id":"r"`))
	spans := s.wait(time.Second)
	assert.Equal(t, []string{"run r failed parent 0.5..8"}, told(spans))
	assert.Equal(t, "4", attr(spans[0], semconv.RunRevisionKey))
	assert.Equal(t, "boom", spans[0].Status().Message(), "the cause is still the stage's")
	assert.Equal(t, "a", attr(spans[0], semconv.RunFailedStageKey))

	s.add(ev("pipeline.completed", 9, `"pipeline_name":"chat"`))
	due := s.Due(s.now.Add(time.Second), false)
	td := Spans(due)
	service, _ := td.ResourceSpans().At(0).Resource().Attributes().Get(semconv.ServiceNameKey)
	assert.Equal(t, "svc", service.Str())
	spans = flat(td)
	assert.Equal(t, []string{"run r completed explicit 0.5..9"}, told(spans))
	again := spans[0]
	assert.Equal(t, "5", attr(again, semconv.RunRevisionKey))
	assert.Equal(t, first.SpanID(), again.SpanID())
	assert.Equal(t, first.TraceID(), again.TraceID())
	assert.Equal(t, "u", attr(again, semconv.UserIDKey), "what the first said stays")
	assert.Equal(t, "p", attr(again, semconv.RunParentIDKey))
	assert.Equal(t, "s", attr(again, semconv.RunParentStageKey))
	assert.Equal(t, first.Links().Len(), again.Links().Len())
	require.Equal(t, 1, again.Links().Len())
	assert.EqualValues(t, semconv.RunTraceID("p"), again.Links().At(0).TraceID())
	assert.Equal(t, ptrace.StatusCodeUnset, again.Status().Code())
	assert.Empty(t, attr(again, semconv.RunFailedStageKey))

	s.add(ev("pipeline.failed", 20, ""), ev("pipeline.canceled", 20, ""))
	assert.Empty(t, s.wait(time.Second), "never again")
}

// A trace context that comes after the spans have left cannot move them: it becomes a link.
func TestLateContextBecomesALink(t *testing.T) {
	s := newStream(wide("a", "completed", 1, 2, ""))
	first := runSpan(t, s.wait(5*time.Minute), "r")
	s.add(under("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ev("pipeline.completed", 9, "")))
	again := runSpan(t, s.wait(time.Second), "r")
	assert.Equal(t, first.TraceID(), again.TraceID())
	assert.Equal(t, first.ParentSpanID(), again.ParentSpanID())
	assert.Equal(t, first.Kind(), again.Kind())
	require.Equal(t, 1, again.Links().Len())
	assert.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", again.Links().At(0).TraceID().String())
	assert.Equal(t, "00f067aa0ba902b7", again.Links().At(0).SpanID().String())
}

func TestLateParentBecomesALink(t *testing.T) {
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"
	s := newStream(under(trace, wide("a", "completed", 1, 2, "")))
	first := runSpan(t, s.wait(5*time.Minute), "r")
	s.add(under(trace, ev("pipeline.started", 8, `"pipeline_run_id":"p"`)), ev("pipeline.child_completed", 9, `"parent_run_id":"p","child_run_id":"r"`))
	again := runSpan(t, s.wait(time.Second), "r")
	assert.Equal(t, first.ParentSpanID(), again.ParentSpanID())
	require.Equal(t, 1, again.Links().Len())
	assert.EqualValues(t, semconv.RunSpanID("p"), again.Links().At(0).SpanID())
	id, _ := again.Links().At(0).Attributes().Get(semconv.RunIDKey)
	assert.Equal(t, "p", id.Str())
	assert.Equal(t, "p", attr(again, semconv.RunParentIDKey))
}

func TestContextStaysWithTheRunSentAgain(t *testing.T) {
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	s := newStream(under(trace, wide("a", "completed", 1, 2, "")))
	first := runSpan(t, s.wait(5*time.Minute), "r")
	s.add(ev("pipeline.completed", 9, ""))
	again := runSpan(t, s.wait(time.Second), "r")
	assert.Equal(t, "00f067aa0ba902b7", again.ParentSpanID().String())
	assert.Equal(t, first.Kind(), again.Kind())
	assert.Zero(t, again.Links().Len())
	s = newStream(under(trace, wide("a", "completed", 1, 2, "")))
	s.wait(5 * time.Minute)
	s.add(under(trace, ev("pipeline.completed", 9, "")))
	assert.Zero(t, runSpan(t, s.wait(time.Second), "r").Links().Len(), "the same context is no news")
}

func TestSettledRunsAreForgotten(t *testing.T) {
	s := settledStream(t, ev("pipeline.completed", 10, ""))
	s.now = s.now.Add(10 * time.Minute)
	assert.Empty(t, s.wait(0))
	s.add(ev("pipeline.cancelled", 20, ""))
	assert.Equal(t, []string{"run r cancelled explicit 20..20"}, told(s.wait(time.Second)), "nobody knows it any more")

	set := testSettings
	set.MaxActive = 1
	s = newStream()
	s.Assembler = New(set)
	s.add(ev("pipeline.completed", 1, ""))
	s.wait(time.Second)
	s.add(ev("pipeline.completed", 1, `"pipeline_run_id":"q"`))
	s.wait(time.Second)
	s.add(wide("a", "completed", 1, 2, `"pipeline_run_id":"q"`))
	assert.Equal(t, []string{"a#1 completed 1..2"}, told(s.wait(time.Second)), "as many are remembered as may be in flight")
	s.add(ev("pipeline.failed", 1, ""))
	assert.Len(t, s.wait(time.Second), 1, "the oldest are forgotten first")
}

// A batch may hold runs that have nothing to say: they leave no empty resource behind.
func TestNoEmptyResources(t *testing.T) {
	s := settledStream(t, ev("pipeline.completed", 10, ""))
	s.add(stage("b", "completed", 7, ""), ev("pipeline.completed", 1, `"pipeline_run_id":"q","service":"other"`))
	td := Spans(s.Due(s.now.Add(time.Second), false))
	assert.Equal(t, 1, td.ResourceSpans().Len())
	assert.Equal(t, 1, td.SpanCount())
}

// A run id that is used again while its run is in flight is one run: the stages of the second time are further
// attempts, the end is the last one.
func TestRunIDUsedAgainInFlight(t *testing.T) {
	streamTest{
		name: "twice",
		events: []string{
			ev("pipeline.started", 1, ""), stage("a", "started", 2, ""), stage("a", "completed", 3, ""), ev("pipeline.completed", 4, ""),
			ev("pipeline.started", 11, ""), stage("a", "started", 12, ""), stage("a", "failed", 13, ""), ev("pipeline.failed", 14, ""),
		},
		want: []string{"run r failed explicit 1..14", "a#1 completed 2..3", "a#2 failed 12..13"},
	}.run(t)
}

// Once the run has settled its span stays; the second time's stages go on counting. The log records tell the rest.
func TestRunIDUsedAgainAfterSettle(t *testing.T) {
	s := newStream(ev("pipeline.started", 1, ""), stage("a", "started", 2, ""), stage("a", "completed", 3, ""), ev("pipeline.completed", 4, ""))
	assert.ElementsMatch(t, []string{"run r completed explicit 1..4", "a#1 completed 2..3"}, told(s.wait(time.Second)))
	s.add(ev("pipeline.started", 11, ""), stage("a", "started", 12, ""), stage("a", "failed", 13, ""), ev("pipeline.failed", 14, ""))
	assert.Equal(t, []string{"a#2 failed 12..13"}, told(s.wait(time.Second)))
	assert.Zero(t, s.Active())

	// Longer ago than anybody remembers, it is a run of its own, with the same ids.
	s.now = s.now.Add(time.Hour)
	s.wait(time.Second)
	s.add(ev("pipeline.started", 21, ""), ev("pipeline.completed", 24, ""))
	assert.Equal(t, []string{"run r completed explicit 21..24"}, told(s.wait(time.Second)))
}

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

// A grandchild hangs where its own parent is, whether that was seen before it, after it or never.
func TestGrandchildren(t *testing.T) {
	spawned := func(parent, child string, ms float64) string {
		return ev("pipeline.spawned_child", ms, `"parent_run_id":"`+parent+`","child_run_id":"`+child+`","parent_stage_id":"tools","pipeline_name":"`+child+`"`)
	}
	over := func(id string, ms float64) string { return ev("pipeline.completed", ms, `"pipeline_run_id":"`+id+`"`) }
	inTrace := func(line string) string { return under(traceparent(traceA, none), line) }
	for _, tt := range []struct {
		name   string
		events [][]string // by request; after each, what is over leaves
		// below are the runs that are child spans of their parents, linked those that are linked to them.
		below, linked map[string]string
	}{
		{"all at once", [][]string{{spawned("p", "c", 1), spawned("c", "g", 2), over("g", 3), over("c", 4), over("p", 5)}},
			nil, map[string]string{"c": "p", "g": "c"}},
		{"all at once, in one trace", [][]string{{inTrace(spawned("p", "c", 1)), inTrace(spawned("c", "g", 2)), inTrace(over("g", 3)), inTrace(over("c", 4)), inTrace(over("p", 5))}},
			map[string]string{"c": "p", "g": "c"}, nil},
		{"its parent after it", [][]string{{spawned("c", "g", 2), over("g", 3)}, {spawned("p", "c", 1), over("c", 4)}, {over("p", 5)}},
			nil, map[string]string{"c": "p", "g": "c"}},
		{"its parent after it, in one trace that is known only then", [][]string{{inTrace(spawned("c", "g", 2)), inTrace(over("g", 3))}, {inTrace(spawned("p", "c", 1)), inTrace(over("c", 4))}, {inTrace(over("p", 5))}},
			nil, map[string]string{"c": "p", "g": "c"}},
		{"its grandparent never", [][]string{{spawned("c", "g", 2), over("g", 3), over("c", 4)}}, nil, map[string]string{"g": "c"}},
		{"its parent never, but by its parent's word", [][]string{{spawned("c", "g", 2), over("g", 3)}}, nil, map[string]string{"g": "c"}},
		{"nobody told of its parent", [][]string{{over("g", 3)}}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStream()
			runs := map[string]ptrace.Span{}
			collect := func(spans []ptrace.Span) {
				for _, span := range spans {
					id := attr(span, semconv.RunIDKey)
					assert.NotContains(t, runs, id, "one span per run")
					runs[id] = span
				}
			}
			for _, request := range tt.events {
				s.add(request...)
				collect(s.wait(time.Second))
			}
			collect(s.wait(5 * time.Minute))
			assert.Zero(t, s.Active())
			for id, run := range runs {
				switch parent := tt.below[id]; {
				case parent != "":
					assert.EqualValues(t, semconv.RunSpanID(parent), run.ParentSpanID(), id)
					assert.Equal(t, runs[parent].TraceID(), run.TraceID(), id)
					assert.Zero(t, run.Links().Len(), id)
				case tt.linked[id] != "":
					assert.True(t, run.ParentSpanID().IsEmpty(), id)
					require.Equal(t, 1, run.Links().Len(), id)
					assert.EqualValues(t, semconv.RunSpanID(tt.linked[id]), run.Links().At(0).SpanID(), id)
				default:
					assert.True(t, run.ParentSpanID().IsEmpty(), id)
					assert.Zero(t, run.Links().Len(), id)
				}
			}
		})
	}
}

// When a stage fails, the framework lets its siblings run on although the run is over (catalogue 3.15).
func TestOrphanedSiblings(t *testing.T) {
	failed := []string{
		stage("b", "started", 1, `"service":"svc"`), stage("a", "started", 1, `"service":"svc"`), stage("a", "failed", 2, `"error":"boom"`),
		ev("pipeline.failed", 3, `"stage":"a"`),
	}
	s := newStream(failed...)
	first := s.wait(time.Second)
	assert.ElementsMatch(t, []string{"run r failed explicit 1..3", "a#1 failed 1..2", "b#1 abandoned 1..3"}, told(first))

	s.add(stage("b", "completed", 30, ""), wide("c", "completed", 4, 40, ""))
	td := Spans(s.Due(s.now.Add(time.Second), false))
	require.Equal(t, 1, td.ResourceSpans().Len())
	service, _ := td.ResourceSpans().At(0).Resource().Attributes().Get(semconv.ServiceNameKey)
	assert.Equal(t, "svc", service.Str())
	late := flat(td)
	assert.ElementsMatch(t, []string{"b#1 completed 1..30", "c#1 completed 4..40"}, told(late), "the run does not leave again")
	for _, span := range late {
		assert.Equal(t, runSpan(t, first, "r").SpanID(), span.ParentSpanID())
		assert.Equal(t, first[0].TraceID(), span.TraceID())
		assert.Equal(t, ptrace.StatusCodeUnset, span.Status().Code())
	}
	assert.Equal(t, named(t, first, "b#1").SpanID(), named(t, late, "b#1").SpanID())

	// A call that the orphan made goes under it.
	s.add(callStarted("d", 10, ""), callEnded("d", 11, `"success":true`))
	assert.EqualValues(t, semconv.RunSpanID("r"), named(t, s.wait(time.Second), "call d").ParentSpanID(), "b and c were running: nothing tells which")
	s.add(callStarted("e", 10, `"stage":"b"`), callEnded("e", 11, `"success":true`))
	assert.EqualValues(t, semconv.StageSpanID("r", "b", 1), named(t, s.wait(time.Second), "call e").ParentSpanID())
}

// An approval may be all that is heard of a tool call.
func TestApprovalsOnTheirOwn(t *testing.T) {
	done := ev("pipeline.completed", 20, "")
	requested := toolEvent("approval.requested", "t", 2, `"request_id":"ap","approval_message":"may I?"`)
	decided := func(word string) string {
		return toolEvent("approval.decided", "t", 6, `"request_id":"ap","decision":"`+word+`"`)
	}
	const run = "run r completed explicit 2..20"
	for _, tt := range []streamTest{
		{"requested", []string{requested, done}, 0, []string{run, "tool t abandoned 2..20 in run r"}},
		{"denied", []string{requested, decided("denied"), done}, 0, []string{run, "tool t skipped 2..6 in run r"}},
		{"approved", []string{requested, decided("approved"), done}, 0, []string{run, "tool t abandoned 2..20 in run r"}},
		{"a request that nobody answers holds its run open", []string{requested}, 15 * time.Minute, []string{"run r abandoned abandoned 2..2", "tool t abandoned 2..2 in run r"}},
		{"a denial holds none", []string{requested, decided("denied")}, 5 * time.Minute, []string{"run r completed inferred 2..6", "tool t skipped 2..6 in run r"}},
		{"without a call", []string{ev("approval.requested", 2, `"request_id":"ap","tool_name":"x"`), ev("approval.decided", 6, `"request_id":"ap","tool_name":"x","decision":"denied"`), done}, 0, []string{run}},
	} {
		tt.run(t)
	}
	s := newStream(requested, decided("denied"), done)
	span := named(t, s.wait(time.Second), "tool t")
	assert.Equal(t, "approval_denied", attr(span, semconv.ToolReasonKey))
	assert.Equal(t, ptrace.StatusCodeUnset, span.Status().Code())
	assert.Len(t, notesOf(span), 2)
}

// The no-op logger gives every call the nil id: such calls are nobody's, and join nothing to nothing.
func TestNilCallIDs(t *testing.T) {
	const nilID = "00000000-0000-0000-0000-000000000000"
	s := newStream(
		callStarted(nilID, 1, `"pipeline_run_id":"q"`), callStarted(nilID, 2, ""), callEnded(nilID, 3, `"success":true`), callEnded(nilID, 4, `"success":false`),
		ev("pipeline.completed", 5, `"pipeline_run_id":"q"`), ev("pipeline.completed", 6, ""))
	spans := s.wait(time.Second)
	assert.ElementsMatch(t, []string{"run q completed explicit 1..5", "run r completed explicit 2..6"}, told(spans))
	assert.Zero(t, s.Active())
	assert.Zero(t, s.Lost())
}

// A call that does not return holds its run open; the run's end does not wait for it, and when it returns after all, its
// span is there once more, complete.
func TestHungCall(t *testing.T) {
	s := newStream(stage("a", "started", 1, ""), callStarted("c", 2, ""), stage("a", "completed", 9, ""))
	assert.Empty(t, s.wait(15*time.Minute-1), "silence alone does not end a run with a call open")
	assert.ElementsMatch(t, []string{"run r abandoned abandoned 1..9", "a#1 completed 1..9", "call c abandoned 2..9 in a#1"}, told(s.wait(1)))

	s = newStream(stage("a", "started", 1, ""), callStarted("c", 2, `"provider":"openai"`), stage("a", "completed", 9, ""), ev("pipeline.completed", 10, ""))
	first := s.wait(time.Second)
	assert.ElementsMatch(t, []string{"run r completed explicit 1..10", "a#1 completed 1..9", "call c abandoned 2..10 in a#1"}, told(first))
	hung := named(t, first, "call c")
	assert.Equal(t, semconv.ErrorCodeAbandoned, attr(hung, semconv.ErrorCodeKey))
	assert.Equal(t, ptrace.StatusCodeUnset, runSpan(t, first, "r").Status().Code())

	s.add(callEnded("c", 60_000, `"success":true,"latency_ms":59998`))
	returned := s.wait(time.Second)
	assert.Equal(t, []string{"call c completed 2..60000 in ?"}, told(returned))
	assert.Equal(t, hung.SpanID(), returned[0].SpanID())
	assert.Equal(t, hung.TraceID(), returned[0].TraceID())
	assert.Equal(t, hung.ParentSpanID(), returned[0].ParentSpanID())
}

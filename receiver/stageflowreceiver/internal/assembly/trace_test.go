// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const (
	traceA = "0af7651916cd43dd8448eb211c80319c"
	traceB = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanA  = "b7ad6b7169203331"
	spanB  = "00f067aa0ba902b7"
	none   = "0000000000000000"
)

func traceparent(trace, span string) string { return "00-" + trace + "-" + span + "-01" }

func TestTraceOfARun(t *testing.T) {
	const uuid = "1b72f6fd-e296-5134-a2c5-95a1a46b6ebd"
	derived := semconv.RunTraceID("r").String()
	for _, tt := range []struct {
		name          string
		events        []string
		trace, parent string
	}{
		{"none: from the id", []string{ev("pipeline.started", 1, ""), ev("pipeline.completed", 2, "")}, derived, ""},
		{"from a traceparent", []string{under(traceparent(traceA, spanA), ev("pipeline.started", 1, "")), under(traceparent(traceA, spanA), ev("pipeline.completed", 2, ""))}, traceA, spanA},
		{"from one event of many", []string{ev("pipeline.started", 1, ""), under(traceparent(traceA, spanA), wide("a", "completed", 1, 2, "")), ev("pipeline.completed", 2, "")}, traceA, spanA},
		{"from the data", []string{ev("pipeline.completed", 2, `"traceparent":"`+traceparent(traceA, spanA)+`"`)}, traceA, spanA},
		{"a zero span id keeps the trace", []string{under(traceparent(traceA, none), ev("pipeline.completed", 2, ""))}, traceA, ""},
		{"an invalid one counts for nothing", []string{under("00-xyz", ev("pipeline.completed", 2, ""))}, derived, ""},
		{"a zero trace id counts for nothing", []string{under(traceparent("00000000000000000000000000000000", spanA), ev("pipeline.completed", 2, ""))}, derived, ""},
		{"disagreeing: the start's", []string{under(traceparent(traceA, spanA), wide("a", "completed", 0, 2, "")), under(traceparent(traceB, spanB), ev("pipeline.started", 1, "")), under(traceparent(traceA, spanA), ev("pipeline.completed", 2, ""))}, traceB, spanB},
		{"disagreeing without a start: the smallest", []string{under(traceparent(traceB, spanA), wide("a", "completed", 0, 2, "")), under(traceparent(traceA, spanB), ev("pipeline.completed", 2, ""))}, traceA, spanB},
		{"two starts that disagree: the smallest", []string{under(traceparent(traceB, spanA), ev("pipeline.started", 1, "")), under(traceparent(traceA, spanB), ev("pipeline.started", 2, "")), ev("pipeline.completed", 3, "")}, traceA, spanB},
		{"one trace, two parents: the smallest", []string{under(traceparent(traceA, spanA), wide("a", "completed", 0, 2, "")), under(traceparent(traceA, spanB), ev("pipeline.completed", 2, ""))}, traceA, spanB},
		{"one trace, a parent known to some", []string{under(traceparent(traceA, none), wide("a", "completed", 0, 2, "")), under(traceparent(traceA, spanA), ev("pipeline.completed", 2, ""))}, traceA, spanA},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 {
				s := newStream()
				for _, line := range tt.events {
					s.add(line)
				}
				for _, span := range s.wait(time.Second) {
					assert.Equal(t, tt.trace, span.TraceID().String())
					if nameOfSpan(span) != "run r" {
						continue
					}
					assert.Equal(t, tt.parent, span.ParentSpanID().String())
					assert.Equal(t, tt.parent != "", span.Kind() == ptrace.SpanKindServer)
				}
				slices.Reverse(tt.events)
			}
		})
	}
	s := newStream(ev("pipeline.completed", 1, `"pipeline_run_id":"`+uuid+`"`))
	assert.Equal(t, "1b72f6fde2965134a2c595a1a46b6ebd", runSpan(t, s.wait(time.Second), uuid).TraceID().String())
}

func TestTraceOf(t *testing.T) {
	s := newStream(under(traceparent(traceA, spanA), ev("pipeline.completed", 1, "")))
	assert.Equal(t, traceA, s.TraceOf("r").String(), "in flight")
	s.wait(time.Second)
	assert.Equal(t, traceA, s.TraceOf("r").String(), "settled")
	assert.Equal(t, semconv.RunTraceID("q"), s.TraceOf("q"), "unknown")
}

func TestChildren(t *testing.T) {
	spawned := ev("pipeline.spawned_child", 1, `"parent_run_id":"p","child_run_id":"r","parent_stage_id":"tools","pipeline_name":"inner","correlation_id":"corr"`)
	childCompleted := ev("pipeline.child_completed", 5, `"parent_run_id":"p","child_run_id":"r","pipeline_name":"inner","duration_ms":3.5`)
	childFailed := ev("pipeline.child_failed", 5, `"parent_run_id":"p","child_run_id":"r","pipeline_name":"inner","error_message":"boom","duration_ms":3.5`)
	parentDone := ev("pipeline.completed", 9, `"pipeline_run_id":"p"`)

	t.Run("in another trace: a link", func(t *testing.T) {
		s := newStream(spawned, childCompleted, parentDone)
		spans := s.wait(time.Second)
		assert.ElementsMatch(t, []string{"run r completed parent 1..5", "run p completed explicit 1..9"}, told(spans))
		run := runSpan(t, spans, "r")
		assert.Equal(t, ptrace.SpanKindInternal, run.Kind())
		assert.True(t, run.ParentSpanID().IsEmpty())
		require.Equal(t, 1, run.Links().Len())
		link := run.Links().At(0)
		assert.EqualValues(t, semconv.RunTraceID("p"), link.TraceID())
		assert.EqualValues(t, semconv.RunSpanID("p"), link.SpanID())
		assert.Equal(t, map[string]any{"stageflow.run.id": "p"}, link.Attributes().AsRaw())
		assert.Equal(t, "p", attr(run, semconv.RunParentIDKey))
		assert.Equal(t, "tools", attr(run, semconv.RunParentStageKey))
		assert.Equal(t, "corr", attr(run, semconv.CorrelationIDKey))
		assert.Equal(t, "invoke_workflow inner", run.Name())
		assert.Empty(t, attr(runSpan(t, spans, "p"), semconv.RunParentIDKey), "the parent is not its own parent")
		assert.Equal(t, "invoke_workflow", runSpan(t, spans, "p").Name())
	})
	t.Run("in its parent's trace: below it", func(t *testing.T) {
		trace := traceparent(traceA, none)
		s := newStream(spawned, under(trace, ev("pipeline.completed", 4, "")), under(trace, parentDone))
		run := runSpan(t, s.wait(time.Second), "r")
		assert.EqualValues(t, semconv.RunSpanID("p"), run.ParentSpanID())
		assert.Equal(t, ptrace.SpanKindInternal, run.Kind())
		assert.Zero(t, run.Links().Len())
	})
	t.Run("under the span that its own context names", func(t *testing.T) {
		s := newStream(spawned, under(traceparent(traceA, spanA), ev("pipeline.completed", 4, "")), under(traceparent(traceA, spanB), parentDone))
		run := runSpan(t, s.wait(time.Second), "r")
		assert.Equal(t, spanA, run.ParentSpanID().String())
		assert.Equal(t, ptrace.SpanKindInternal, run.Kind(), "its parent is a run, no remote caller")
		assert.Zero(t, run.Links().Len())
	})
	t.Run("by its own word", func(t *testing.T) {
		s := newStream(ev("pipeline.started", 1, `"parent_run_id":"p","parent_stage_id":"tools"`), ev("pipeline.completed", 2, ""))
		run := runSpan(t, s.wait(time.Second), "r")
		assert.Equal(t, "p", attr(run, semconv.RunParentIDKey))
		assert.Equal(t, 1, run.Links().Len())
	})
	t.Run("when its parent has left", func(t *testing.T) {
		s := newStream(under(traceparent(traceA, spanA), parentDone))
		s.wait(time.Second)
		s.add(spawned, childCompleted)
		spans := s.wait(time.Second)
		assert.Equal(t, []string{"run r completed parent 1..5"}, told(spans), "its parent is not sent again")
		assert.Equal(t, traceA, spans[0].Links().At(0).TraceID().String())
	})
	t.Run("its own end beats its parent's word", func(t *testing.T) {
		s := newStream(spawned, childFailed, ev("pipeline.completed", 4, ""), parentDone)
		spans := s.wait(time.Second)
		assert.ElementsMatch(t, []string{"run r completed explicit 1..4", "run p completed explicit 1..9"}, told(spans))
		assert.Empty(t, runSpan(t, spans, "r").Status().Message())
	})
	t.Run("failed by its parent's word, which fails no parent", func(t *testing.T) {
		s := newStream(spawned, childFailed)
		spans := append(s.wait(time.Second), s.wait(5*time.Minute)...)
		assert.ElementsMatch(t, []string{"run r failed parent 1..5", "run p completed inferred 1..5"}, told(spans))
		assert.Equal(t, "boom", runSpan(t, spans, "r").Status().Message())
	})
	t.Run("without an id there is no child", func(t *testing.T) {
		s := newStream(ev("pipeline.spawned_child", 1, `"parent_run_id":"p","child_run_id":null`))
		assert.Zero(t, s.Active())
	})
	t.Run("a stage cut off by the parent's word", func(t *testing.T) {
		s := newStream(spawned, stage("a", "started", 2, ""), childFailed, parentDone)
		assert.Contains(t, told(s.wait(time.Second)), "a#1 abandoned 2..5")
	})
}

func TestAnonymousRuns(t *testing.T) {
	line := ev("pipeline.wide", 9, `"pipeline_run_id":null,"pipeline_name":"chat","status":"failed","stage_details":[`+detail("a", "failed", 1, 2, `"error":"boom"`)+`]`)
	other := ev("pipeline.wide", 9.5, `"pipeline_run_id":null,"pipeline_name":"chat","status":"completed"`)
	first, second := newStream(line, other, wide("a", "failed", 1, 2, `"pipeline_run_id":null`)), newStream(other)
	second.now = second.now.Add(time.Hour)
	second.add(line)
	a, b := first.wait(time.Second), second.wait(time.Second)
	assert.ElementsMatch(t, told(a), told(b), "arrival is no part of the id")
	assert.Len(t, a, 3)
	ids := map[pcommon.SpanID]bool{}
	for _, span := range a {
		ids[span.SpanID()] = true
	}
	assert.Len(t, ids, 3)
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package spantree

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/internal/captures"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// How far a run's span may lie from the call of the pipeline and its return, which are what the truth tells. The
// span lies within: it begins with the first thing an event tells of and ends with the last.
const (
	// clockSlack allows for the microseconds to which the library cuts its times, and for the start that is
	// reckoned from a run's end and its duration.
	clockSlack = time.Millisecond
	// callOverhead is what the library takes from the call to its first stage, and from the last event to the return.
	callOverhead = 5 * time.Millisecond
)

// outOfBounds are the captures whose events tell of less or more than the call, by how
// much at most, and why.
var outOfBounds = map[string]struct {
	late, early, over time.Duration
	why               string
}{
	"batch100__unified_wide": {late: 15 * time.Millisecond, early: 10 * time.Millisecond,
		why: "100 calls at once share one thread: each waits its turn before its first stage and after its last"},
	"backpressure_sink_drops__legacy_wide": {late: 10 * time.Millisecond, early: 50 * time.Millisecond, over: 5 * time.Millisecond,
		why: "the sink dropped the first or last events, and passed others on late, which is the only time that they have"},
	"cancel_asyncio_task__unified_wide": {early: 50 * time.Millisecond,
		why: "the task was cancelled in its second stage, of which no event tells"},
}

// twoAccounts are stages whose span has its times from one account and the duration beside them from another, and how
// many milliseconds these may differ.
var twoAccounts = map[stageKey]struct {
	tolerance float64
	why       string
}{
	{"813b44e2-ea90-555a-8de1-4d01ee22a3c5", "llm"}: {7,
		"the library measured 63 ms to the timeout; its failed event came 69.7 ms after its start event"},
}

// tree holds the spans of one run.
type tree struct {
	runs, stages, calls, tools []ptrace.Span
}

// add takes a span by what it is; false for one that is nothing known.
func (tr *tree) add(span ptrace.Span) bool {
	switch {
	case attr(span, semconv.RunStatusKey) != "":
		tr.runs = append(tr.runs, span)
	case attr(span, semconv.CallStatusKey) != "":
		tr.calls = append(tr.calls, span)
	case attr(span, semconv.ToolStatusKey) != "":
		tr.tools = append(tr.tools, span)
	case attr(span, semconv.StageStatusKey) != "":
		tr.stages = append(tr.stages, span)
	default:
		return false
	}
	return true
}

// checkShape: one root, without a parent; a child of another run is linked to it or hangs under it; every stage
// hangs under the run, every provider or tool call under a stage or the run; attempts count from 1 in the order of their starts.
func (tr *tree) checkShape(t testing.TB, id string) {
	t.Helper()
	require.Len(t, tr.runs, 1, "run %s has one root", id)
	root := tr.runs[0]
	assert.Equal(t, pcommon.SpanID(semconv.RunSpanID(id)), root.SpanID(), "run %s", id)
	if parent := attr(root, semconv.RunParentIDKey); parent == "" {
		assert.True(t, root.ParentSpanID().IsEmpty(), "run %s has no parent", id)
		assert.Zero(t, root.Links().Len(), "run %s", id)
	} else {
		above := pcommon.SpanID(semconv.RunSpanID(parent))
		linked := root.Links().Len() == 1 && root.Links().At(0).SpanID() == above && root.ParentSpanID().IsEmpty()
		assert.NotEqual(t, linked, root.ParentSpanID() == above, "run %s is linked to its parent run %s, or hangs under it", id, parent)
	}

	stageIDs := map[pcommon.SpanID]bool{}
	byName := map[string][]ptrace.Span{}
	for _, stage := range tr.stages {
		name := attr(stage, semconv.StageNameKey)
		assert.Equal(t, root.TraceID(), stage.TraceID(), "run %s stage %s", id, name)
		assert.Equal(t, root.SpanID(), stage.ParentSpanID(), "run %s stage %s", id, name)
		assert.Equal(t, pcommon.SpanID(semconv.StageSpanID(id, name, attempt(stage))), stage.SpanID(), "run %s stage %s", id, name)
		assert.GreaterOrEqual(t, stage.StartTimestamp(), root.StartTimestamp(), "run %s stage %s begins within its run", id, name)
		assert.LessOrEqual(t, stage.EndTimestamp(), root.EndTimestamp(), "run %s stage %s ends within its run", id, name)
		stageIDs[stage.SpanID()] = true
		byName[name] = append(byName[name], stage)
	}
	for name, attempts := range byName {
		slices.SortFunc(attempts, func(a, b ptrace.Span) int { return cmp.Compare(attempt(a), attempt(b)) })
		for i, a := range attempts {
			assert.Equal(t, int64(i+1), attempt(a), "run %s stage %s: attempts without a gap", id, name)
			if i > 0 {
				assert.GreaterOrEqual(t, a.StartTimestamp(), attempts[i-1].StartTimestamp(), "run %s stage %s: attempts in the order of their starts", id, name)
			}
		}
	}
	for _, call := range slices.Concat(tr.calls, tr.tools) {
		assert.Equal(t, root.TraceID(), call.TraceID(), "run %s call %q", id, call.Name())
		assert.True(t, call.ParentSpanID() == root.SpanID() || stageIDs[call.ParentSpanID()], "run %s call %q hangs under a stage of its run, or the run", id, call.Name())
	}
	for _, call := range tr.calls {
		assert.Equal(t, pcommon.SpanID(semconv.CallSpanID(id, attr(call, semconv.CallIDKey))), call.SpanID(), "run %s call %q", id, call.Name())
	}
	for _, tool := range tr.tools {
		assert.Equal(t, pcommon.SpanID(semconv.ToolSpanID(id, attr(tool, semconv.GenAIToolCallIDKey))), tool.SpanID(), "run %s tool %q", id, tool.Name())
	}
}

// checkRunTimes: the run's span lies between call and return, and begins and ends close to them.
func (tr *tree) checkRunTimes(t testing.TB, capture string, truth captures.Run) {
	t.Helper()
	root := tr.runs[0]
	except := outOfBounds[capture]
	start, end := root.StartTimestamp().AsTime(), root.EndTimestamp().AsTime()
	about := []any{"%s, run %s %q, span %s to %s", capture, truth.ID, truth.Label, start, end}
	assert.False(t, start.Before(truth.StartedAt.Add(-clockSlack)), about...)
	assert.False(t, start.After(truth.StartedAt.Add(max(callOverhead, except.late))), about...)
	assert.False(t, end.Before(truth.EndedAt.Add(-max(callOverhead, except.early))), about...)
	assert.False(t, end.After(truth.EndedAt.Add(max(clockSlack, except.over))), about...)
}

// checkDurations: where the truth tells how long a stage took, its last attempt took as long, in milliseconds cut as
// the library cuts them. Lifecycle events are sent around the measurement, so they may be one off.
func (tr *tree) checkDurations(t testing.TB, truth captures.Run, wide map[stageKey]bool) {
	t.Helper()
	last := map[string]ptrace.Span{}
	for _, stage := range tr.stages {
		name := attr(stage, semconv.StageNameKey)
		if old, ok := last[name]; !ok || attempt(stage) > attempt(old) {
			last[name] = stage
		}
	}
	for name, stage := range last {
		if want, told := truth.Durations[name]; told {
			assertDuration(t, want, stage, tolerance(wide[stageKey{truth.ID, name}]), truth.ID)
		}
	}
}

// checkToldDurations: the same for the duration that the stage's own events tell, for every attempt.
func (tr *tree) checkToldDurations(t testing.TB, id string, wide map[stageKey]bool) {
	t.Helper()
	for _, stage := range tr.stages {
		if v, ok := stage.Attributes().Get(semconv.StageDurationKey); ok {
			key := stageKey{id, attr(stage, semconv.StageNameKey)}
			assertDuration(t, int64(v.Double()), stage, max(tolerance(wide[key]), twoAccounts[key].tolerance), id)
		}
	}
}

// tolerance in milliseconds, of a stage with a wide event and of one without.
func tolerance(wide bool) float64 {
	if wide {
		return 0
	}
	return 1
}

func assertDuration(t testing.TB, want int64, stage ptrace.Span, tolerance float64, runID string) {
	t.Helper()
	took := stage.EndTimestamp().AsTime().Sub(stage.StartTimestamp().AsTime())
	got := int64(float64(took.Microseconds()) / 1e6 * 1000) // int(seconds * 1000), rounding and all
	assert.InDelta(t, want, got, tolerance, "run %s %q took %s", runID, stage.Name(), took)
}

func attempt(stage ptrace.Span) int64 {
	v, _ := stage.Attributes().Get(semconv.StageAttemptKey)
	return v.Int()
}

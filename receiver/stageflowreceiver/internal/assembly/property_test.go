// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/internal/captures"
)

// The same events give the same spans, in any order, any number of times, in any batches, beside any other runs.
func TestAnyOrderGivesTheSameSpans(t *testing.T) {
	recorded, err := captures.Small("../../../../testdata/captures")
	require.NoError(t, err)
	require.Greater(t, len(recorded), 30)
	rapid.Check(t, func(t *rapid.T) {
		var lines []string
		for i := range rapid.IntRange(1, 4).Draw(t, "runs") {
			lines = append(lines, drawRun(t, fmt.Sprintf("run-%d", i))...)
		}
		for range rapid.IntRange(0, 2).Draw(t, "captures") {
			lines = append(lines, rapid.SampledFrom(recorded).Draw(t, "capture")...)
		}
		want := settleAll(t, [][]string{lines})

		again := append(slices.Clone(lines), rapid.SliceOfN(rapid.SampledFrom(lines), 0, 10).Draw(t, "twice")...)
		again = rapid.Permutation(again).Draw(t, "order")
		var batches [][]string
		for len(again) > 0 {
			n := rapid.IntRange(1, len(again)).Draw(t, "batch")
			batches, again = append(batches, again[:n]), again[n:]
		}
		require.Equal(t, strings.Join(want, "\n"), strings.Join(settleAll(t, batches), "\n"))
	})
}

// Whatever comes, no span ends before it starts, is made twice, or lies outside of its run's trace.
func TestSpansAreSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := drawRun(t, "run-0")
		s := newStream()
		for len(lines) > 0 {
			n := rapid.IntRange(1, len(lines)).Draw(t, "batch")
			s.add(lines[:n]...)
			lines = lines[n:]
			if !rapid.Bool().Draw(t, "wait") {
				continue
			}
			checkSound(t, s.wait(rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Minute, 15 * time.Minute}).Draw(t, "for")))
		}
		for range 3 {
			checkSound(t, s.wait(15*time.Minute))
		}
		assert.Zero(t, s.Active())
	})
}

func checkSound(t *rapid.T, spans []ptrace.Span) {
	ids := map[string]bool{}
	for _, span := range spans {
		id := span.TraceID().String() + span.SpanID().String()
		require.False(t, ids[id], "twice: %s", nameOfSpan(span))
		ids[id] = true
		require.GreaterOrEqual(t, span.EndTimestamp(), span.StartTimestamp(), nameOfSpan(span))
		require.NotZero(t, span.StartTimestamp(), nameOfSpan(span))
		for _, link := range span.Links().All() {
			require.False(t, link.TraceID().IsEmpty() || link.SpanID().IsEmpty(), "a link to nothing: %s", nameOfSpan(span))
		}
	}
}

// settleAll returns the spans of the batches after all silences are over, as sorted texts.
func settleAll(t *rapid.T, batches [][]string) []string {
	s := newStream()
	for _, batch := range batches {
		s.add(batch...)
	}
	var out []string
	for _, d := range []time.Duration{time.Second, 5 * time.Minute, 10 * time.Minute} {
		s.now = s.now.Add(d)
		td := Spans(s.Due(s.now, false))
		for _, rs := range td.ResourceSpans().All() {
			resource, err := json.Marshal(rs.Resource().Attributes().AsRaw())
			require.NoError(t, err)
			for _, span := range rs.ScopeSpans().At(0).Spans().All() {
				out = append(out, string(resource)+" "+canonicalSpan(t, span))
			}
		}
	}
	require.Zero(t, s.Active())
	slices.Sort(out)
	return out
}

func canonicalSpan(t require.TestingT, span ptrace.Span) string {
	attrs, err := json.Marshal(span.Attributes().AsRaw())
	require.NoError(t, err)
	text := fmt.Sprint(span.TraceID(), span.SpanID(), span.ParentSpanID(), span.Name(), span.Kind(), span.StartTimestamp(), span.EndTimestamp(),
		span.Status().Code(), span.Status().Message(), string(attrs))
	for _, link := range span.Links().All() {
		text += fmt.Sprint(" link ", link.TraceID(), link.SpanID(), link.Attributes().AsRaw())
	}
	for _, note := range span.Events().All() {
		text += fmt.Sprint(" event ", note.Timestamp(), note.Name(), note.Attributes().AsRaw())
	}
	return text
}

// drawRun makes the events of one run, hostile ones among them: contradictions, missing ends, equal times, clocks
// that disagree.
func drawRun(t *rapid.T, id string) []string {
	run := fmt.Sprintf(`"pipeline_run_id":%q`, id)
	instant := rapid.Custom(func(t *rapid.T) float64 {
		if rapid.IntRange(0, 19).Draw(t, "clock") == 0 {
			return rapid.SampledFrom([]float64{lastWeek, soon}).Draw(t, "far")
		}
		return float64(rapid.IntRange(1, 60).Draw(t, "at")) / 10
	})
	extra := rapid.SampledFrom([]string{"", `"user_id":"u"`, `"user_id":"v","service":"svc"`, `"n":1`, `"n":"1"`, `"error":"boom"`,
		`"event_name":"x","event_version":"v1","parent_run_id":"run-0","trace_id":"` + traceB + `"`, `"start_time":"` + stamp(0.3) + `"`})
	name := rapid.SampledFrom([]string{"a", "b"})
	word := rapid.SampledFrom([]string{"completed", "failed", "cancelled"})
	attempt := rapid.SampledFrom([]string{"", "", "", `"attempt":1`, `"attempt":2`})
	keys := rapid.SampledFrom([]string{"", `"data_keys":["reason"]`, `"data_keys":["cancel_reason"]`})
	call := rapid.SampledFrom([]string{id + "-c1", id + "-c2"})
	action := rapid.SampledFrom([]string{`"action_id":"` + id + `-t1"`, `"action_id":"` + id + `-t2"`, `"tool":"other","action_id":"` + id + `-t2"`})
	events := []func(*rapid.T) string{
		func(t *rapid.T) string {
			return ev(rapid.SampledFrom([]string{"tool.requested", "tool.invoked", "tool.started", "tool.updated"}).Draw(t, "type"), instant.Draw(t, "at"),
				join(run, action.Draw(t, "action"), rapid.SampledFrom([]string{"", `"stage":"a"`, `"stage":"b","stage_attempt":2`, `"behavior":"x"`}).Draw(t, "how")))
		},
		func(t *rapid.T) string {
			return ev(rapid.SampledFrom([]string{"tool.completed", "tool.failed", "tool.denied", "tool.unresolved", "tool.undone", "tool.undo_failed"}).Draw(t, "type"), instant.Draw(t, "at"),
				join(run, action.Draw(t, "action"), rapid.SampledFrom([]string{"", `"output_summary":{"success":false}`, `"error_code":"E"`, `"duration_ms":1.5`, `"original_action_timestamp":"` + stamp(2) + `"`}).Draw(t, "how")))
		},
		func(t *rapid.T) string {
			return ev(rapid.SampledFrom([]string{"agent.tool.requested", "agent.tool.started", "agent.tool.executed", "agent.tool.failed", "agent.tool.updated", "tool.completed"}).Draw(t, "type"), instant.Draw(t, "at"),
				join(run, rapid.SampledFrom([]string{`"tool":"x","call_id":"` + id + `-t1"`, `"tool_name":"y","action_id":null,"call_id":"` + id + `-t3"`, `"call_id":null`, `"tool":"x"`, `"tool":"other"`}).Draw(t, "call"), rapid.SampledFrom([]string{"", `"success":false,"error":"boom"`}).Draw(t, "how")))
		},
		func(t *rapid.T) string {
			return ev(rapid.SampledFrom([]string{"agent.turn.started", "agent.completed", "guard_retry.attempt", "stage.retry_scheduled", "guardrail.fail_open"}).Draw(t, "type"), instant.Draw(t, "at"),
				join(run, rapid.SampledFrom([]string{"", `"stage":"a"`, `"stage":"b"`, `"turn":1`}).Draw(t, "what")))
		},
		func(t *rapid.T) string {
			return ev(rapid.SampledFrom([]string{"approval.requested", "approval.decided"}).Draw(t, "type"), instant.Draw(t, "at"),
				join(run, action.Draw(t, "action"), rapid.SampledFrom([]string{"", `"decision":"denied"`, `"request_id":"p"`, `"approved":true`}).Draw(t, "how")))
		},
		func(t *rapid.T) string {
			return stage(name.Draw(t, "stage"), "started", instant.Draw(t, "at"), join(run, attempt.Draw(t, "attempt"), extra.Draw(t, "extra")))
		},
		func(t *rapid.T) string {
			return stage(name.Draw(t, "stage"), word.Draw(t, "status"), instant.Draw(t, "at"), join(run, attempt.Draw(t, "attempt"), extra.Draw(t, "extra")))
		},
		func(t *rapid.T) string {
			return stage(name.Draw(t, "stage"), "completed", instant.Draw(t, "at"), join(run, fmt.Sprintf(`"duration_ms":%d`, rapid.IntRange(-1, 3).Draw(t, "ms"))))
		},
		func(t *rapid.T) string {
			return wide(name.Draw(t, "stage"), word.Draw(t, "status"), instant.Draw(t, "from"), instant.Draw(t, "to"), join(run, keys.Draw(t, "keys"), extra.Draw(t, "extra")))
		},
		func(t *rapid.T) string {
			return ev("pipeline.wide", instant.Draw(t, "at"), join(run, fmt.Sprintf(`"status":%q,"stage_details":[%s]`, word.Draw(t, "status"),
				detail(name.Draw(t, "stage"), word.Draw(t, "ended"), instant.Draw(t, "from"), instant.Draw(t, "to"), keys.Draw(t, "keys")))))
		},
		func(t *rapid.T) string {
			return ev(rapid.SampledFrom([]string{"pipeline.started", "pipeline.completed", "pipeline.failed", "pipeline.canceled"}).Draw(t, "type"), instant.Draw(t, "at"), join(run, extra.Draw(t, "extra")))
		},
		func(t *rapid.T) string {
			return under(rapid.SampledFrom([]string{traceparent(traceA, spanA), traceparent(traceA, spanB), traceparent(traceB, none)}).Draw(t, "context"),
				ev(rapid.SampledFrom([]string{"pipeline.started", "custom"}).Draw(t, "type"), instant.Draw(t, "at"), run))
		},
		func(t *rapid.T) string {
			return ev(rapid.SampledFrom([]string{"pipeline.spawned_child", "pipeline.child_completed", "pipeline.child_failed", "pipeline.canceled"}).Draw(t, "type"), instant.Draw(t, "at"),
				fmt.Sprintf(`"parent_run_id":"run-%d","child_run_id":%q`, rapid.IntRange(0, 4).Draw(t, "parent"), id))
		},
		func(t *rapid.T) string {
			return callStarted(call.Draw(t, "call"), instant.Draw(t, "at"), join(run, rapid.SampledFrom([]string{"", `"stage":"a"`, `"stage":"b","stage_attempt":2`}).Draw(t, "by")))
		},
		func(t *rapid.T) string {
			return callEnded(call.Draw(t, "call"), instant.Draw(t, "at"), join(extra.Draw(t, "extra"), rapid.SampledFrom([]string{"", `"success":false`, `"latency_ms":1.5`}).Draw(t, "how")))
		},
	}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return rapid.SampledFrom(events).Draw(t, "kind")(t) }), 1, 12).Draw(t, id)
}

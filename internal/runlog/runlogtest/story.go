// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogtest

import (
	"fmt"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// StoryRows is how many rows Started and Ended each tell of one run.
const StoryRows = 9

// StoryID is the id of the n-th run of a story. As ids are, it has no order.
func StoryID(n int) string { return scattered(n, n) }

// scattered is an id in the form of a UUID that begins anywhere.
func scattered(begin, end int) string {
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(begin)*2654435761, end)
}

// storyTime is what the clock says in the n-th run, which began a hundredth of a second after the one before.
func storyTime(n int, seconds int64) int64 { return At(seconds) + int64(n)*10_000_000 }

// storyRun is what is known of the n-th run from its begin: of a user out of a thousand, in a session of five runs.
func storyRun(n int, seconds int64, fromSpan bool) *runlog.Row {
	r := runlog.NewFact(runlog.Runs, storyTime(n, seconds), fromSpan, runlog.KeyValue(StoryID(n)))
	r.Set(runlog.Runs.Column("started_at"), runlog.TimeValue(storyTime(n, 0)))
	for column, value := range map[string]string{
		"trace_id": fmt.Sprintf("%08x0000400080000000%08x", uint32(n)*2654435761, n), "pipeline_name": "support chat",
		"topology": "a topology of its own", "execution_mode": "production", "service": "voice-gateway",
		"user_id": scattered(n%1000, 1), "session_id": scattered(n/5, 2), "request_id": scattered(n, 3),
	} {
		r.Set(runlog.Runs.Column(column), runlog.KeyValue(value))
	}
	return r
}

// Started adds what the log records of the n-th run, an ordinary one, say while it goes on: the run, and five stages and
// three calls that have begun.
func Started(b *runlog.Batch, n int) {
	b.Add(storyRun(n, 0, false))
	for i := range 5 {
		b.Add(runlog.NewFact(runlog.Stages, storyTime(n, 0), false, runlog.KeyValue(StoryID(n)), stage(i), runlog.IntValue(1)))
	}
	for i := range 3 {
		b.Add(runlog.NewFact(runlog.ProviderCalls, storyTime(n, 0), false, runlog.KeyValue(StoryID(n)), call(i)))
	}
}

func stage(i int) runlog.Value { return runlog.KeyValue(fmt.Sprint("stage ", i)) }
func call(i int) runlog.Value  { return runlog.KeyValue(fmt.Sprint("call ", i)) }

// Ended adds what the spans of the n-th run say.
func Ended(b *runlog.Batch, n int) {
	id, begin, end := runlog.KeyValue(StoryID(n)), runlog.TimeValue(storyTime(n, 0)), runlog.TimeValue(storyTime(n, 1))
	add := func(r *runlog.Row, duration string, cells map[string]runlog.Value) {
		t := r.Table()
		r.Set(t.Column("started_at"), begin)
		r.Set(t.Column("ended_at"), end)
		r.Set(t.Column(duration), runlog.FloatValue(123.456))
		for column, value := range cells {
			r.Set(t.Column(column), value)
		}
		b.Add(End(r))
	}
	r := storyRun(n, 1, true)
	r.SetAttribute("priority", `"high"`)
	add(r, "duration_ms", nil)
	for i := range 5 {
		add(runlog.NewFact(runlog.Stages, storyTime(n, 1), true, id, stage(i), runlog.IntValue(1)), "duration_ms", map[string]runlog.Value{
			"span_id": runlog.KeyValue("0123456789abcdef"), "kind": runlog.KeyValue("transform"),
		})
	}
	for i := range 3 {
		add(runlog.NewFact(runlog.ProviderCalls, storyTime(n, 1), true, id, call(i)), "latency_ms", map[string]runlog.Value{
			"success": runlog.BoolValue(true), "stage": stage(i), "operation": runlog.KeyValue("chat"),
			"provider": runlog.KeyValue("openai"), "model_id": runlog.KeyValue("gpt-4o-mini"),
			"input_tokens": runlog.IntValue(100), "output_tokens": runlog.IntValue(200),
		})
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogtest

import (
	"fmt"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// StoryRows is how many rows Started and Ended each tell of one run.
const StoryRows = 9

var storyColumns = []string{
	"trace_id", "pipeline_name", "topology", "execution_mode", "service", "user_id", "session_id", "request_id",
}

// Started adds what the log records of an ordinary run say while it goes on: the run, and five stages and three calls
// that have begun.
func Started(b *runlog.Batch, id string) {
	r := Run(id, 0)
	for _, column := range storyColumns {
		r.Set(runlog.Runs.Column(column), runlog.TextValue(column+" of a run"))
	}
	b.Add(r)
	for i := range 5 {
		b.Add(Stage(id, fmt.Sprint("stage ", i), 1, false))
	}
	for i := range 3 {
		b.Add(runlog.NewFact(runlog.ProviderCalls, At(0), false, runlog.KeyValue(id), runlog.KeyValue(fmt.Sprint("call ", i))))
	}
}

// Ended adds what the spans of the run say.
func Ended(b *runlog.Batch, id string) {
	add := func(r *runlog.Row, duration string) *runlog.Row {
		t := r.Table()
		r.Set(t.Column("started_at"), runlog.TimeValue(At(0)))
		r.Set(t.Column("ended_at"), runlog.TimeValue(At(1)))
		r.Set(t.Column(duration), runlog.FloatValue(123.456))
		return End(r)
	}
	r := add(runlog.NewFact(runlog.Runs, At(1), true, runlog.KeyValue(id)), "duration_ms")
	for _, column := range storyColumns {
		r.Set(runlog.Runs.Column(column), runlog.TextValue(column+" of a run"))
	}
	r.SetAttribute("priority", `"high"`)
	b.Add(r)
	for i := range 5 {
		s := add(Stage(id, fmt.Sprint("stage ", i), 1, true), "duration_ms")
		s.Set(runlog.Stages.Column("span_id"), runlog.KeyValue("0123456789abcdef"))
		s.Set(runlog.Stages.Column("kind"), runlog.KeyValue("transform"))
		b.Add(s)
	}
	for i := range 3 {
		c := add(Call(id, fmt.Sprint("call ", i)), "latency_ms")
		c.Set(runlog.ProviderCalls.Column("success"), runlog.BoolValue(true))
		for _, column := range []string{"stage", "operation", "provider", "model_id"} {
			c.Set(runlog.ProviderCalls.Column(column), runlog.TextValue("the "+column))
		}
		c.Set(runlog.ProviderCalls.Column("input_tokens"), runlog.IntValue(100))
		c.Set(runlog.ProviderCalls.Column("output_tokens"), runlog.IntValue(200))
		b.Add(c)
	}
}

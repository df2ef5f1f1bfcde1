// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// started is what the log records of a run say while it goes on: the run, and five stages and three calls that
// have begun.
func started(b *runlog.Batch, id string) {
	r := run(id, 0)
	for _, column := range []string{"trace_id", "pipeline_name", "topology", "execution_mode", "service", "user_id", "session_id", "request_id"} {
		r.Set(runlog.Runs.Column(column), runlog.TextValue(column+" of a run"))
	}
	b.Add(r)
	for i := range 5 {
		b.Add(stage(id, fmt.Sprintf("stage %d", i), 1, false))
	}
	for i := range 3 {
		b.Add(runlog.NewFact(runlog.ProviderCalls, at(0), false, runlog.KeyValue(id), runlog.KeyValue(fmt.Sprintf("call %d", i))))
	}
}

// ended is what the spans of the run say.
func ended(b *runlog.Batch, id string) {
	end := func(r *runlog.Row, duration string) {
		t := r.Table()
		r.Set(t.Column("status"), runlog.KeyValue(string(semconv.StatusCompleted)))
		r.Set(t.Column("started_at"), runlog.TimeValue(at(0)))
		r.Set(t.Column("ended_at"), runlog.TimeValue(at(1)))
		r.Set(t.Column(duration), runlog.FloatValue(123.456))
	}
	r := runlog.NewFact(runlog.Runs, at(1), true, runlog.KeyValue(id))
	end(r, "duration_ms")
	r.Set(runlog.Runs.Column("end_kind"), runlog.KeyValue(string(semconv.EndExplicit)))
	for _, column := range []string{"trace_id", "pipeline_name", "topology", "execution_mode", "service", "user_id", "session_id", "request_id"} {
		r.Set(runlog.Runs.Column(column), runlog.TextValue(column+" of a run"))
	}
	r.SetAttribute("priority", `"high"`)
	b.Add(r)
	for i := range 5 {
		s := stage(id, fmt.Sprintf("stage %d", i), 1, true)
		end(s, "duration_ms")
		s.Set(runlog.Stages.Column("span_id"), runlog.KeyValue("0123456789abcdef"))
		s.Set(runlog.Stages.Column("kind"), runlog.KeyValue("transform"))
		b.Add(s)
	}
	for i := range 3 {
		c := call(id, fmt.Sprintf("call %d", i))
		end(c, "latency_ms")
		for _, column := range []string{"stage", "operation", "provider", "model_id"} {
			c.Set(runlog.ProviderCalls.Column(column), runlog.TextValue("the "+column))
		}
		c.Set(runlog.ProviderCalls.Column("input_tokens"), runlog.IntValue(100))
		c.Set(runlog.ProviderCalls.Column("output_tokens"), runlog.IntValue(200))
		b.Add(c)
	}
}

// BenchmarkWrite writes batches of 200 runs of 9 rows each: all at once, when logs and spans come in the same
// batch, or first the log facts and then, in another transaction, the span facts that take their place.
func BenchmarkWrite(b *testing.B) {
	const runs = 200
	for name, parts := range map[string][]func(*runlog.Batch, string){
		"spans only":           {ended},
		"logs, then the spans": {started, ended},
	} {
		b.Run(name, func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "runlog.db"))
			defer s.Close()
			b.ReportAllocs()
			rows, n := int64(0), 0
			for b.Loop() {
				for _, part := range parts {
					batch := runlog.NewBatch()
					for i := range runs {
						part(batch, fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(n*runs+i)*2654435761, n*runs+i))
					}
					res, err := s.Write(ctx, batch)
					require.NoError(b, err)
					for _, changed := range res.Rows {
						rows += changed
					}
				}
				n++
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(n*runs)/b.Elapsed().Seconds(), "runs/s")
		})
	}
}

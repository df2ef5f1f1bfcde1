// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogtest

import (
	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// At is a time of the tests' day, in nanoseconds: so many seconds after 14 November 2023, 22:13:20 UTC.
func At(seconds int64) int64 { return (1_700_000_000 + seconds) * 1_000_000_000 }

// Run is a log record's fact that a run began.
func Run(id string, seconds int64) *runlog.Row {
	r := runlog.NewFact(runlog.Runs, At(seconds), false, runlog.KeyValue(id))
	r.Set(runlog.Runs.Column("started_at"), runlog.TimeValue(At(seconds)))
	return r
}

// Stage is a fact about a stage.
func Stage(id, name string, attempt int64, fromSpan bool) *runlog.Row {
	return runlog.NewFact(runlog.Stages, At(0), fromSpan, runlog.KeyValue(id), runlog.KeyValue(name), runlog.IntValue(attempt))
}

// Call is a span's fact about a provider call.
func Call(id, callID string) *runlog.Row {
	return runlog.NewFact(runlog.ProviderCalls, At(0), true, runlog.KeyValue(id), runlog.KeyValue(callID))
}

// Batch is the facts themselves, not copies of them, in one batch.
func Batch(facts ...*runlog.Row) *runlog.Batch {
	b := runlog.NewBatch()
	for _, f := range facts {
		b.Add(f)
	}
	return b
}

// End makes a fact that of the completed end of its record.
func End(r *runlog.Row) *runlog.Row {
	for i, c := range r.Table().Columns {
		switch c.Name {
		case "status":
			r.Set(i, runlog.KeyValue(string(semconv.StatusCompleted)))
		case "end_kind":
			r.Set(i, runlog.KeyValue(string(semconv.EndExplicit)))
		}
	}
	return r
}

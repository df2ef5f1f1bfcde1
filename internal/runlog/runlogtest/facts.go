// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package runlogtest draws facts for tests of the merge rule and of the stores that apply it.
package runlogtest // import "github.com/stageflow/otelcol-stageflow/internal/runlog/runlogtest"

import (
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// The domains are small, so that facts meet on the same keys, times and values.
var (
	times  = rapid.SampledFrom([]int64{0, 1_000, 1_001, 2_000_000_000, 1_700_000_000_123_456_789, 1_700_000_000_123_456_790})
	texts  = rapid.SampledFrom([]string{"a", "b", "B\"\\\n", "é\x00\xff"})
	floats = rapid.SampledFrom([]float64{0, -1.5, 2, 1e300})
	jsons  = rapid.SampledFrom([]string{`1`, `"x"`, `{"a":[1,{"b":null}]}`})
	names  = rapid.SampledFrom([]string{"stt", "llm"})

	statuses = rapid.SampledFrom([]semconv.Status{
		semconv.StatusCompleted, semconv.StatusFailed, semconv.StatusCancelled, semconv.StatusSkipped,
		semconv.StatusRetried, semconv.StatusAbandoned,
	})
	endKinds = rapid.SampledFrom([]semconv.EndKind{
		semconv.EndAbandoned, semconv.EndInferred, semconv.EndRequested, semconv.EndParent, semconv.EndExplicit,
	})
)

// Fact draws what one log record or span might say. Facts cannot be joined twice (a batch owns what it is
// given): add clones.
func Fact() *rapid.Generator[*runlog.Row] {
	return rapid.Custom(func(t *rapid.T) *runlog.Row {
		table := rapid.SampledFrom(runlog.Tables).Draw(t, "table")
		return FactAbout(table, key(t, table)...).Draw(t, "fact")
	})
}

// key draws the key of a record. Only runs and stages always belong to a run.
func key(t *rapid.T, table *runlog.Table) (key []runlog.Value) {
	for _, c := range table.Columns {
		switch {
		case c.Merge != runlog.Key:
		case c.Name == "run_id":
			runs := []string{"run-1", "run-2"}
			if table != runlog.Runs && table != runlog.Stages {
				runs = append(runs, "")
			}
			key = append(key, runlog.KeyValue(rapid.SampledFrom(runs).Draw(t, c.Name)))
		case c.Type == runlog.Integer:
			key = append(key, runlog.IntValue(rapid.Int64Range(1, 2).Draw(t, c.Name)))
		default:
			key = append(key, runlog.KeyValue(names.Draw(t, c.Name)))
		}
	}
	return key
}

// FactAbout draws a fact of one key.
func FactAbout(table *runlog.Table, key ...runlog.Value) *rapid.Generator[*runlog.Row] {
	return rapid.Custom(func(t *rapid.T) *runlog.Row {
		row := runlog.NewFact(table, times.Draw(t, "time"), rapid.Bool().Draw(t, "span"), key...)
		ended := rapid.Bool().Draw(t, "ended")
		for i, c := range table.Columns {
			switch {
			case c.Merge == runlog.Key || c.Merge == runlog.Latest:
			case c.Merge == runlog.FilledEach:
				for range rapid.IntRange(0, 2).Draw(t, "attributes") {
					row.SetAttribute(texts.Draw(t, "key"), jsons.Draw(t, "json"))
				}
			case c.Merge == runlog.End && !ended:
			case c.Name == "status":
				row.Set(i, runlog.KeyValue(string(statuses.Draw(t, c.Name))))
			case c.Name == "end_kind":
				row.Set(i, runlog.KeyValue(string(endKinds.Draw(t, c.Name))))
			case rapid.Bool().Draw(t, c.Name+"?"):
				row.Set(i, cell(t, c))
			}
		}
		return row
	})
}

func cell(t *rapid.T, c runlog.Column) runlog.Value {
	switch c.Type {
	case runlog.Integer:
		return runlog.IntValue(rapid.Int64Range(0, 3).Draw(t, c.Name))
	case runlog.Boolean:
		return runlog.BoolValue(rapid.Bool().Draw(t, c.Name))
	case runlog.Real:
		return runlog.FloatValue(floats.Draw(t, c.Name))
	case runlog.Time:
		return runlog.TimeValue(times.Draw(t, c.Name))
	case runlog.JSON:
		return runlog.KeyValue(jsons.Draw(t, c.Name))
	}
	return runlog.TextValue(texts.Draw(t, c.Name))
}

// Facts draws a story of up to n facts.
func Facts(n int) *rapid.Generator[[]*runlog.Row] { return rapid.SliceOfN(Fact(), 1, n) }

// Shuffled draws another telling of the same facts: in any order, some of them twice, in any split.
func Shuffled(t *rapid.T, facts []*runlog.Row) []*runlog.Batch {
	told := append([]*runlog.Row{}, facts...)
	for range rapid.IntRange(0, 3).Draw(t, "repeats") {
		told = append(told, rapid.SampledFrom(facts).Draw(t, "again"))
	}
	told = rapid.Permutation(told).Draw(t, "order")
	batches := []*runlog.Batch{runlog.NewBatch()}
	for i, f := range told {
		if i > 0 && rapid.Bool().Draw(t, "split") {
			batches = append(batches, runlog.NewBatch())
		}
		batches[len(batches)-1].Add(f.Clone())
	}
	return batches
}

// InOrder is the facts in one batch, as they were drawn.
func InOrder(facts []*runlog.Row) *runlog.Batch {
	b := runlog.NewBatch()
	for _, f := range facts {
		b.Add(f.Clone())
	}
	return b
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/runlogtest"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// dump writes out a row whole, merge state included.
func dump(r *runlog.Row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s span=%v state=%x\n", r.Table().Name, r.FromSpan(), r.MergeState())
	for i, c := range r.Table().Columns {
		fmt.Fprintf(&b, "  %s=%v\n", c.Name, r.Value(i))
	}
	return b.String()
}

// dumpAll joins batches as a store does, and writes out what is kept in the end.
func dumpAll(batches ...*runlog.Batch) string {
	var out []string
	runs := map[string]*runlog.Row{}
	groups := map[string]*runlog.Group{}
	for _, b := range batches {
		for _, run := range b.Runs {
			if run.Row != nil {
				if runs[run.ID] == nil {
					runs[run.ID] = run.Row.Clone()
				} else {
					runs[run.ID].Join(run.Row)
				}
			}
			for _, g := range run.Groups {
				id := run.ID + "/" + g.Table.Name + "/" + g.Key
				if groups[id] == nil {
					groups[id] = &runlog.Group{Table: g.Table, Key: g.Key}
				}
				for _, r := range g.Rows {
					groups[id].Add(r.Clone())
				}
			}
		}
	}
	for _, r := range runs {
		out = append(out, dump(r))
	}
	for _, g := range groups {
		for _, r := range g.Rows {
			out = append(out, dump(r))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "")
}

func TestAnyTellingOfTheSameFactsGivesTheSameRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		facts := runlogtest.Facts(8).Draw(t, "facts")
		want := dumpAll(runlogtest.InOrder(facts))
		got := dumpAll(runlogtest.Shuffled(t, facts)...)
		if want != got {
			t.Fatalf("in order:\n%s\nshuffled:\n%s", want, got)
		}
	})
}

func TestJoinIsASemilattice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := rapid.SampledFrom(runlog.Tables).Draw(t, "table")
		var key []runlog.Value
		for _, c := range table.Columns {
			switch {
			case c.Merge != runlog.Key:
			case c.Type == runlog.Integer:
				key = append(key, runlog.IntValue(1))
			default:
				key = append(key, runlog.KeyValue(c.Name))
			}
		}
		fact := runlogtest.FactAbout(table, key...)
		a, b, c := fact.Draw(t, "a"), fact.Draw(t, "b"), fact.Draw(t, "c")
		join := func(rows ...*runlog.Row) *runlog.Row {
			out := rows[0].Clone()
			for _, r := range rows[1:] {
				out.Join(r)
			}
			return out
		}
		if !join(a, b).Equal(join(b, a)) {
			t.Fatalf("not commutative:\n%s%s", dump(join(a, b)), dump(join(b, a)))
		}
		if !join(join(a, b), c).Equal(join(a, join(b, c))) {
			t.Fatalf("not associative:\n%s%s", dump(join(join(a, b), c)), dump(join(a, join(b, c))))
		}
		if ab := join(a, b); !join(ab, a, b, ab).Equal(ab) {
			t.Fatalf("not idempotent:\n%s%s", dump(ab), dump(join(ab, a, b, ab)))
		}
	})
}

func TestAStoredRowIsTheSameRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := runlogtest.Fact().Draw(t, "row")
		for _, other := range runlogtest.Facts(6).Draw(t, "others") {
			if other.Table() == row.Table() && other.CompareKey(row) == 0 {
				row.Join(other)
			}
		}
		cells := make([]runlog.Value, len(row.Table().Columns))
		for i := range cells {
			cells[i] = row.Value(i)
		}
		state := row.MergeState()
		loaded, err := runlog.LoadRow(row.Table(), slices.Clone(cells), state)
		if err != nil {
			t.Fatal(err)
		}
		if !loaded.Equal(row) {
			t.Fatalf("stored:\n%sloaded:\n%s", dump(row), dump(loaded))
		}
		damaged := state[:rapid.IntRange(0, len(state)-1).Draw(t, "cut")]
		if _, err := runlog.LoadRow(row.Table(), cells, damaged); err == nil {
			t.Fatalf("a cut merge state was accepted: %x of %x", damaged, state)
		}
	})
}

// end is a run's fact with an end.
func end(status semconv.Status, kind semconv.EndKind, at int64, fromSpan bool) *runlog.Row {
	r := runlog.NewFact(runlog.Runs, at, fromSpan, runlog.KeyValue("run"))
	r.Set(runlog.Runs.Column("status"), runlog.KeyValue(string(status)))
	r.Set(runlog.Runs.Column("end_kind"), runlog.KeyValue(string(kind)))
	r.Set(runlog.Runs.Column("ended_at"), runlog.TimeValue(at))
	return r
}

func TestTheWinningEnd(t *testing.T) {
	withCode := func(r *runlog.Row, code string) *runlog.Row {
		r.Set(runlog.Runs.Column("error_code"), runlog.KeyValue(code))
		return r
	}
	for name, tt := range map[string]struct{ winner, loser *runlog.Row }{
		"any end beats none": {
			end(semconv.StatusAbandoned, semconv.EndAbandoned, 1000, false),
			runlog.NewFact(runlog.Runs, 9000, true, runlog.KeyValue("run")),
		},
		"the stronger, however early": {
			end(semconv.StatusCompleted, semconv.EndExplicit, 1000, false),
			end(semconv.StatusFailed, semconv.EndParent, 9000, true),
		},
		"then the later": {
			end(semconv.StatusCompleted, semconv.EndExplicit, 1001, false),
			end(semconv.StatusFailed, semconv.EndExplicit, 1000, true),
		},
		"then failed before cancelled": {
			end(semconv.StatusFailed, semconv.EndExplicit, 1000, false),
			end(semconv.StatusCancelled, semconv.EndExplicit, 1000, true),
		},
		"then cancelled before completed": {
			end(semconv.StatusCancelled, semconv.EndExplicit, 1000, false),
			end(semconv.StatusCompleted, semconv.EndExplicit, 1000, true),
		},
		"then the span": {
			withCode(end(semconv.StatusFailed, semconv.EndExplicit, 1000, true), "A"),
			withCode(end(semconv.StatusFailed, semconv.EndExplicit, 1000, false), "B"),
		},
		"then the larger JSON": {
			withCode(end(semconv.StatusFailed, semconv.EndExplicit, 1000, true), "B"),
			withCode(end(semconv.StatusFailed, semconv.EndExplicit, 1000, true), "A"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, order := range [][]*runlog.Row{{tt.winner, tt.loser}, {tt.loser, tt.winner}} {
				got := order[0].Clone()
				got.Join(order[1])
				for i, c := range runlog.Runs.Columns {
					if c.Merge == runlog.End {
						assert.Equal(t, tt.winner.Value(i), got.Value(i), c.Name)
					}
				}
			}
		})
	}
}

func TestFilledFields(t *testing.T) {
	service, attributes := runlog.Runs.Column("service"), runlog.Runs.Column("attributes")
	early := runlog.NewFact(runlog.Runs, 1000, true, runlog.KeyValue("run"))
	early.Set(service, runlog.TextValue("z"))
	early.SetAttribute("a", `1`)
	early.SetAttribute("b", `1`)
	late := runlog.NewFact(runlog.Runs, 2000, false, runlog.KeyValue("run"))
	late.Set(service, runlog.TextValue("a"))
	late.SetAttribute("b", `2`)
	late.SetAttribute("c", `2`)
	blank := runlog.NewFact(runlog.Runs, 3000, true, runlog.KeyValue("run"))
	blank.Set(service, runlog.TextValue(""))

	got := late.Clone()
	assert.Equal(t, 2, got.Join(early), "service and attribute b were told differently")
	assert.Zero(t, got.Join(blank))
	assert.Equal(t, "a", got.Value(service).Text(), "the later one, and no blank")
	assert.Equal(t, `{"a":1,"b":2,"c":2}`, got.Value(attributes).Text(), "each key for itself")
	assert.EqualValues(t, 3, got.Value(runlog.Runs.Column("updated_at")).Int(), "microseconds of the latest fact")
}

func TestSpanFactsHideLogFacts(t *testing.T) {
	stage := func(attempt int64, fromSpan bool) *runlog.Row {
		return runlog.NewFact(runlog.Stages, 1000, fromSpan, runlog.KeyValue("run"), runlog.KeyValue("llm"), runlog.IntValue(attempt))
	}
	b := runlog.NewBatch()
	b.Add(stage(1, false))
	b.Add(stage(2, false))
	require.Len(t, b.Runs[0].Groups[0].Rows, 2)
	b.Add(stage(1, true))
	b.Add(stage(3, false))
	rows := b.Runs[0].Groups[0].Rows
	require.Len(t, rows, 1, "the span of one attempt hides the log facts of all attempts of the stage")
	assert.True(t, rows[0].FromSpan())
	assert.Equal(t, "run", b.Runs[0].Row.Value(0).Text(), "a stage tells that its run exists")
}

func TestSplitEndsWithSingleRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := runlogtest.InOrder(runlogtest.Facts(8).Draw(t, "facts"))
		want := dumpAll(b)
		var leaves []*runlog.Batch
		var split func(*runlog.Batch)
		split = func(b *runlog.Batch) {
			parts := b.Split()
			if parts == nil {
				if n := len(b.Runs[0].Groups); n > 1 || n == 1 && len(b.Runs[0].Groups[0].Rows) > 1 {
					t.Fatal("a part that is not divided further holds several rows")
				}
				leaves = append(leaves, b)
			}
			for _, p := range parts {
				split(p)
			}
		}
		split(b)
		if got := dumpAll(leaves...); got != want {
			t.Fatalf("whole:\n%s\nin parts:\n%s", want, got)
		}
	})
}

func TestUnknownColumn(t *testing.T) {
	assert.PanicsWithValue(t, `runlog: table runs has no column "nope"`, func() { runlog.Runs.Column("nope") })
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog

import "slices"

// Batch is facts joined per key, grouped by run in the order in which the runs were first told of.
type Batch struct {
	// Runs are the runs that the batch tells of.
	Runs []*Run
	// Conflicts counts where facts of the batch told different things (see [Row.Join]).
	Conflicts int

	byID map[string]*Run
}

// Run is what a batch says of one run.
type Run struct {
	ID string
	// Row is the run's own row; nil for the calls of foreign instrumentations, which belong to no run (ID "").
	Row *Row
	// Groups are the stages and provider calls.
	Groups []*Group

	byKey map[groupKey]*Group
	// part marks a run that Split has divided already.
	part bool
}

type groupKey struct {
	table *Table
	key   string
}

// Group is rows that are shown or hidden together: the attempts of one stage, or one call. Once any of them
// comes from a span, those that come from log records are gone for good: readers see span facts only.
type Group struct {
	Table *Table
	// Key is the stage's name or the call's id.
	Key string
	// Rows are sorted by key.
	Rows []*Row
}

// NewBatch makes an empty batch.
func NewBatch() *Batch { return &Batch{byID: map[string]*Run{}} }

// Add joins a fact to the batch, which owns it from then on. A fact about a stage or a call also tells that
// its run exists.
func (b *Batch) Add(fact *Row) {
	if fact.strength() == 0 {
		fact.clearEnd()
	}
	id := fact.values[0].text
	run, ok := b.byID[id]
	if !ok {
		run = &Run{ID: id, byKey: map[groupKey]*Group{}}
		b.byID[id] = run
		b.Runs = append(b.Runs, run)
	}
	if fact.table == Runs {
		b.addRun(run, fact)
		return
	}
	if id != "" && (run.Row == nil || !run.Row.knows(fact.endTime)) {
		b.addRun(run, NewFact(Runs, fact.endTime, false, fact.values[0]))
	}
	key := groupKey{fact.table, fact.values[1].text}
	group, ok := run.byKey[key]
	if !ok {
		group = &Group{Table: fact.table, Key: key.key}
		run.byKey[key] = group
		run.Groups = append(run.Groups, group)
	}
	b.Conflicts += group.Add(fact)
}

func (b *Batch) addRun(run *Run, fact *Row) {
	if run.Row == nil {
		run.Row = fact
		return
	}
	b.Conflicts += run.Row.Join(fact)
}

// Add joins a row to the group, which owns it from then on.
func (g *Group) Add(row *Row) (conflicts int) {
	if len(g.Rows) > 0 && g.Rows[0].span != row.span {
		if !row.span {
			return 0
		}
		g.Rows = nil
	}
	i, found := slices.BinarySearchFunc(g.Rows, row, (*Row).CompareKey)
	if found {
		return g.Rows[i].Join(row)
	}
	g.Rows = slices.Insert(g.Rows, i, row)
	return 0
}

// Split divides a batch that a store would not take as a whole: into its runs, or one run into its rows.
// It returns nil when there is nothing to divide.
func (b *Batch) Split() []*Batch {
	var parts []*Batch
	if len(b.Runs) > 1 {
		for _, r := range b.Runs {
			parts = append(parts, &Batch{Runs: []*Run{r}})
		}
		return parts
	}
	if len(b.Runs) == 0 || b.Runs[0].part {
		return nil
	}
	run := b.Runs[0]
	part := func(row *Row, groups ...*Group) {
		parts = append(parts, &Batch{Runs: []*Run{{ID: run.ID, Row: row, Groups: groups, part: true}}})
	}
	var bare *Row
	if run.Row != nil {
		part(run.Row)
		bare = run.Row.bare()
	}
	for _, g := range run.Groups {
		for _, r := range g.Rows {
			part(bare, &Group{Table: g.Table, Key: g.Key, Rows: []*Row{r}})
		}
	}
	return parts
}

// knows reports whether a run's row would not change by hearing that the run was there at a time.
func (r *Row) knows(eventTime int64) bool {
	return (r.strength() > 0 || r.endTime >= eventTime) && r.values[r.table.updated].Compare(TimeValue(eventTime)) >= 0
}

// bare is the row's key and time, all that a stage or call tells of its run.
func (r *Row) bare() *Row {
	return NewFact(r.table, r.values[r.table.updated].num*1000, false, r.values[0])
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog

import (
	"slices"
	"strconv"
	"strings"
)

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
	// ID is "" for what belongs to no run: the calls of foreign instrumentations, the transitions of breakers, events
	// of no run.
	ID string
	// Row is the run's own row; nil where ID is "".
	Row *Row
	// Groups are all other records.
	Groups []*Group

	byKey map[groupKey]*Group
	// part marks a run that Split has divided already.
	part bool
}

type groupKey struct {
	table *Table
	key   string
}

// Group is rows that are shown or hidden together: the attempts of one stage, or any other record by itself. Once any
// of them comes from a span, those that come from log records are gone for good: readers see span facts only.
type Group struct {
	Table *Table
	// Key names the group below its run: the stage's name, the call's id. Where several columns do (see
	// [Table.GroupColumns]), their values are joined by NUL, which no text holds.
	Key string
	// Rows are sorted by key; there is one at least.
	Rows []*Row
}

// NewBatch makes an empty batch.
func NewBatch() *Batch { return &Batch{byID: map[string]*Run{}} }

// Add joins a fact to the batch, which owns it from then on. A fact about anything in a run also tells that the run
// exists.
func (b *Batch) Add(fact *Row) {
	if fact.strength() == 0 {
		fact.clearEnd()
	}
	id := ""
	if fact.table.OfRun() {
		id = fact.values[0].text
	}
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
	key := groupKey{fact.table, fact.groupKey()}
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

// Rejection names the one row of a batch that Split does not divide.
func (b *Batch) Rejection(err error) Rejection {
	run := b.Runs[0]
	r := Rejection{Table: Runs.Name, RunID: run.ID, Err: err}
	if len(run.Groups) > 0 {
		r.Table, r.Key = run.Groups[0].Table.Name, strings.ReplaceAll(run.Groups[0].Key, "\x00", " ")
	}
	return r
}

// groupKey is the [Group.Key] of the row's group.
func (r *Row) groupKey() string {
	columns := r.table.group
	if r.table.OfRun() {
		columns = columns[1:]
	}
	if len(columns) == 1 {
		return r.values[columns[0]].text
	}
	parts := make([]string, len(columns))
	for i, column := range columns {
		v := r.values[column]
		parts[i] = v.text
		if v.kind == Int {
			parts[i] = strconv.FormatInt(v.num, 10)
		}
	}
	return strings.Join(parts, "\x00")
}

// knows reports whether a run's row would not change by hearing that the run was there at a time.
func (r *Row) knows(eventTime int64) bool {
	return (r.strength() > 0 || r.endTime >= eventTime) && r.values[r.table.updated].Compare(TimeValue(eventTime)) >= 0
}

// bare is the row's key and time, all that anything in a run tells of the run.
func (r *Row) bare() *Row {
	return NewFact(r.table, r.values[r.table.updated].num*1000, false, r.values[0])
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"context"
	"database/sql/driver"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// writer writes one batch within one transaction.
type writer struct {
	*Store
	rows      map[*runlog.Table]int64
	conflicts int
}

func (w *writer) write(ctx context.Context, b *runlog.Batch) error {
	for _, run := range b.Runs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.writeRun(run); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writeRun(run *runlog.Run) error {
	number, isNew := int64(0), false
	if run.Row != nil {
		var err error
		if number, isNew, err = w.joinRun(run.ID, run.Row); err != nil {
			return err
		}
	}
	for _, g := range run.Groups {
		if err := w.joinGroup(w.statements[g.Table], run.ID, number, isNew, g); err != nil {
			return err
		}
	}
	return nil
}

// joinRun writes a run's row and returns its number, and whether the run was new: then nothing is below it.
func (w *writer) joinRun(runID string, row *runlog.Row) (number int64, isNew bool, err error) {
	var old *runlog.Row
	s := w.statements[runlog.Runs]
	w.args.reset()
	w.args.add(runID)
	err = s.read.query(w.args, func(cells []driver.Value) (err error) {
		number, _ = cells[len(cells)-1].(int64)
		old, err = loadRow(runlog.Runs, runID, cells)
		return err
	})
	if err != nil {
		return 0, false, err
	}
	if old == nil {
		w.args.reset()
		w.args.addRow(row, 0)
		w.rows[runlog.Runs]++
		number, err = s.insert.exec(w.args)
		return number, true, err
	}
	joined := old.Clone()
	w.conflicts += joined.Join(row)
	if joined.Equal(old) {
		return number, false, nil
	}
	w.args.reset()
	w.args.addRow(joined, 0)
	w.args.add(number)
	w.rows[runlog.Runs]++
	_, err = s.update.exec(w.args)
	return number, false, err
}

// joinGroup writes the rows of a group.
func (w *writer) joinGroup(s *statements, runID string, number int64, isNew bool, g *runlog.Group) error {
	if isNew {
		return w.insert(s, number, g.Rows)
	}
	// A group shows log facts or span facts, never both, so what is stored decides with what comes.
	stored := &runlog.Group{Table: g.Table, Key: g.Key}
	var before []*runlog.Row
	w.args.reset()
	for _, column := range g.Table.GroupColumns() {
		w.args.addCell(g.Rows[0], column, number)
	}
	err := s.read.query(w.args, func(cells []driver.Value) error {
		row, err := loadRow(g.Table, runID, cells)
		if err != nil {
			return err
		}
		before = append(before, row)
		stored.Add(row.Clone())
		return nil
	})
	if err != nil {
		return err
	}
	for _, row := range g.Rows {
		w.conflicts += stored.Add(row)
	}
	gone, changed := diff(before, stored.Rows)
	for _, row := range gone {
		w.args.reset()
		for i, c := range g.Table.Columns {
			if c.Merge == runlog.Key {
				w.args.addCell(row, i, number)
			}
		}
		if _, err := s.remove.exec(w.args); err != nil {
			return err
		}
	}
	return w.insert(s, number, changed)
}

func (w *writer) insert(s *statements, number int64, rows []*runlog.Row) error {
	for _, row := range rows {
		w.args.reset()
		w.args.addRow(row, number)
		if _, err := s.insert.exec(w.args); err != nil {
			return err
		}
	}
	if len(rows) > 0 {
		w.rows[s.table] += int64(len(rows))
	}
	return nil
}

// diff says which rows of before are gone in after, and which of after are new or changed. Both are sorted.
func diff(before, after []*runlog.Row) (gone, changed []*runlog.Row) {
	for len(before) > 0 && len(after) > 0 {
		switch d := before[0].CompareKey(after[0]); {
		case d < 0:
			gone, before = append(gone, before[0]), before[1:]
		case d > 0:
			changed, after = append(changed, after[0]), after[1:]
		default:
			if !before[0].Equal(after[0]) {
				changed = append(changed, after[0])
			}
			before, after = before[1:], after[1:]
		}
	}
	return append(gone, before...), append(changed, after...)
}

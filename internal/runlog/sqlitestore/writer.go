// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"context"
	"database/sql/driver"
	"fmt"

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
	known := &knownRun{} // of what belongs to no run, nothing
	if run.Row != nil {
		if k := w.recent.take(run.ID); k != nil {
			known = k
		}
		if err := w.joinRun(run.ID, run.Row, known); err != nil {
			return err
		}
	}
	for _, g := range run.Groups {
		if err := w.joinGroup(w.statements[g.Table], run.ID, known, g); err != nil {
			return err
		}
	}
	if run.Row != nil {
		w.recent.put(run.ID, known)
	}
	return nil
}

// joinRun writes a run's row, and makes known what is stored of the run then.
func (w *writer) joinRun(runID string, row *runlog.Row, known *knownRun) error {
	s := w.statements[runlog.Runs]
	if known.row == nil {
		added, err := w.addRun(s, row, known)
		if err != nil || added {
			return err
		}
		if err := w.readRun(s, runID, known); err != nil {
			return err
		}
	}
	joined := known.row.Clone()
	w.conflicts += joined.Join(row)
	if joined.Equal(known.row) {
		return nil
	}
	w.args.reset()
	update, err := s.update(w.args.addChanges(joined, known.row))
	if err != nil {
		return err
	}
	w.args.add(known.number)
	known.row = joined
	w.rows[runlog.Runs]++
	_, err = update.exec(w.args)
	return err
}

// addRun adds a run that nothing is stored of. If something is, it does nothing.
func (w *writer) addRun(s *statements, row *runlog.Row, known *knownRun) (added bool, err error) {
	res, err := w.insert(s, row, 0)
	if err != nil {
		return false, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	if known.number, err = res.LastInsertId(); err != nil {
		return false, err
	}
	known.row, known.whole = row, true
	w.rows[runlog.Runs]++
	return true, nil
}

func (w *writer) readRun(s *statements, runID string, known *knownRun) error {
	w.args.reset()
	w.args.add(runID)
	err := s.read.query(w.args, func(cells []driver.Value) (err error) {
		known.number, _ = cells[len(cells)-1].(int64)
		known.row, err = loadRow(runlog.Runs, runID, cells)
		return err
	})
	if err == nil && known.row == nil {
		// An insert found it there: a trigger of somebody else's, or a damaged index.
		return fmt.Errorf("%w in runs: run %q is neither there nor can be added", errDamaged, runID)
	}
	return err
}

// joinGroup writes the rows of a group, and makes them known.
func (w *writer) joinGroup(s *statements, runID string, known *knownRun, g *runlog.Group) error {
	key := groupKey{g.Table, g.Key}
	before, ok := known.groups[key]
	if !ok && !known.whole {
		var err error
		if before, err = w.readGroup(s, runID, known.number, g); err != nil {
			return err
		}
	}
	after, gone, changed := g.Rows, []*runlog.Row(nil), g.Rows
	if len(before) > 0 {
		// A group shows log facts or span facts, never both, so what is stored decides with what comes.
		stored := &runlog.Group{Table: g.Table, Key: g.Key}
		for _, row := range before {
			stored.Add(row.Clone())
		}
		for _, row := range g.Rows {
			w.conflicts += stored.Add(row)
		}
		after = stored.Rows
		gone, changed = diff(before, after)
	}
	for _, row := range gone {
		w.args.reset()
		w.args.addKey(row, len(keyColumns(g.Table)), known.number)
		if _, err := s.remove.exec(w.args); err != nil {
			return err
		}
	}
	for _, row := range changed {
		if _, err := w.insert(s, row, known.number); err != nil {
			return err
		}
	}
	if len(changed) > 0 {
		w.rows[g.Table] += int64(len(changed))
	}
	known.setGroup(key, after)
	return nil
}

func (w *writer) readGroup(s *statements, runID string, number int64, g *runlog.Group) (rows []*runlog.Row, err error) {
	w.args.reset()
	w.args.addKey(g.Rows[0], len(g.Table.GroupColumns()), number)
	err = s.read.query(w.args, func(cells []driver.Value) error {
		row, err := loadRow(g.Table, runID, cells)
		if err == nil {
			rows = append(rows, row)
		}
		return err
	})
	return rows, err
}

func (w *writer) insert(s *statements, row *runlog.Row, number int64) (driver.Result, error) {
	w.args.reset()
	insert, err := s.insert(w.args.addRow(row, number))
	if err != nil {
		return nil, err
	}
	return insert.exec(w.args)
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

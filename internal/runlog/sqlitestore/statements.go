// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"database/sql/driver"
	"fmt"
	"strings"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// statements are what the writer does to one table. All parameters are in the order of the table's columns,
// then the merge state; below a run its number stands for run_id.
type statements struct {
	table *runlog.Table
	// read selects what is kept of a run by its id, or of a group by its columns.
	read stmt
	// insert adds a row, or replaces the one of its key unless it is a run.
	insert stmt
	// update writes over a run; its number is the last parameter.
	update stmt
	// remove deletes a row, which is no run, by its key.
	remove stmt
}

func prepare(c conn, t *runlog.Table) (s *statements, err error) {
	s = &statements{table: t}
	var names []string
	var keys []string
	for i, col := range t.Columns {
		name := col.Name
		if i == 0 && belowRun(t) {
			name = "run"
		}
		names = append(names, name)
		if col.Merge == runlog.Key {
			keys = append(keys, name+" = ?")
		}
	}
	names = append(names, "merge")
	table := dataTable(t)
	prepare := func(to *stmt, format string, args ...any) {
		if err == nil {
			*to, err = c.prepare(fmt.Sprintf(format, args...))
		}
	}
	insert := "INSERT INTO %s (%s) VALUES (?%s)"
	if t == runlog.Runs {
		prepare(&s.read, "SELECT %s, id FROM %s WHERE %s", strings.Join(names, ", "), table, keys[0])
		prepare(&s.update, "UPDATE %s SET %s = ? WHERE id = ?", table, strings.Join(names, " = ?, "))
	} else {
		insert = strings.Replace(insert, "INSERT", "INSERT OR REPLACE", 1)
		group := strings.Join(keys[:len(t.GroupColumns())], " AND ")
		prepare(&s.read, "SELECT %s FROM %s WHERE %s", strings.Join(names, ", "), table, group)
		prepare(&s.remove, "DELETE FROM %s WHERE %s", table, strings.Join(keys, " AND "))
	}
	prepare(&s.insert, insert, table, strings.Join(names, ", "), strings.Repeat(", ?", len(names)-1))
	return s, err
}

func (s *statements) close() {
	for _, one := range []stmt{s.read, s.insert, s.update, s.remove} {
		if one.Stmt != nil {
			_ = one.Close()
		}
	}
}

// args are parameters in the making; the memory is used again for the next statement.
type args []driver.NamedValue

func (a *args) reset() { *a = (*a)[:0] }

func (a *args) add(v driver.Value) {
	*a = append(*a, driver.NamedValue{Ordinal: len(*a) + 1, Value: v})
}

// addRow adds all cells of a row and its merge state; below a run its number stands for run_id.
func (a *args) addRow(r *runlog.Row, number int64) {
	for i := range r.Table().Columns {
		a.addCell(r, i, number)
	}
	a.add(r.MergeState())
}

func (a *args) addCell(r *runlog.Row, column int, number int64) {
	if column == 0 && belowRun(r.Table()) {
		a.add(number)
	} else {
		a.add(sqlValue(r.Value(column)))
	}
}

// belowRun tells that the table's rows are keyed by their run's number.
func belowRun(t *runlog.Table) bool { return t.OfRun() && t != runlog.Runs }

func sqlValue(v runlog.Value) driver.Value {
	switch v.Kind() {
	case runlog.Int:
		return v.Int()
	case runlog.Float:
		return v.Float()
	case runlog.String:
		return v.Text()
	}
	return nil
}

// loadRow reads a row of the read statement; runID is the run's own id.
func loadRow(t *runlog.Table, runID string, row []driver.Value) (*runlog.Row, error) {
	values := make([]runlog.Value, len(t.Columns))
	for i := range values {
		switch v := row[i].(type) {
		case int64:
			values[i] = runlog.IntValue(v)
		case float64:
			values[i] = runlog.FloatValue(v)
		case string:
			values[i] = runlog.KeyValue(v)
		}
	}
	if t.OfRun() {
		values[0] = runlog.KeyValue(runID)
	}
	merge, _ := row[len(t.Columns)].([]byte)
	r, err := runlog.LoadRow(t, values, merge)
	if err != nil {
		return nil, fmt.Errorf("%w in %s of run %q: %w", errDamaged, t.Name, runID, err)
	}
	return r, nil
}

// keyColumns are the columns of the primary key of a table that is not of runs.
func keyColumns(t *runlog.Table) (names []string) {
	for i, c := range t.Columns {
		switch {
		case c.Merge != runlog.Key:
		case i == 0 && belowRun(t):
			names = append(names, "run")
		default:
			names = append(names, c.Name)
		}
	}
	return names
}

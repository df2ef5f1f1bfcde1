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
// then the merge state; the first column, run_id, is the run's number below a run.
type statements struct {
	table *runlog.Table
	// read selects what is kept of a run by its id, or of a group by run and key.
	read stmt
	// insert adds a row, or replaces the one of its key below a run.
	insert stmt
	// update writes over a run; its number is the last parameter.
	update stmt
	// remove deletes a row below a run by its key.
	remove stmt
}

func prepare(c conn, t *runlog.Table) (s *statements, err error) {
	s = &statements{table: t}
	var names []string
	var keys []string
	for i, col := range t.Columns {
		name := col.Name
		if i == 0 && t != runlog.Runs {
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
		prepare(&s.read, "SELECT %s FROM %s WHERE %s AND %s", strings.Join(names, ", "), table, keys[0], keys[1])
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

// addRow adds all cells of a row and its merge state; first stands in for run_id below a run.
func (a *args) addRow(r *runlog.Row, first driver.Value) {
	for i := range r.Table().Columns {
		if i == 0 {
			a.add(first)
		} else {
			a.add(sqlValue(r.Value(i)))
		}
	}
	a.add(r.MergeState())
}

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
	values[0] = runlog.KeyValue(runID)
	merge, _ := row[len(t.Columns)].([]byte)
	r, err := runlog.LoadRow(t, values, merge)
	if err != nil {
		return nil, fmt.Errorf("%w in %s of run %q: %w", errDamaged, t.Name, runID, err)
	}
	return r, nil
}

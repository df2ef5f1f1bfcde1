// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"database/sql/driver"
	"fmt"
	"strings"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// statements are what the writer does to one table. Below a run its number stands for run_id.
type statements struct {
	conn  conn
	table *runlog.Table
	// read selects what is kept of a run by its id, or of a group by its columns: all columns, the merge state, and of a
	// run its number.
	read stmt
	// remove deletes a row, which is no run, by its key.
	remove stmt
	// inserts and updates are by the columns that they write. To bind a NULL costs as much as to bind a value, and most
	// columns of a row have none; to write a column that has not changed writes its indexes again.
	inserts, updates *simplelru.LRU[columnSet, stmt]
}

// maxShapes is how many statements are kept for one table: rows mostly have their values in the same few sets of columns.
const maxShapes = 64

// columnSet is columns of a table, one bit each.
type columnSet uint64

func (c columnSet) has(column int) bool { return c>>column&1 == 1 }

func prepare(c conn, t *runlog.Table) (s *statements, err error) {
	s = &statements{conn: c, table: t}
	closeEvicted := func(_ columnSet, st stmt) { _ = st.Close() }
	if s.inserts, err = simplelru.NewLRU(maxShapes, closeEvicted); err != nil {
		return s, err
	}
	if s.updates, err = simplelru.NewLRU(maxShapes, closeEvicted); err != nil {
		return s, err
	}
	all := strings.Join(s.names(^columnSet(0)), ", ")
	keys := keyColumns(t)
	if t == runlog.Runs {
		s.read, err = c.prepare(fmt.Sprintf("SELECT %s, id FROM %s WHERE run_id = ?", all, dataTable(t)))
		return s, err
	}
	group := keys[:len(t.GroupColumns())]
	if s.read, err = c.prepare(fmt.Sprintf("SELECT %s FROM %s WHERE %s = ?", all, dataTable(t), strings.Join(group, " = ? AND "))); err != nil {
		return s, err
	}
	s.remove, err = c.prepare(fmt.Sprintf("DELETE FROM %s WHERE %s = ?", dataTable(t), strings.Join(keys, " = ? AND ")))
	return s, err
}

// insert adds a row with these columns and the merge state, or replaces the one of its key; a run that there is it leaves
// as it is.
func (s *statements) insert(columns columnSet) (stmt, error) {
	if st, ok := s.inserts.Get(columns); ok {
		return st, nil
	}
	names := s.names(columns)
	sql := fmt.Sprintf("INTO %s (%s) VALUES (?%s)", dataTable(s.table), strings.Join(names, ", "), strings.Repeat(", ?", len(names)-1))
	if s.table == runlog.Runs {
		sql = "INSERT " + sql + " ON CONFLICT (run_id) DO NOTHING"
	} else {
		sql = "INSERT OR REPLACE " + sql
	}
	st, err := s.conn.prepare(sql)
	if err == nil {
		s.inserts.Add(columns, st)
	}
	return st, err
}

// update writes these columns and the merge state of a run; its number is the last parameter.
func (s *statements) update(columns columnSet) (stmt, error) {
	if st, ok := s.updates.Get(columns); ok {
		return st, nil
	}
	st, err := s.conn.prepare(fmt.Sprintf("UPDATE %s SET %s = ? WHERE id = ?", dataTable(s.table), strings.Join(s.names(columns), " = ?, ")))
	if err == nil {
		s.updates.Add(columns, st)
	}
	return st, err
}

// names are those of columns and of the merge state in the data table.
func (s *statements) names(columns columnSet) (names []string) {
	for i, c := range s.table.Columns {
		switch {
		case !columns.has(i):
		case i == 0 && belowRun(s.table):
			names = append(names, "run")
		default:
			names = append(names, c.Name)
		}
	}
	return append(names, "merge")
}

func (s *statements) close() {
	for _, one := range []stmt{s.read, s.remove} {
		if one.Stmt != nil {
			_ = one.Close()
		}
	}
	s.inserts.Purge()
	s.updates.Purge()
}

// args are parameters in the making; the memory is used again for the next statement.
type args []driver.NamedValue

func (a *args) reset() { *a = (*a)[:0] }

// release lets go of all values that were ever in it.
func (a *args) release() { clear((*a)[:cap(*a)]) }

func (a *args) add(v driver.Value) {
	*a = append(*a, driver.NamedValue{Ordinal: len(*a) + 1, Value: v})
}

// addSame leaves what the statement before had in this place if it is the same, for every new one is allocated.
func addSame[T comparable](a *args, v T) {
	if before, ok := a.before().(T); ok && before == v {
		*a = (*a)[:len(*a)+1]
		return
	}
	a.add(v)
}

// before is what the next place held before the reset.
func (a *args) before() driver.Value {
	if n := len(*a); n < cap(*a) {
		return (*a)[:n+1][n].Value
	}
	return nil
}

// addRow adds the cells that a row has and its merge state; below a run its number stands for run_id.
func (a *args) addRow(r *runlog.Row, number int64) (columns columnSet) {
	for i := range r.Table().Columns {
		if v := r.Value(i); !v.IsNull() {
			columns |= 1 << i
			a.addCell(r, i, v, number)
		}
	}
	a.add(r.MergeState())
	return columns
}

// addChanges adds the cells that a run has otherwise than before, and its merge state.
func (a *args) addChanges(r, before *runlog.Row) (columns columnSet) {
	for i := range r.Table().Columns {
		if v := r.Value(i); v != before.Value(i) {
			columns |= 1 << i
			a.addCell(r, i, v, 0)
		}
	}
	a.add(r.MergeState())
	return columns
}

// addKey adds the first cells of a row, which are of its key.
func (a *args) addKey(r *runlog.Row, cells int, number int64) {
	for i := range cells {
		a.addCell(r, i, r.Value(i), number)
	}
}

func (a *args) addCell(r *runlog.Row, column int, v runlog.Value, number int64) {
	switch {
	case column == 0 && belowRun(r.Table()):
		addSame(a, number)
	case v.Kind() == runlog.Int:
		addSame(a, v.Int())
	case v.Kind() == runlog.Float:
		addSame(a, v.Float())
	case v.Kind() == runlog.String:
		addSame(a, v.Text())
	default:
		a.add(nil)
	}
}

// belowRun tells that the table's rows are keyed by their run's number.
func belowRun(t *runlog.Table) bool { return t.OfRun() && t != runlog.Runs }

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

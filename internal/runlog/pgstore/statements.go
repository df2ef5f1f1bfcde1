// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"fmt"
	"strings"
	"sync"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// statements are what the store does to one table. All parameters are arrays, a row to each index.
type statements struct {
	table   *runlog.Table
	columns []column
	// keys is how many columns the key has; they stand first.
	keys int
	// into and conflict are the ends of the statement that writes, see write.
	into, conflict string
	// read takes keys and answers all columns but the last.
	read string
	// encoders are kept for their memory.
	encoders sync.Pool
}

func newStatements(schema string, t *runlog.Table) *statements {
	s := &statements{table: t, columns: columns(t)}
	var names, keys, set, matches []string
	for _, c := range s.columns {
		names = append(names, c.name)
		if c.key {
			keys = append(keys, c.name)
			matches = append(matches, fmt.Sprintf("t.%[1]s = k.%[1]s", c.name))
		} else {
			set = append(set, fmt.Sprintf("%[1]s = excluded.%[1]s", c.name))
		}
	}
	// What is stored never expects anything.
	set[len(set)-1] = expectedColumn + " = NULL"
	s.keys = len(keys)
	takes := fmt.Sprintf("t.%s = excluded.%s", revisionColumn, expectedColumn)
	if replaceable(t) {
		takes = fmt.Sprintf("%s OR (excluded.%[2]s AND NOT t.%[2]s)", takes, spanColumn)
	}
	table := quote(schema) + "." + quote(dataTable(t))
	s.into = "INSERT INTO " + table + " AS t"
	s.conflict = fmt.Sprintf("ON CONFLICT (%s) DO UPDATE SET %s WHERE %s RETURNING t.%s",
		strings.Join(keys, ", "), strings.Join(set, ", "), takes, revisionColumn)
	s.read = fmt.Sprintf("SELECT t.%s FROM unnest(%s) AS k (%s) JOIN %s AS t ON %s",
		strings.Join(names[:len(names)-1], ", t."), placeholders(s.columns[:s.keys]), strings.Join(keys, ", "), table,
		strings.Join(matches, " AND "))
	return s
}

// write takes these columns, the others of the rows being NULL, and answers the revisions of the rows that it took. Most
// columns hold nothing in most lots of rows, and an array of NULLs costs the server as much as any.
func (s *statements) write(columns []column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return fmt.Sprintf("%s (%s) SELECT * FROM unnest(%s) %s", s.into, strings.Join(names, ", "), placeholders(columns), s.conflict)
}

// placeholders are those of arrays.
func placeholders(columns []column) string {
	var out []string
	for i, c := range columns {
		out = append(out, fmt.Sprintf("$%d::%s[]", i+1, c.sqlType.name))
	}
	return strings.Join(out, ", ")
}

// dataTable is the table behind a view.
func dataTable(t *runlog.Table) string { return t.Name + "_data" }

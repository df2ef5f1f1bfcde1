// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/runlogtest"
)

// place is a database in a directory of its own.
type place string

func TestConformance(t *testing.T) { runlogtest.Conformance(t, newPlace) }

// newPlace makes its own directory, because cases of a property have none.
func newPlace(t runlogtest.TB) runlogtest.Place {
	dir, err := os.MkdirTemp("", "runlog")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return place(filepath.Join(dir, "runlog.db"))
}

func (p place) Open(t runlogtest.TB) runlog.Store { return open(t, string(p)) }

func (p place) Settle(runlogtest.TB) {}

func (p place) Dump(t runlogtest.TB) string { return physical(t, string(p)) }

// Refuse has a trigger refuse what SQLite itself would refuse at a billion bytes.
func (p place) Refuse(t runlogtest.TB, table *runlog.Table) {
	c, err := openConn(string(p))
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.exec("CREATE TRIGGER big_"+table.Name+" BEFORE INSERT ON "+dataTable(table)+
		" WHEN length(NEW.attributes) > 10000 BEGIN SELECT RAISE(ABORT, 'too big'); END"))
}

// physical writes out every byte of every row. Only a run's number, which tells who came first, is replaced by
// the run's id.
func physical(t require.TestingT, path string) string {
	db, err := sql.Open("sqlite", uri(path, "mode=ro"))
	require.NoError(t, err)
	defer db.Close()
	var out strings.Builder
	for _, table := range runlog.Tables {
		var columns []string
		for _, c := range table.Columns {
			columns = append(columns, "d."+c.Name)
		}
		from := dataTable(table) + " d"
		if belowRun(table) {
			columns[0] = "r.run_id"
			from += " JOIN runs_data r ON r.id = d.run"
		}
		columns = append(columns, "d.merge")
		rows, err := db.Query(fmt.Sprintf("SELECT quote(%s) FROM %s", strings.Join(columns, ") || ' ' || quote("), from))
		require.NoError(t, err)
		defer rows.Close()
		var lines []string
		for rows.Next() {
			var line string
			require.NoError(t, rows.Scan(&line))
			lines = append(lines, table.Name+" "+line)
		}
		require.NoError(t, rows.Err())
		slices.Sort(lines)
		out.WriteString(strings.Join(lines, "\n") + "\n")
	}
	return out.String()
}

func open(t require.TestingT, path string) *Store {
	s, err := Open(path)
	require.NoError(t, err)
	return s
}

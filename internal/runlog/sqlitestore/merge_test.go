// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/runlogtest"
)

// physical writes out every byte of every row. Only a run's number, which tells who came first, is replaced by
// the run's id.
func physical(t require.TestingT, path string) string {
	db, err := sql.Open("sqlite", uri(path, "mode=ro"))
	require.NoError(t, err)
	defer db.Close()
	var out strings.Builder
	for _, table := range runlog.Tables {
		columns := []string{"r.run_id"}
		for _, c := range table.Columns[1:] {
			columns = append(columns, "d."+c.Name)
		}
		columns = append(columns, "d.merge")
		on := "r.id = d.run"
		if table == runlog.Runs {
			on = "r.id = d.id"
		}
		rows, err := db.Query(fmt.Sprintf("SELECT typeof(%[1]s) || quote(%[1]s) FROM %[2]s d JOIN runs_data r ON %[3]s",
			strings.Join(columns, ") || ' ' || quote("), dataTable(table), on))
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

func TestAnyTellingOfTheSameFactsGivesTheSameBytes(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		facts := runlogtest.Facts(8).Draw(t, "facts")
		a, b := filepath.Join(dir, "a.db"), filepath.Join(dir, "b.db")
		defer os.Remove(a)
		defer os.Remove(b)

		s := open(t, a)
		tell(t, s, runlogtest.InOrder(facts))
		require.NoError(t, s.Close())

		// The other database is told by two collectors, which may stop and start in between.
		stores := []*Store{open(t, b), open(t, b)}
		for _, batch := range runlogtest.Shuffled(t, facts) {
			i := rapid.IntRange(0, 1).Draw(t, "collector")
			tell(t, stores[i], batch)
			if rapid.Bool().Draw(t, "restart") {
				require.NoError(t, stores[i].Close())
				stores[i] = open(t, b)
			}
		}
		require.NoError(t, stores[0].Close())
		require.NoError(t, stores[1].Close())

		if want, got := physical(t, a), physical(t, b); want != got {
			t.Fatalf("in order:\n%s\nshuffled:\n%s", want, got)
		}
	})
}

func tell(t require.TestingT, s *Store, b *runlog.Batch) {
	res, err := s.Write(context.Background(), b)
	require.NoError(t, err)
	require.Empty(t, res.Rejected)
}

func TestFactsThatSayNothingNewWriteNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := open(t, filepath.Join(tempDir(t), "runlog.db"))
		defer s.Close()
		facts := runlogtest.Facts(5).Draw(t, "facts")
		first, err := s.Write(context.Background(), runlogtest.InOrder(facts))
		require.NoError(t, err)
		require.NotEmpty(t, first.Rows)
		again, err := s.Write(context.Background(), runlogtest.InOrder(facts))
		require.NoError(t, err)
		for table, n := range again.Rows {
			require.Zero(t, n, table)
		}
	})
}

func open(t require.TestingT, path string) *Store {
	s, err := Open(path)
	require.NoError(t, err)
	return s
}

func tempDir(t *rapid.T) string {
	dir, err := os.MkdirTemp("", "runlog")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

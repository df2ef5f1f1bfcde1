// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// olderDatabase makes a database as a release of an earlier version left it, with rows in it.
func olderDatabase(t *testing.T, version int) string {
	path := filepath.Join(t.TempDir(), "runlog.db")
	c, err := openConn(path)
	require.NoError(t, err)
	require.NoError(t, c.exec(pragmas))
	schema, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("schema_v%d.sql", version)))
	require.NoError(t, err)
	statements := strings.Split(string(schema), ";\n\n")
	order := map[string]int{"CREATE TABLE": 1, "CREATE INDEX": 2, "CREATE VIEW": 3}
	rank := func(statement string) int {
		words := strings.Fields(statement)
		if len(words) < 2 {
			return 0
		}
		return order[words[0]+" "+words[1]]
	}
	slices.SortStableFunc(statements, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	for _, statement := range statements {
		require.NoError(t, c.exec(statement))
	}
	rows, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("rows_v%d.sql", version)))
	require.NoError(t, err)
	require.NoError(t, c.exec(string(rows)))
	require.NoError(t, c.exec(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version)))
	require.NoError(t, c.Close())
	return path
}

func TestMigrationFromEveryEarlierVersion(t *testing.T) {
	fresh := filepath.Join(t.TempDir(), "fresh.db")
	require.NoError(t, open(t, fresh).Close())
	const schema = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name"
	for version := 1; version < len(migrations()); version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			path := olderDatabase(t, version)
			s := open(t, path)
			defer s.Close()
			assert.Equal(t, query(t, fresh, schema), query(t, path, schema), "as if it had been made today")
			assert.Equal(t, [][]any{
				{"run-1", "svc", "failed", "TIMEOUT", `{"a":1,"b":"x"}`, "2023-11-14T22:13:29.000000Z"},
				{"run-2", nil, "running", nil, nil, "2023-11-14T22:13:21.000000Z"},
			}, query(t, path, "SELECT run_id, service, status, error_code, attributes, updated_at FROM runs ORDER BY run_id"))
			assert.Equal(t, [][]any{{"", "trace-span"}, {"run-1", "call-1"}},
				query(t, path, "SELECT run_id, call_id FROM provider_calls ORDER BY run_id"))

			// What was stored is joined as ever: the span replaces the log's stage, the stronger end the inferred one,
			// a later service the earlier.
			later := end("run-1", semconv.StatusCompleted, 3)
			later.Set(runlog.Runs.Column("service"), runlog.TextValue("a service told earlier"))
			later.SetAttribute("b", `"told earlier"`)
			later.SetAttribute("c", `3`)
			write(t, s, later, stage("run-1", "llm", 2, true), tool("run-1", "act-1", 1), event("run-1", 1), call("run-1", "call-1"))
			assert.Equal(t, [][]any{{"a service told earlier", "completed", nil, `{"a":1,"b":"x","c":3}`}},
				query(t, path, "SELECT service, status, error_code, attributes FROM runs WHERE run_id = 'run-1'"))
			assert.Equal(t, [][]any{{int64(2)}}, query(t, path, "SELECT attempt FROM stages"))
			assert.Equal(t, [][]any{{int64(1)}}, query(t, path, "SELECT tool_calls FROM run_summary WHERE run_id = 'run-1'"))
		})
	}
}

func TestTwoCollectorsThatStartAtOnceMigrateOnce(t *testing.T) {
	path := olderDatabase(t, 1)
	stores := make([]*Store, 4)
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() {
			var err error
			stores[i], err = Open(path)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	for i, s := range stores {
		write(t, s, run(fmt.Sprintf("new-%d", i), 0))
		require.NoError(t, s.Close())
	}
	assert.Equal(t, [][]any{{int64(6)}}, query(t, path, "SELECT count(*) FROM runs"))
}

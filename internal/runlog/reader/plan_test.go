// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/sqlitestore"
)

// What people wait for must not read the whole log.
func TestQueriesUseIndexes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s, err := sqlitestore.Open(path)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	r, err := Open(context.Background(), path)
	require.NoError(t, err)
	defer r.Close()

	hour := time.Now().Add(-time.Hour)
	last := NewRecord([]string{"run_id", "started_at"}, []any{"x", hour})
	for name, q := range map[string]*query{
		"list":                      r.runs(Filter{}),
		"list by time":              r.runs(Filter{Since: hour, Until: time.Now()}),
		"list by all":               r.runs(Filter{Since: hour, Status: []string{"failed"}, Pipeline: "p", Code: "c", User: "u", Session: "s", Provider: "x"}),
		"list by ids":               r.runs(Filter{RunIDs: []string{"a", "b"}, Status: []string{"failed"}}),
		"find":                      r.prefixed("abc", 6),
		"show":                      r.byID("*", []string{"x"}),
		"stages":                    r.below(viewStages, []string{"x", "y"}),
		"provider calls":            r.below(viewProviderCalls, []string{"x", "y"}),
		"tool calls":                r.below(viewToolCalls, []string{"x", "y"}),
		"events":                    r.below(viewEvents, []string{"x", "y"}),
		"children":                  r.children("x"),
		"providers since":           r.providers(Filter{Since: hour}),
		"failures of the last hour": r.failures(Filter{Since: hour}),
		"changed":                   r.changed(Change{UpdatedAt: hour, RunID: "x"}),
		"of a user":                 r.runs(Filter{User: "u"}),
		"page":                      r.page(Filter{}, last).limit(100),
		"page without start":        r.pageWithoutStart(Filter{}, last).limit(100),
	} {
		t.Run(name, func(t *testing.T) {
			plan := explain(t, r, q)
			for _, line := range strings.Split(plan, "\n") {
				// A scan along an index in the order of the answer ends at the limit.
				if table, ok := strings.CutPrefix(line, "SCAN "); ok && !strings.Contains(line, "USING INDEX") && !derived.MatchString(table) {
					assert.Fail(t, "reads a whole table", plan)
				}
			}
		})
	}
}

// derived are rows of a query in the middle, not of a table.
var derived = regexp.MustCompile(`^(counted|ranked|\(subquery-\d+\)|CONSTANT ROW)$`)

func explain(t *testing.T, r *Reader, q *query) string {
	rows, err := r.db.QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+q.text.String(), q.args...)
	require.NoError(t, err)
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
		fmt.Fprintln(&plan, detail)
	}
	require.NoError(t, rows.Err())
	return plan.String()
}

func TestPostgresParametersAreNumbered(t *testing.T) {
	r := &Reader{dialect: postgresDialect}
	since := time.Date(2026, 1, 1, 1, 0, 0, 0, time.FixedZone("", 3600))
	q := r.runs(Filter{Since: since, Status: []string{"failed", "abandoned"}, User: "u", Limit: 3})
	assert.Equal(t, "SELECT * FROM runs WHERE started_at >= $1 AND status IN ($2, $3) AND user_id = $4 ORDER BY started_at DESC LIMIT $5", q.text.String())
	assert.Equal(t, []any{since.UTC(), "failed", "abandoned", "u", int64(3)}, q.args)
	assert.Contains(t, r.failures(Filter{}).text.String(), "LIMIT $1")
	assert.Equal(t, `SELECT run_id FROM runs WHERE run_id COLLATE "C" >= $1 AND run_id COLLATE "C" < $2 ORDER BY run_id COLLATE "C" LIMIT $3`, r.prefixed("x", 1).text.String())
}

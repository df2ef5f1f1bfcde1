// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// pruneAll prunes until there is nothing more to do.
func pruneAll(t *testing.T, s *Store, r runlog.Retention, now time.Time) (rows map[string]int64, steps int) {
	t.Helper()
	rows = map[string]int64{}
	for {
		p, err := s.Prune(ctx, r, now)
		require.NoError(t, err)
		for table, n := range p.Rows {
			rows[table] += n
		}
		steps++
		require.Less(t, steps, 1000, "it ends")
		if !p.More {
			return rows, steps
		}
	}
}

// at0 is a time that no test is older than.
var at0 = time.Unix(0, at(0))

func TestPruneByAge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	// Of 1,200 runs all but the last 100 are too old; the first of them was heard of again.
	for from := 0; from < 1200; from += 100 {
		b := runlog.NewBatch()
		for i := from; i < from+100; i++ {
			id := fmt.Sprintf("run-%04d", i)
			b.Add(run(id, int64(i)))
			b.Add(runlog.NewFact(runlog.Stages, at(int64(i)), true, runlog.KeyValue(id), runlog.KeyValue("llm"), runlog.IntValue(1)))
			b.Add(endedCall(id, "call", at(int64(i)), 1, ""))
			b.Add(tool(id, "act", int64(i)))
			b.Add(event(id, int64(i)))
			b.Add(event("", int64(i)))
			b.Add(endedCall("", id, at(int64(i)), 1, ""))
			b.Add(transition(int64(i), int64(i)))
		}
		_, err := s.Write(ctx, b)
		require.NoError(t, err)
	}
	write(t, s, run("run-0000", 1199))

	now := time.Unix(0, at(1200))
	none, err := s.Prune(ctx, runlog.Retention{}, now)
	require.NoError(t, err)
	assert.Equal(t, runlog.Pruned{Rows: map[string]int64{}}, none, "off")

	first, err := s.Prune(ctx, runlog.Retention{MaxAge: 100 * time.Second}, now)
	require.NoError(t, err)
	assert.True(t, first.More)
	assert.EqualValues(t, runlog.PruneRuns, first.Rows["runs"], "a small step")
	assert.Equal(t, [][]any{{"run-0000"}}, query(t, path, "SELECT run_id FROM runs WHERE run_id < 'run-0501'"), "the oldest, by their last event")

	rows, steps := pruneAll(t, s, runlog.Retention{MaxAge: 100 * time.Second}, now)
	for table, n := range first.Rows {
		rows[table] += n
	}
	assert.Equal(t, map[string]int64{
		"runs": 1099, "stages": 1099, "provider_calls": 1099 + 1100, "tool_calls": 1099, "events": 1099 + 1100, "breaker_transitions": 1100,
	}, rows)
	assert.Greater(t, steps, 2)
	for _, table := range runlog.Tables {
		n := query(t, path, "SELECT count(*) FROM "+dataTable(table))[0][0]
		switch table {
		case runlog.ProviderCalls, runlog.Events:
			assert.EqualValues(t, 101+100, n, table.Name)
		case runlog.Runs:
			assert.EqualValues(t, 101+1, n, "with that of what belongs to none")
		case runlog.BreakerTransitions:
			assert.EqualValues(t, 100, n, table.Name)
		default:
			assert.EqualValues(t, 101, n, table.Name)
		}
	}
	free, err := s.conn.number("PRAGMA freelist_count")
	require.NoError(t, err)
	assert.Zero(t, free, "what is free goes back to the file system")
	checkIntegrity(t, s)
}

func TestPruneBySize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	for from := int64(0); from < 1500; from += 100 {
		b := runlog.NewBatch()
		for i := from; i < from+100; i++ {
			r := run(fmt.Sprintf("run-%04d", i), i)
			r.SetAttribute("text", `"`+strings.Repeat("x", 1000)+`"`)
			b.Add(r)
			b.Add(transition(i, i))
		}
		_, err := s.Write(ctx, b)
		require.NoError(t, err)
	}
	const limit = 1_000_000
	rows, _ := pruneAll(t, s, runlog.Retention{MaxBytes: limit}, time.Time{})
	gone := rows["runs"]
	assert.InDelta(t, 900, gone, 150, "as many as must")
	assert.Equal(t, gone, rows["breaker_transitions"], "what is as old as those runs goes, too")
	assert.Equal(t, [][]any{{fmt.Sprintf("run-%04d", gone)}}, query(t, path, "SELECT min(run_id) FROM runs"), "the oldest have gone")
	require.NoError(t, s.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Less(t, info.Size(), int64(limit))

	s = open(t, path)
	defer s.Close()
	rows, _ = pruneAll(t, s, runlog.Retention{MaxBytes: 1}, time.Time{})
	assert.Equal(t, 1500-gone, rows["runs"], "an empty run log is larger than that, which is no reason to go on for ever")
	write(t, s, run("run-new", 0), call("", "foreign"))
	assert.Len(t, query(t, path, "SELECT run_id FROM runs"), 1)
	checkIntegrity(t, s)
}

func TestAFewLargeRunsDoNotTakeTheOthersWithThem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	for i := range int64(20) {
		r := run(fmt.Sprintf("run-%02d", i), i)
		r.SetAttribute("text", `"`+strings.Repeat("x", 100_000)+`"`)
		write(t, s, r)
	}
	rows, _ := pruneAll(t, s, runlog.Retention{MaxBytes: 1_000_000}, time.Time{})
	assert.InDelta(t, 12, rows["runs"], 2)
}

func TestPruneStepsAreSearches(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	require.NoError(t, open(t, path).Close())
	for _, table := range runlog.Tables {
		for _, sql := range deletions(table) {
			var plan strings.Builder
			for _, row := range query(t, path, "EXPLAIN QUERY PLAN "+strings.Replace(sql, "DELETE", "SELECT *", 1), 1) {
				plan.WriteString(row[3].(string) + "\n")
			}
			assert.NotContains(t, plan.String(), "SCAN", sql)
			assert.NotContains(t, plan.String(), "TEMP B-TREE", sql)
		}
	}
}

func TestPruneGivesWayToWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	write(t, s, run("run-1", 0))
	ended, cancel := context.WithCancel(ctx)
	cancel()
	s.lock <- struct{}{} // a Write goes on
	_, err := s.Prune(ended, runlog.Retention{MaxAge: 1}, time.Unix(0, at(9)))
	require.ErrorIs(t, err, context.Canceled)
	s.release()
	assert.Len(t, query(t, path, "SELECT run_id FROM runs"), 1)
	require.NoError(t, s.Close())
	_, err = s.Prune(ctx, runlog.Retention{MaxAge: 1}, time.Unix(0, at(9)))
	require.ErrorIs(t, err, os.ErrClosed)
}

func checkIntegrity(t *testing.T, s *Store) {
	t.Helper()
	st, err := s.conn.prepare("PRAGMA integrity_check")
	require.NoError(t, err)
	defer st.Close()
	require.NoError(t, st.query(nil, func(row []driver.Value) error {
		assert.Equal(t, "ok", row[0])
		return nil
	}))
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// vacuumPages is how many free pages one step gives back to the file system: some tens of milliseconds of work.
const vacuumPages = 1000

// ages are how old a table's rows are and the index on it, which the planner would not always find by itself. Of what
// is below a run it is the run's age that counts; the index of such a table is of rows that belong to no run.
var ages = map[*runlog.Table]struct{ age, index string }{
	runlog.Runs:               {"coalesce(updated_at, 0)", "runs_updated_at"},
	runlog.ProviderCalls:      {"coalesce(ended_at, started_at, 0)", "provider_calls_loose"},
	runlog.ToolCalls:          {"coalesce(ended_at, started_at, 0)", "tool_calls_loose"},
	runlog.Events:             {"coalesce(time, 0)", "events_loose"},
	runlog.BreakerTransitions: {"coalesce(at, 0)", "breaker_transitions_at"},
}

// Prune does one step of a retention in a transaction of its own: it deletes what is oldest, or, when there is nothing
// to delete, gives some free space back to the file system.
func (s *Store) Prune(ctx context.Context, r runlog.Retention, now time.Time) (runlog.Pruned, error) {
	p := runlog.Pruned{Rows: map[string]int64{}}
	if r == (runlog.Retention{}) {
		return p, nil
	}
	if err := s.acquire(ctx); err != nil {
		return p, err
	}
	defer s.release()
	var rows map[string]int64
	err := s.conn.transaction(func() error {
		before, err := s.before(r, now)
		if err == nil && before > 0 {
			rows, err = s.deleteBefore(before)
		}
		return err
	})
	if err != nil {
		return p, explain("prune", s.path, err)
	}
	if len(rows) > 0 {
		s.recent.forget()
		// Even the last step of deleting leaves pages to give back.
		return runlog.Pruned{Rows: rows, More: true}, nil
	}
	if p.More, err = s.vacuum(); err != nil {
		return p, explain("prune", s.path, err)
	}
	return p, nil
}

// before is the time, in microseconds, of which everything older goes in this step; 0 for nothing.
func (s *Store) before(r runlog.Retention, now time.Time) (before int64, err error) {
	if r.MaxAge > 0 {
		before = max(0, now.Add(-r.MaxAge).UnixMicro())
	}
	if r.MaxBytes <= 0 {
		return before, nil
	}
	used, err := s.used()
	if err != nil || used <= r.MaxBytes {
		return before, err
	}
	// As old as the oldest runs of one step, which are a tenth at most: a few large ones must not take the rest with them.
	// Without runs, everything.
	runs, err := s.conn.number(fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM runs_data WHERE id <> 0 LIMIT %d)", runlog.PruneRuns*runlog.PruneShare))
	if err != nil {
		return before, err
	}
	oldest, err := s.conn.number(fmt.Sprintf("SELECT coalesce((SELECT %[1]s + 1 FROM runs_data WHERE id <> 0 ORDER BY %[1]s LIMIT 1 OFFSET %[2]d), %[3]d)",
		ages[runlog.Runs].age, max(0, runs/runlog.PruneShare-1), int64(math.MaxInt64)))
	return max(before, oldest), err
}

// deleteBefore deletes up to a step's number of runs and of rows of each kind that belong to none.
func (s *Store) deleteBefore(before int64) (map[string]int64, error) {
	rows := map[string]int64{}
	for i := len(runlog.Tables) - 1; i >= 0; i-- { // children first
		t := runlog.Tables[i]
		for _, sql := range deletions(t) {
			n, err := s.conn.change(sql, before)
			if err != nil {
				return nil, err
			}
			if n > 0 {
				rows[t.Name] += n
			}
		}
	}
	return rows, nil
}

// deletions are the statements of one step that delete from a table: what is below the oldest runs, and the oldest that
// belongs to none. Their parameter is the time.
func deletions(t *runlog.Table) (statements []string) {
	add := func(key string, of *runlog.Table, columns, which string) {
		a := ages[of]
		statements = append(statements, fmt.Sprintf("DELETE FROM %s WHERE (%s) IN (SELECT %s FROM %s INDEXED BY %s WHERE %s%s < ? ORDER BY %[7]s LIMIT %[8]d)",
			dataTable(t), key, columns, dataTable(of), a.index, which, a.age, runlog.PruneRuns))
	}
	key := strings.Join(keyColumns(t), ", ")
	switch {
	case t == runlog.Runs:
		add("id", t, "id", "id <> 0 AND ")
	case belowRun(t):
		add("run", runlog.Runs, "id", "id <> 0 AND ")
		if ages[t].age != "" {
			add(key, t, key, "run = 0 AND ")
		}
	default:
		add(key, t, key, "")
	}
	return statements
}

// vacuum gives some free pages back and tells whether there are more.
func (s *Store) vacuum() (more bool, err error) {
	free, err := s.conn.number("PRAGMA freelist_count")
	if err != nil || free == 0 {
		return false, err
	}
	if err := s.conn.exec(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages)); err != nil {
		return false, err
	}
	left, err := s.conn.number("PRAGMA freelist_count")
	return left > 0 && left < free, err
}

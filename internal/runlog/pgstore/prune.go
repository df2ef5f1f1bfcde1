// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// timeless is how old a record without a time counts: older than all that have one.
const timeless = "'1970-01-01 00:00:00+00'::timestamptz"

// ages are how old a table's rows are, in the expression of its index. What is below a run is as old as the run; the
// index of such a table is of rows that belong to no run. Stages always belong to one.
var ages = map[*runlog.Table]string{
	runlog.Runs:               "coalesce(updated_at, " + timeless + ")",
	runlog.ProviderCalls:      "coalesce(ended_at, started_at, " + timeless + ")",
	runlog.ToolCalls:          "coalesce(ended_at, started_at, " + timeless + ")",
	runlog.Events:             "coalesce(\"time\", " + timeless + ")",
	runlog.BreakerTransitions: "coalesce(\"at\", " + timeless + ")",
}

// Prune does one step of a retention in one transaction. Several collectors may prune one database; by size they
// then delete more than they need, so let one do it.
func (s *Store) Prune(ctx context.Context, r runlog.Retention, now time.Time) (runlog.Pruned, error) {
	p := runlog.Pruned{Rows: map[string]int64{}}
	if r == (runlog.Retention{}) {
		return p, nil
	}
	if err := s.open(); err != nil {
		return p, err
	}
	before, excess, err := s.before(ctx, r, now)
	if err != nil || before.IsZero() {
		return p, err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		clear(p.Rows)
		return s.deleteBefore(ctx, tx, before, p.Rows)
	})
	if err != nil {
		return runlog.Pruned{Rows: map[string]int64{}}, err
	}
	if excess {
		s.excess.took(p.Rows[runlog.Runs.Name])
	}
	if len(p.Rows) > 0 {
		s.cache.clear() // what is remembered would bring back what was deleted
		p.More = true
	}
	return p, nil
}

// before is the time of which everything older goes in this step, zero for nothing, and whether because of the size.
func (s *Store) before(ctx context.Context, r runlog.Retention, now time.Time) (before time.Time, excess bool, err error) {
	if r.MaxAge > 0 {
		before = now.Add(-r.MaxAge)
	}
	if r.MaxBytes <= 0 {
		return before, false, nil
	}
	if excess, err = s.exceeds(ctx, r.MaxBytes); err != nil || !excess {
		return before, false, err
	}
	age := ages[runlog.Runs]
	oldest := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) // without a step's number of runs, everything
	err = s.pool.QueryRow(ctx, fmt.Sprintf("SELECT %[1]s FROM %[2]s ORDER BY %[1]s LIMIT 1 OFFSET %[3]d",
		age, s.table(runlog.Runs), runlog.PruneRuns-1)).Scan(&oldest)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return before, false, err
	}
	if oldest = oldest.Add(time.Microsecond); oldest.After(before) {
		before = oldest
	}
	return before, true, nil
}

// deleteBefore deletes up to a step's number of runs and of rows of each kind that belong to none. Runs go first, like
// writers lock them first, and only those that nobody told of meanwhile.
func (s *Store) deleteBefore(ctx context.Context, tx pgx.Tx, before time.Time, deleted map[string]int64) error {
	remove := func(t *runlog.Table, where string, args ...any) error {
		tag, err := tx.Exec(ctx, "DELETE FROM "+s.table(t)+" WHERE "+where, args...)
		if n := tag.RowsAffected(); n > 0 {
			deleted[t.Name] += n
		}
		return err
	}
	age := ages[runlog.Runs]
	rows, err := tx.Query(ctx, fmt.Sprintf("DELETE FROM %[1]s WHERE run_id IN (SELECT run_id FROM %[1]s WHERE %[2]s < $1 ORDER BY %[2]s LIMIT %[3]d) AND %[2]s < $1 RETURNING run_id",
		s.table(runlog.Runs), age, runlog.PruneRuns), before)
	if err != nil {
		return err
	}
	var ids []string
	var id string
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { ids = append(ids, id); return nil }); err != nil {
		return err
	}
	if len(ids) > 0 {
		deleted[runlog.Runs.Name] = int64(len(ids))
	}
	for _, t := range runlog.Tables {
		if t == runlog.Runs {
			continue
		}
		if t.OfRun() && len(ids) > 0 {
			if err := remove(t, "run_id = ANY ($1)", ids); err != nil {
				return err
			}
		}
		age, ok := ages[t]
		if !ok {
			continue
		}
		loose := ""
		if t.OfRun() {
			loose = "run_id = '' AND "
		}
		oldest := fmt.Sprintf("(%[1]s) IN (SELECT %[1]s FROM %[2]s WHERE %[3]s%[4]s < $1 ORDER BY %[4]s LIMIT %[5]d)",
			strings.Join(keyColumns(t), ", "), s.table(t), loose, age, runlog.PruneRuns)
		if err := remove(t, oldest, before); err != nil {
			return err
		}
	}
	return nil
}

func keyColumns(t *runlog.Table) (keys []string) {
	for _, c := range columns(t) {
		if c.key {
			keys = append(keys, c.name)
		}
	}
	return keys
}

func (s *Store) table(t *runlog.Table) string { return quote(s.schema) + "." + quote(dataTable(t)) }

// excess is how many runs are too many. The server's count of rows lags behind by seconds, so what a measurement found
// is deleted before there is another: a step for a step it would go on and on.
type excess struct {
	sync.Mutex
	runs     int64
	measured time.Time
}

// remeasure is how long a measurement stands.
const remeasure = time.Minute

func (e *excess) took(runs int64) {
	e.Lock()
	defer e.Unlock()
	e.runs = max(0, e.runs-max(runs, 1))
}

// exceeds tells whether there are more runs to delete because of the size.
func (s *Store) exceeds(ctx context.Context, maxBytes int64) (bool, error) {
	e := &s.excess
	e.Lock()
	defer e.Unlock()
	if e.runs == 0 && time.Since(e.measured) > remeasure {
		size, runs, err := s.size(ctx)
		if err != nil {
			return false, err
		}
		e.measured = time.Now()
		if size > maxBytes {
			e.runs = max(1, int64(float64(runs)*(1-float64(maxBytes)/float64(size))))
		}
	}
	return e.runs > 0, nil
}

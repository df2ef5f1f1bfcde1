// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// Retained estimates the size from what the server counts, which lags behind by seconds, and reads one entry of an
// index.
func (s *Store) Retained(ctx context.Context) (r runlog.Retained, err error) {
	if err := s.open(); err != nil {
		return r, err
	}
	if r.Bytes, _, err = s.size(ctx); err != nil {
		return r, err
	}
	if err = s.pool.QueryRow(ctx, s.oldestRun()).Scan(&r.Oldest); errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	r.Oldest = r.Oldest.UTC()
	return r, err
}

// oldestRun asks for the time of the oldest run that has one; no row when there is none.
func (s *Store) oldestRun() string {
	return fmt.Sprintf("SELECT %[1]s FROM %[2]s WHERE %[1]s > %[3]s ORDER BY %[1]s LIMIT 1", ages[runlog.Runs], s.table(runlog.Runs), timeless)
}

// size estimates how much the rows take, and how many runs there are: rows that live, times the size of some of them.
// What PostgreSQL tells of its files is no use: they do not shrink when rows are deleted.
func (s *Store) size(ctx context.Context) (bytes, runs int64, err error) {
	for _, t := range runlog.Tables {
		var indexes int64
		var width float64
		rows, err := s.rows(ctx, t)
		if err != nil {
			return 0, 0, err
		}
		if err := s.pool.QueryRow(ctx, "SELECT count(*) FROM pg_indexes WHERE schemaname = $1 AND tablename = $2", s.schema, dataTable(t)).Scan(&indexes); err != nil {
			return 0, 0, err
		}
		if err := s.pool.QueryRow(ctx, s.width(t)).Scan(&width); err != nil {
			return 0, 0, err
		}
		bytes += int64(float64(rows) * (width + float64(indexes)*indexEntry))
		if t == runlog.Runs {
			runs = rows
		}
	}
	return bytes, runs, nil
}

// rows is how many rows a table has, by the statistics, or counted where they tell of none: they are lost in a crash, and
// Citus and CockroachDB have them empty.
func (s *Store) rows(ctx context.Context, t *runlog.Table) (n int64, err error) {
	err = s.pool.QueryRow(ctx, "SELECT n_live_tup FROM pg_stat_user_tables WHERE schemaname = $1 AND relname = $2", s.schema, dataTable(t)).Scan(&n)
	if n > 0 || (err != nil && !errors.Is(err, pgx.ErrNoRows)) {
		return n, err
	}
	err = s.pool.QueryRow(ctx, "SELECT count(*) FROM "+s.table(t)).Scan(&n)
	return n, err
}

// width asks for the average size of some rows of a table. It adds cells up instead of asking for the size of rows,
// which would fetch every long value, megabytes as they may be, only to measure it.
func (s *Store) width(t *runlog.Table) string {
	var cells []string
	for _, c := range columns(t) {
		cells = append(cells, "coalesce(pg_column_size("+c.name+"), 0)")
	}
	return fmt.Sprintf("SELECT coalesce(avg(%d + %s), 0)::float8 FROM (SELECT * FROM %s LIMIT 1000) AS d",
		rowHeader, strings.Join(cells, " + "), s.table(t))
}

// rowHeader is about what a row takes beside its cells: its header, the map of its NULLs and its place in the page.
const rowHeader = 32

// indexEntry is about what one row takes in one index, most of which are of ids.
const indexEntry = 60

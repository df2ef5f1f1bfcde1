// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Reader reads a run log while collectors write to it. It never changes anything.
type Reader struct {
	db *sql.DB
}

// Answer is what a query found. Cells are nil, int64, float64 or string; what each column means is in the
// design (times are RFC 3339 text, flags 0 or 1, JSON is text).
type Answer struct {
	Columns []string
	Rows    [][]any
}

// OpenReader opens the database of a run log for reading. An error is one line that names the path and says
// what to do.
func OpenReader(path string) (*Reader, error) {
	db, err := OpenReadOnly(path)
	if err != nil {
		return nil, err
	}
	return &Reader{db: db}, nil
}

// OpenReadOnly is [OpenReader] for those who bring their own queries: the views of the design are in it.
func OpenReadOnly(path string) (*sql.DB, error) {
	// SQLite would only say "unable to open database file".
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no run log at %q: the collector creates it when it starts", path)
	}
	db, err := sql.Open("sqlite", uri(path, "mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)&_pragma=temp_store(memory)"))
	if err != nil {
		return nil, explain("open", path, err)
	}
	version, err := checkSchema(func(query string) (n int64, err error) {
		err = db.QueryRowContext(background, query).Scan(&n)
		return n, err
	})
	if err == nil && version == 0 {
		err = errNotRunLog
	}
	if err != nil {
		return nil, errors.Join(explain("open", path, err), db.Close())
	}
	return db, nil
}

// Close closes the reader.
func (r *Reader) Close() error { return r.db.Close() }

// listRuns puts runs without a start first: as a rule they have just begun.
const listRuns = "SELECT * FROM runs ORDER BY started_at DESC NULLS FIRST LIMIT ?"

// Runs are the runs that began last, the newest first.
func (r *Reader) Runs(ctx context.Context, limit int) (Answer, error) {
	return r.Query(ctx, listRuns, limit)
}

// Run is one run; no row when the log does not know it.
func (r *Reader) Run(ctx context.Context, runID string) (Answer, error) {
	return r.Query(ctx, "SELECT * FROM runs WHERE run_id = ?", runID)
}

// Stages are the attempts of the stages of a run, in the order in which they began.
func (r *Reader) Stages(ctx context.Context, runID string) (Answer, error) {
	return r.Query(ctx, "SELECT * FROM stages WHERE run_id = ? ORDER BY started_at, name, attempt", runID)
}

// ProviderCalls are the provider calls of a run, in the order in which they began.
func (r *Reader) ProviderCalls(ctx context.Context, runID string) (Answer, error) {
	return r.Query(ctx, "SELECT * FROM provider_calls WHERE run_id = ? ORDER BY started_at, call_id", runID)
}

// Query asks anything of the views of the tables ([runlog.Tables]) and of [runlog.Views].
func (r *Reader) Query(ctx context.Context, query string, args ...any) (a Answer, err error) {
	rows, err := r.db.QueryContext(ctx, query, args...)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if a.Columns, err = rows.Columns(); err != nil {
		return a, err
	}
	for rows.Next() {
		cells := make([]any, len(a.Columns))
		to := make([]any, len(cells))
		for i := range cells {
			to[i] = &cells[i]
		}
		if err := rows.Scan(to...); err != nil {
			return a, err
		}
		a.Rows = append(a.Rows, cells)
	}
	return a, rows.Err()
}

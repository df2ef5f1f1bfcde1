// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// Store is a run log in one SQLite database. It holds the only connection that writes.
type Store struct {
	conn       conn
	statements map[*runlog.Table]*statements
	args       args
	// lock is taken by who writes; a channel, because waiting for it must end with the context.
	lock   chan struct{}
	closed bool
}

var _ runlog.Store = (*Store)(nil)

// Open opens the database of a run log for writing, and creates it, with its directory, when there is none.
// An error is one line that names the path and says what to do.
func Open(path string) (*Store, error) {
	// Owner only: run logs hold what users said to models.
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("cannot create the directory of the run log %q: %w", path, err)
	}
	c, err := openConn(path)
	if err != nil {
		return nil, explain(path, err)
	}
	s := &Store{conn: c, statements: map[*runlog.Table]*statements{}, lock: make(chan struct{}, 1)}
	if err := s.setUp(); err != nil {
		return nil, errors.Join(explain(path, err), s.shut())
	}
	return s, nil
}

func (s *Store) setUp() (err error) {
	// Before anything is changed: a database of something else stays as it is.
	if err := s.conn.exec("PRAGMA busy_timeout = 5000"); err != nil {
		return err
	}
	if _, err := checkSchema(s.conn.number); err != nil {
		return err
	}
	if err := s.conn.exec(pragmas); err != nil {
		return err
	}
	if err := migrate(s.conn); err != nil {
		return err
	}
	for _, t := range runlog.Tables {
		if s.statements[t], err = prepare(s.conn, t); err != nil {
			return err
		}
	}
	return nil
}

// Close waits for the Write that goes on and closes the database.
func (s *Store) Close() error {
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.shut()
}

func (s *Store) shut() error {
	for _, st := range s.statements {
		st.close()
	}
	return s.conn.Close()
}

// Write joins a batch into the store in one transaction. If the batch holds rows that the store can never take,
// its parts are written by themselves and those rows are set aside.
func (s *Store) Write(ctx context.Context, b *runlog.Batch) (runlog.Result, error) {
	res := runlog.Result{Rows: map[string]int64{}}
	select {
	case s.lock <- struct{}{}:
		defer func() { <-s.lock }()
	case <-ctx.Done():
		return res, ctx.Err()
	}
	if s.closed {
		return res, os.ErrClosed
	}
	err := s.writeParts(ctx, b, &res)
	return res, err
}

func (s *Store) writeParts(ctx context.Context, b *runlog.Batch, res *runlog.Result) error {
	err := s.transact(ctx, b, res)
	if err == nil || !isDataError(err) {
		return err
	}
	parts := b.Split()
	if parts == nil {
		res.Rejected = append(res.Rejected, rejection(b, err))
		return nil
	}
	for _, part := range parts {
		if err := s.writeParts(ctx, part, res); err != nil {
			return err
		}
	}
	return nil
}

// rejection names the one row of a batch that cannot be divided.
func rejection(b *runlog.Batch, err error) runlog.Rejection {
	run := b.Runs[0]
	if len(run.Groups) == 0 {
		return runlog.Rejection{Table: runlog.Runs.Name, RunID: run.ID, Err: err}
	}
	return runlog.Rejection{Table: run.Groups[0].Table.Name, RunID: run.ID, Key: run.Groups[0].Key, Err: err}
}

// transact writes a batch whole or not at all.
func (s *Store) transact(ctx context.Context, b *runlog.Batch, res *runlog.Result) error {
	// Immediate: a transaction that began by reading could not become a writer when another process wrote.
	if err := s.conn.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	w := writer{Store: s, rows: map[*runlog.Table]int64{}}
	err := w.write(ctx, b)
	if err == nil {
		err = s.conn.exec("COMMIT")
	}
	if err != nil {
		// Some errors have rolled back already; then there is nothing to roll back, which is no news.
		_ = s.conn.exec("ROLLBACK")
		return err
	}
	for table, n := range w.rows {
		res.Rows[table.Name] += n
	}
	res.Conflicts += w.conflicts
	return nil
}

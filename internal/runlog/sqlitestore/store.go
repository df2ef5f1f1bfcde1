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
	path       string
	conn       conn
	statements map[*runlog.Table]*statements
	args       args
	recent     *recent
	// lock is taken by who writes; a channel, because waiting for it must end with the context.
	lock   chan struct{}
	closed bool
}

var _ runlog.Store = (*Store)(nil)

// Open opens the database of a run log for writing, and creates it, with its directory, when there is none.
// An error is one line that names the path and says what to do.
func Open(path string, opts ...Option) (*Store, error) {
	// Owner only: run logs hold what users said to models.
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("cannot create the directory of the run log %q: %w", path, err)
	}
	c, err := openConn(path)
	if err != nil {
		return nil, explain("open", path, err)
	}
	s := &Store{path: path, conn: c, statements: map[*runlog.Table]*statements{}, recent: newRecent(), lock: make(chan struct{}, 1)}
	if err := s.setUp(newOptions(opts)); err != nil {
		return nil, errors.Join(explain("open", path, err), s.shut())
	}
	return s, nil
}

func (s *Store) setUp(o options) (err error) {
	// Before anything is changed: a database of something else stays as it is.
	if err := s.conn.exec(o.busySQL()); err != nil {
		return err
	}
	if _, err := checkSchema(s.conn.number); err != nil {
		return err
	}
	if err := s.setPragmas(o); err != nil {
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

// setPragmas waits for other collectors itself: to make a new database one with a WAL fails at once while somebody else
// does the same, whatever SQLite's busy timeout is.
func (s *Store) setPragmas(o options) error {
	if err := s.conn.exec("PRAGMA busy_timeout = 0"); err != nil {
		return err
	}
	err := o.patiently(func() error { return s.conn.exec(pragmas + "PRAGMA synchronous = " + string(o.synchronous)) })
	if err != nil {
		return err
	}
	return s.conn.exec(o.busySQL())
}

// Close waits for the Write or Prune that goes on and closes the database.
func (s *Store) Close() error {
	s.lock <- struct{}{}
	defer s.release()
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
	if err := s.acquire(ctx); err != nil {
		return res, err
	}
	defer s.release()
	if err := s.writeParts(ctx, b, &res); err != nil {
		return res, explain("write to", s.path, err)
	}
	return res, nil
}

// acquire waits for the writer; who waited longest comes first.
func (s *Store) acquire(ctx context.Context) error {
	select {
	case s.lock <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.closed {
		s.release()
		return os.ErrClosed
	}
	return nil
}

func (s *Store) release() { <-s.lock }

func (s *Store) writeParts(ctx context.Context, b *runlog.Batch, res *runlog.Result) error {
	err := s.transact(ctx, b, res)
	if err == nil || !isDataError(err) {
		return err
	}
	parts := b.Split()
	if parts == nil {
		res.Rejected = append(res.Rejected, b.Rejection(err))
		return nil
	}
	for _, part := range parts {
		if err := s.writeParts(ctx, part, res); err != nil {
			return err
		}
	}
	return nil
}

// transact writes a batch whole or not at all.
func (s *Store) transact(ctx context.Context, b *runlog.Batch, res *runlog.Result) error {
	w := writer{Store: s, rows: map[*runlog.Table]int64{}}
	defer s.args.release()
	err := s.conn.transaction(func() error {
		// Under the lock, so nobody writes between the look and what follows from it.
		version, err := s.conn.number("PRAGMA data_version")
		if err != nil {
			return err
		}
		s.recent.at(version)
		return w.write(ctx, b)
	})
	if err != nil {
		s.recent.forget() // what was not committed
		return err
	}
	for table, n := range w.rows {
		res.Rows[table.Name] += n
	}
	res.Conflicts += w.conflicts
	return nil
}

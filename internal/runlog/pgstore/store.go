// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// Options say which database to use, and how.
type Options struct {
	// DSN names the database, as URL or as key=value pairs, with everything that libpq's does, TLS among it.
	DSN string
	// Schema is where the tables are; "public" when empty. It is made when there is none.
	Schema string
	// MaxConnections bounds the connections; 4 when zero. One Write uses one.
	MaxConnections int32
}

const (
	defaultSchema         = "public"
	defaultMaxConnections = 4
	// connectTimeout is what a host that does not answer is given, unless the DSN says otherwise.
	connectTimeout = 10 * time.Second
)

// Store is a run log in a PostgreSQL database. Any number of them, in any number of processes, may write to one.
type Store struct {
	cfg        *pgxpool.Config
	pool       *pgxpool.Pool
	schema     string
	statements []*statements // as runlog.Tables
	cache      cache
	foresight  foresight
	excess     excess
	closed     atomic.Bool
}

var _ runlog.Store = (*Store)(nil)

// Check reports what is wrong with a DSN, without connecting.
func Check(dsn string) error {
	_, err := parse(dsn)
	return err
}

// Open connects to a database and brings its schema to the newest version. An error is one line that names host and
// database and says what to do.
func Open(ctx context.Context, o Options) (*Store, error) {
	cfg, err := parse(o.DSN)
	if err != nil {
		return nil, err
	}
	if o.Schema == "" {
		o.Schema = defaultSchema
	}
	if o.MaxConnections > 0 {
		cfg.MaxConns = o.MaxConnections
	} else if !strings.Contains(o.DSN, "pool_max_conns") {
		cfg.MaxConns = defaultMaxConnections
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	// Statements that outlive their transaction would be looked for on another server connection by PgBouncer.
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.ConnConfig.StatementCacheCapacity, cfg.ConnConfig.DescriptionCacheCapacity = 0, 0
	setDefault(cfg.ConnConfig.RuntimeParams, "application_name", "otelcol-stageflow")
	setDefault(cfg.ConnConfig.RuntimeParams, "client_encoding", "UTF8")

	s := &Store{cfg: cfg, schema: o.Schema, cache: newCache(maxCached)}
	for _, t := range runlog.Tables {
		s.statements = append(s.statements, newStatements(s.schema, t))
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, explain(cfg, err)
	}
	if err := s.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return migrate(ctx, c.Conn(), s.schema) }); err != nil {
		s.pool.Close()
		return nil, explain(cfg, err)
	}
	return s, nil
}

func setDefault(m map[string]string, key, value string) {
	if _, ok := m[key]; !ok {
		m[key] = value
	}
}

// Close waits for what goes on and closes all connections.
func (s *Store) Close() error {
	if !s.closed.Swap(true) {
		s.pool.Close()
	}
	return nil
}

// Write joins a batch into the store. Rows are written each for itself: where a batch holds some that the store can
// never take, it is divided until those are alone, and they are set aside.
func (s *Store) Write(ctx context.Context, b *runlog.Batch) (runlog.Result, error) {
	res := runlog.Result{Rows: map[string]int64{}}
	err := s.onConnection(ctx, func(c *pgconn.PgConn) error {
		return s.writeParts(ctx, &writer{Store: s, conn: c, res: &res}, b)
	})
	return res, err
}

// onConnection lends one of the pool's connections.
func (s *Store) onConnection(ctx context.Context, use func(*pgconn.PgConn) error) error {
	if err := s.open(); err != nil {
		return err
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		if s.closed.Load() {
			err = errors.Join(os.ErrClosed, err)
		}
		return err
	}
	defer conn.Release()
	return use(conn.Conn().PgConn())
}

func (s *Store) open() error {
	if s.closed.Load() {
		return os.ErrClosed
	}
	return nil
}

func (s *Store) writeParts(ctx context.Context, w *writer, b *runlog.Batch) error {
	err := w.write(ctx, b)
	if err == nil || !isDataError(err) {
		return err
	}
	parts := split(b)
	if parts == nil {
		w.res.Rejected = append(w.res.Rejected, b.Rejection(err))
		return nil
	}
	for _, part := range parts {
		if err := s.writeParts(ctx, w, part); err != nil {
			return err
		}
	}
	return nil
}

// split divides a batch: in halves, so that one bad run in thousands costs some round trips and not thousands; and one
// run into its rows.
func split(b *runlog.Batch) []*runlog.Batch {
	if half := len(b.Runs) / 2; half > 0 {
		return []*runlog.Batch{{Runs: b.Runs[:half]}, {Runs: b.Runs[half:]}}
	}
	return b.Split()
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// The views that the design promises. Those of older logs may be missing; then they are read as empty.
const (
	viewStages             = "stages"
	viewProviderCalls      = "provider_calls"
	viewToolCalls          = "tool_calls"
	viewBreakerTransitions = "breaker_transitions"
	viewEvents             = "events"
)

// Reader reads one run log. It never changes anything, and may be used by several goroutines.
type Reader struct {
	db      *sql.DB
	dialect dialect
	views   map[string]bool
}

// stores opens a run log by the scheme of its target; a path has none.
var stores = map[string]func(ctx context.Context, target string) (*sql.DB, dialect, error){}

// keyValues is how a PostgreSQL DSN of key=value pairs begins.
var keyValues = regexp.MustCompile(`^\s*(host|hostaddr|port|user|password|dbname|service|sslmode)\s*=`)

// Open opens a run log for reading: the path of a SQLite database, or a postgres:// URL or PostgreSQL DSN. An error is one line
// that names the log, never its password, and says what to do.
func Open(ctx context.Context, target string) (*Reader, error) {
	scheme, _, isURL := strings.Cut(target, "://")
	switch {
	case keyValues.MatchString(target):
		scheme = "postgres"
	case !isURL:
		scheme = ""
	}
	open, ok := stores[scheme]
	if !ok {
		return nil, fmt.Errorf("cannot read a run log of kind %q: name a path or a postgres:// URL", scheme)
	}
	db, dialect, err := open(ctx, target)
	if err != nil {
		return nil, err
	}
	r := &Reader{db: db, dialect: dialect, views: map[string]bool{}}
	found, err := r.all(ctx, r.query(dialect.views))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot read the run log %q: %w", safe(target), err), db.Close())
	}
	for _, v := range found {
		r.views[v.Text("name")] = true
	}
	if !r.views["runs"] {
		return nil, errors.Join(fmt.Errorf("%q holds no run log: name another, or start the collector once", safe(target)), db.Close())
	}
	return r, nil
}

// Close closes the log.
func (r *Reader) Close() error { return r.db.Close() }

// safe is a target without its password.
func safe(target string) string {
	if keyValues.MatchString(target) {
		return "the DSN given"
	}
	if !strings.Contains(target, "://") {
		return target
	}
	u, err := url.Parse(target)
	if err != nil {
		return "the URL given" // it may hold a password anywhere
	}
	return u.Redacted()
}

// each visits every row that a query finds.
func (r *Reader) each(ctx context.Context, q *query, visit func(Record) error) (err error) {
	rows, err := r.db.QueryContext(ctx, q.text.String(), q.args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	to := make([]any, len(columns))
	for rows.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			to[i] = &cells[i]
		}
		if err := rows.Scan(to...); err != nil {
			return err
		}
		for i, column := range columns {
			cells[i] = decode(column, cells[i])
		}
		if err := visit(Record{columns: columns, cells: cells}); err != nil {
			return err
		}
	}
	return rows.Err()
}

// all collects what a query finds; queries bound it.
func (r *Reader) all(ctx context.Context, q *query) (records []Record, err error) {
	err = r.each(ctx, q, func(record Record) error {
		records = append(records, record)
		return nil
	})
	return records, err
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
)

// background is the context of every statement: the driver watches a context that can end with a goroutine per
// statement, so ends are looked at between runs instead.
var background = context.Background()

// conn is the writer connection, used without database/sql: one connection needs no pool, and a batch is tens
// of thousands of small statements, where the pool's bookkeeping would be felt.
type conn struct {
	driver.Conn
}

func openConn(path string) (conn, error) {
	c, err := (&sqlite.Driver{}).Open(uri(path, ""))
	return conn{c}, err
}

// uri is the path as SQLite reads it without taking parts of it for parameters.
func uri(path, query string) string {
	path = filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" {
		path = "/" + path // C:/x is written file:/C:/x
	}
	u := "file:" + strings.ReplaceAll(url.PathEscape(path), "%2F", "/")
	if query != "" {
		u += "?" + query
	}
	return u
}

func (c conn) exec(sql string) error {
	_, err := c.Conn.(driver.ExecerContext).ExecContext(background, sql, nil)
	return err
}

// transaction does something whole or not at all.
func (c conn) transaction(do func() error) error {
	// Immediate: a transaction that began by reading could not become a writer when another process wrote.
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := do()
	if err == nil {
		err = c.exec("COMMIT")
	}
	if err != nil {
		// Some errors have rolled back already; then there is nothing to roll back, which is no news.
		_ = c.exec("ROLLBACK")
	}
	return err
}

// number is the single integer that a query answers.
func (c conn) number(sql string) (n int64, err error) {
	s, err := c.prepare(sql)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	err = s.query(nil, func(row []driver.Value) error {
		n, _ = row[0].(int64)
		return nil
	})
	return n, err
}

func (c conn) prepare(sql string) (stmt, error) {
	s, err := c.Prepare(sql)
	if err != nil {
		return stmt{}, err
	}
	return stmt{s}, nil
}

type stmt struct {
	driver.Stmt
}

func (s stmt) exec(args []driver.NamedValue) (driver.Result, error) {
	return s.Stmt.(driver.StmtExecContext).ExecContext(background, args)
}

// change executes a statement once and returns how many rows it changed.
func (c conn) change(sql string, args ...driver.Value) (int64, error) {
	named := make([]driver.NamedValue, len(args))
	for i, v := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	res, err := c.Conn.(driver.ExecerContext).ExecContext(background, sql, named)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// query visits every row of the answer. The row is only valid during the visit.
func (s stmt) query(args []driver.NamedValue, visit func([]driver.Value) error) (err error) {
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(background, args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(row); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := visit(row); err != nil {
			return err
		}
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/runlogtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		pgtest.Stop()
		os.Exit(code)
	}), goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"))
}

var ctx = context.Background()

func open(t runlogtest.TB, o Options) *Store {
	s, err := Open(ctx, o)
	require.NoError(t, err)
	return s
}

// query is every row that a statement answers, as text.
func query(t runlogtest.TB, dsn, sql string, args ...any) (rows []string) {
	t.Helper()
	c, err := pgx.Connect(ctx, dsn)
	require.NoError(t, err)
	defer c.Close(ctx)
	found, err := c.Query(ctx, sql, args...)
	require.NoError(t, err)
	defer found.Close()
	for found.Next() {
		values, err := found.Values()
		require.NoError(t, err)
		rows = append(rows, fmt.Sprint(values...))
	}
	err = found.Err()
	require.NoError(t, err, sql)
	return rows
}

// place is a schema of its own in a database of the test.
type place struct {
	dsn, schema string
}

var schemas atomic.Int64

// places makes databases: new ones for tests, used and emptied ones for the many cases of a property.
func places(t *testing.T) func(runlogtest.TB) runlogtest.Place {
	dsn := pgtest.Database(t)
	var used []place
	return func(t runlogtest.TB) runlogtest.Place {
		if _, once := t.(*testing.T); once {
			return newPlace(dsn)
		}
		if len(used) == 0 {
			used = append(used, newPlace(dsn))
		}
		p := used[len(used)-1]
		used = used[:len(used)-1]
		t.Cleanup(func() {
			if query(t, dsn, "SELECT true FROM pg_namespace WHERE nspname = $1", p.schema) != nil {
				pgtest.Exec(t, dsn, p.emptied())
			}
			used = append(used, p)
		})
		return p
	}
}

func newPlace(dsn string) place { return place{dsn, fmt.Sprintf("schema %d", schemas.Add(1))} }

// emptied are statements that delete everything.
func (p place) emptied() string {
	var sql []string
	for _, table := range runlog.Tables {
		sql = append(sql, fmt.Sprintf("DELETE FROM %s.%s", quote(p.schema), quote(dataTable(table))))
	}
	return strings.Join(sql, ";")
}

func (p place) Open(t runlogtest.TB) runlog.Store {
	return open(t, Options{DSN: p.dsn, Schema: p.schema})
}

func (p place) Dump(t runlogtest.TB) string {
	var parts []string
	for _, table := range runlog.Tables {
		sql := fmt.Sprintf("SELECT d::text FROM %s.%s AS d", quote(p.schema), quote(dataTable(table)))
		if len(table.GroupColumns()) < newStatements("", table).keys {
			sql += " WHERE " + strings.Replace(visible(table), "FROM ", "FROM "+quote(p.schema)+".", 1)
		}
		parts = append(parts, table.Name, strings.Join(query(t, p.dsn, sql+` ORDER BY d::text COLLATE "C"`), "\n"))
	}
	return strings.Join(parts, "\n")
}

func (p place) Refuse(t runlogtest.TB, table *runlog.Table) {
	query(t, p.dsn, fmt.Sprintf("ALTER TABLE %s.%s ADD CHECK (length(attributes) <= 10000)", quote(p.schema), quote(dataTable(table))))
}

// Settle waits for the sessions to end: they tell what they wrote when they do.
func (p place) Settle(t runlogtest.TB) {
	require.Eventually(t, func() bool {
		return query(t, p.dsn, "SELECT true FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()") == nil
	}, 30*time.Second, time.Millisecond)
}

func TestConformance(t *testing.T) { runlogtest.Conformance(t, places(t)) }

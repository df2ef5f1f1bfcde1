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
	// through is how collectors reach it.
	through string
}

var schemas atomic.Int64

// places makes databases: new ones for tests, used and emptied ones for the many cases of a property.
func places(dsn, through string) func(runlogtest.TB) runlogtest.Place {
	var used []place
	return func(t runlogtest.TB) runlogtest.Place {
		if _, once := t.(*testing.T); once {
			return newPlace(dsn, through)
		}
		if len(used) == 0 {
			used = append(used, newPlace(dsn, through))
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

func newPlace(dsn, through string) place {
	return place{dsn, fmt.Sprintf("schema %d", schemas.Add(1)), through}
}

// emptied are statements that delete everything.
func (p place) emptied() string {
	var sql []string
	for _, table := range runlog.Tables {
		sql = append(sql, fmt.Sprintf("DELETE FROM %s.%s", quote(p.schema), quote(dataTable(table))))
	}
	return strings.Join(sql, ";")
}

func (p place) Open(t runlogtest.TB) runlog.Store {
	return open(t, Options{DSN: p.through, Schema: p.schema})
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

// Collectors are as poor as can be: their role may do nothing but make a schema in this database, and they reach it as
// through a pooler in transaction mode. What they say then is what every server takes.
func TestConformance(t *testing.T) {
	dsn := pgtest.Database(t)
	_, database, _ := strings.Cut(dsn, "dbname=")
	pgtest.Exec(t, dsn, fmt.Sprintf("CREATE ROLE poor_%[1]s LOGIN; GRANT CREATE ON DATABASE %[1]s TO poor_%[1]s", database))
	wire, through := pgtest.Listen(t, dsn)
	runlogtest.Conformance(t, places(dsn, strings.Replace(through, "user=postgres", "user=poor_"+database, 1)))
	portable(t, wire, dsn, quote(query(t, dsn, "SELECT min(nspname) FROM pg_namespace WHERE nspname LIKE 'schema %'")[0]))
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/runlogtest"
)

const columnsOf = "SELECT string_agg(column_name, ' ' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1"

// The migrations spell the columns out, because what is released must not change with the code; the newest version must
// be what the tables in the code say.
func TestMigrationsLeadToTheTables(t *testing.T) {
	dsn := pgtest.Database(t)
	require.NoError(t, open(t, Options{DSN: dsn}).Close())
	for _, table := range runlog.Tables {
		var want []string
		for _, c := range columns(table) {
			want = append(want, strings.Trim(c.name, `"`)+" "+c.sqlType.name)
		}
		assert.Equal(t, want, query(t, dsn, "SELECT column_name || ' ' || data_type FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position", dataTable(table)), table.Name)
		var shown []string
		for _, c := range table.Columns {
			if !c.Hidden {
				shown = append(shown, c.Name)
			}
		}
		assert.Equal(t, []string{strings.Join(shown, " ")}, query(t, dsn, columnsOf, table.Name))
	}
	for _, v := range runlog.Views {
		assert.Equal(t, []string{strings.Join(v.Columns, " ")}, query(t, dsn, columnsOf, v.Name), v.Name)
	}
}

func TestWhatReadersSee(t *testing.T) {
	dsn := pgtest.Database(t)
	s := open(t, Options{DSN: dsn})
	defer s.Close()
	r := runlogtest.End(runlogtest.Run("run-1", 0))
	r.SetAttribute("b", `1e300`)
	r.SetAttribute("a", `{"x":[1,"é"]}`)
	write := func(facts ...*runlog.Row) {
		_, err := s.Write(ctx, runlogtest.Batch(facts...))
		require.NoError(t, err)
	}
	write(r, runlogtest.Stage("run-1", "llm", 1, false), runlogtest.Stage("run-1", "llm", 2, false), runlogtest.Stage("run-1", "stt", 1, false), runlogtest.Call("", "foreign"))
	write(runlogtest.Stage("run-1", "llm", 1, true))
	assert.Equal(t, []string{"run-1 completed 2023-11-14 22:13:20 x"}, query(t, dsn,
		"SELECT run_id || ' ' || status || ' ' || (started_at AT TIME ZONE 'UTC') || ' ' || (SELECT min(k) FROM jsonb_object_keys(attributes->'a') k) FROM runs"),
		"calls of no run make no run")
	assert.Equal(t, []string{"llm 1", "stt 1"}, query(t, dsn, "SELECT name || ' ' || attempt FROM stages ORDER BY name"), "what came from logs is superseded by stage")
	assert.Equal(t, []string{"2 0 0"}, query(t, dsn, "SELECT stages || ' ' || retries || ' ' || calls FROM run_summary"))
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dsn := pgtest.Database(t)
	require.NoError(t, open(t, Options{DSN: dsn}).Close())
	pgtest.Exec(t, dsn, "UPDATE runlog_schema SET version = 99")
	_, err := Open(ctx, Options{DSN: dsn})
	require.ErrorIs(t, err, ErrNewerSchema)
	assert.ErrorContains(t, err, "it has schema version 99")
	assert.ErrorContains(t, err, "upgrade, or name another schema")
	assert.NotContains(t, err.Error(), "\n")
}

func TestWhatDoesNotOpen(t *testing.T) {
	dsn := pgtest.Start(t).Database(t) // of its own: roles and databases would stay
	pgtest.Exec(t, dsn, "CREATE TABLE runs (id int); CREATE ROLE nobody_here LOGIN; REVOKE CREATE ON SCHEMA public FROM public")
	pgtest.Exec(t, dsn, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
	host := strings.Fields(dsn)[0]
	for name, tt := range map[string]struct {
		dsn  string
		want []string
	}{
		"somebody else's table": {dsn, []string{`relation "runs" already exists`, "name another schema", host[len("host="):]}},
		"no such database":      {host + " user=postgres dbname=none password=secret", []string{`database "none"`, "does not exist", "CREATE DATABASE"}},
		"no right":              {strings.Replace(dsn, "user=postgres", "user=nobody_here", 1) + " password=secret", []string{"permission denied", "grant the user"}},
		"another encoding":      {host + " user=postgres dbname=latin", []string{"encoding is not UTF8 but LATIN1", "ENCODING 'UTF8'"}},
		"nobody there":          {"postgres://me:secret@127.0.0.1:1/db?connect_timeout=5", []string{`database "db" at 127.0.0.1:1`}},
		"no URL":                {"postgres://me:sec%zzret@h/db", []string{"not a valid URL"}},
		"password with a slash": {"postgres://me:sec/ret@h/db", []string{"DSN"}},
		"no such setting":       {"postgres://me:secret@h/db?sslmode=maybe", []string{"DSN"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(ctx, Options{DSN: tt.dsn})
			require.Error(t, err)
			for _, want := range tt.want {
				assert.ErrorContains(t, err, want)
			}
			assert.NotContains(t, err.Error(), "\n", "one line")
			assert.NotContains(t, err.Error(), "secret")
			assert.NotContains(t, err.Error(), "ret@")
			assert.NotContains(t, err.Error(), "sec/")
		})
	}
}

// Views are made anew with every migration, whatever their columns were.
func TestViewsAreMadeAnew(t *testing.T) {
	dsn := pgtest.Database(t)
	require.NoError(t, open(t, Options{DSN: dsn}).Close())
	c, err := pgx.Connect(ctx, dsn)
	require.NoError(t, err)
	defer c.Close(ctx)
	require.NoError(t, pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error { return remakeViews(ctx, tx) }))
	for _, v := range runlog.Views {
		assert.Equal(t, []string{strings.Join(v.Columns, " ")}, query(t, dsn, columnsOf, v.Name), v.Name)
	}
}

// A schema that is up to date can be used by who has no right to make one, and is not written to.
func TestOpenWithoutTheRightToMigrate(t *testing.T) {
	dsn := pgtest.Start(t).Database(t) // of its own: roles and databases would stay
	require.NoError(t, open(t, Options{DSN: dsn, Schema: "log"}).Close())
	pgtest.Exec(t, dsn, "CREATE ROLE writes_only LOGIN; GRANT USAGE ON SCHEMA log TO writes_only; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA log TO writes_only")
	s := open(t, Options{DSN: strings.Replace(dsn, "user=postgres", "user=writes_only", 1), Schema: "log"})
	defer s.Close()
	res, err := s.Write(ctx, runlogtest.Batch(runlogtest.Run("run-1", 0)))
	require.NoError(t, err)
	assert.Equal(t, map[string]int64{"runs": 1}, res.Rows)
}

// The whole schema, in the words that make it. A difference here is a difference in users' databases: it needs a new
// migration, or the databases that exist will not have it.
func TestMigrationsOnlyAdd(t *testing.T) {
	assert.Len(t, migrations(), 1)
	for i, text := range migrations() {
		assert.NotContains(t, strings.ToUpper(text), "DROP ", fmt.Sprint(i))
	}
}

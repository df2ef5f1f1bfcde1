// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader/readertest"
)

// What readers, dashboards, upgrades and the retention say; what writers say is seen in TestConformance.
func TestReadersSayWhatEveryServerTakes(t *testing.T) {
	direct := pgtest.Database(t)
	wire, dsn := pgtest.Listen(t, direct)
	s := open(t, Options{DSN: dsn})
	defer s.Close()
	readertest.Write(t, s, readertest.Sample(t)...)
	_, err := s.Retained(ctx)
	require.NoError(t, err)

	r, err := reader.Open(ctx, dsn)
	require.NoError(t, err)
	defer r.Close()
	day := reader.Filter{Since: readertest.Now.Add(-24 * time.Hour)}
	everything := reader.Filter{Status: []string{"failed"}, Pipeline: "chat", Since: day.Since, Until: readertest.Now,
		Code: "RATE_LIMITED", User: "ada", Session: "s-1", Provider: "openai", RunIDs: []string{readertest.FailedRun}, Limit: 7}
	filters := []reader.Filter{{}, day, everything}
	each := func(ask func(reader.Filter) error) func() error {
		return func() error {
			for _, f := range filters {
				if err := ask(f); err != nil {
					return err
				}
			}
			return nil
		}
	}
	asks := map[string]func() error{
		"Changed":   func() error { _, err := r.Changed(ctx, reader.Change{}); return err },
		"Close":     func() error { return nil },
		"Each":      each(func(f reader.Filter) error { return r.Each(ctx, f, func(*reader.Detail) error { return nil }) }),
		"Failures":  each(func(f reader.Filter) error { _, err := r.Failures(ctx, f); return err }),
		"Find":      func() error { _, err := r.Find(ctx, "7b54d"); return err },
		"Providers": each(func(f reader.Filter) error { _, err := r.Providers(ctx, f); return err }),
		"Run":       func() error { _, err := r.Run(ctx, readertest.FailedRun); return err },
		"Runs":      each(func(f reader.Filter) error { _, err := r.Runs(ctx, f); return err }),
		"States":    func() error { _, err := r.States(ctx, []string{readertest.RunningRun}); return err },
	}
	for m := range reflect.TypeFor[*reader.Reader]().Methods() {
		require.Contains(t, asks, m.Name, "a new method is asked here, too")
		require.NoError(t, asks[m.Name](), m.Name)
	}

	unprepared := dsn + " default_query_exec_mode=exec" // as Grafana asks
	for _, sql := range dashboardQueries(t) {
		query(t, unprepared, sql)
	}
	for _, v := range runlog.Views {
		query(t, unprepared, "SELECT * FROM "+v.Name)
	}
	c, err := pgx.Connect(ctx, unprepared)
	require.NoError(t, err)
	defer c.Close(ctx)
	require.NoError(t, pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error { return remakeViews(ctx, tx) }))
	_, err = s.Prune(ctx, runlog.Retention{MaxAge: time.Second, MaxBytes: 1}, readertest.Now)
	require.NoError(t, err)
	assert.Empty(t, query(t, unprepared, "SELECT run_id FROM runs"))
	portable(t, wire, direct, "public")
}

// everyStartup is what a pooler in transaction mode takes when a client connects.
var everyStartup = []string{"application_name", "client_encoding", "database", "user"}

// portable checks all that was said on a wire. A migration is checked in CockroachDB's words, which are some fewer.
func portable(t *testing.T, wire *pgtest.Wire, direct, schema string) {
	known, refuse := whatIsTaken(t), whatIsRefused(t)
	relations, columns := namesOf(t, direct, schema)
	told := map[string]bool{}
	for _, sql := range wire.Texts() {
		if slices.Contains(migrations(), sql) {
			sql = strings.Join(forCockroach([]string{sql})[1:], ";")
		}
		for _, o := range objections(sql, known, refuse, relations, columns) {
			if !told[o] {
				told[o] = true
				t.Errorf("not every server takes this: %s\nin %.2000s", o, sql)
			}
		}
	}
	assert.Empty(t, wire.Named(), "statements that outlive their transaction")
	assert.Subset(t, everyStartup, wire.Settings())
}

// The tables of what somebody refuses find what they are for.
func TestWhatIsRefusedIsFound(t *testing.T) {
	known, refuse := whatIsTaken(t), whatIsRefused(t)
	relations, columns := map[string]bool{"runs_data": true}, map[string]bool{"status": true, "run_id": true}
	check := func(sql string) string {
		return strings.Join(objections(sql, known, refuse, relations, columns), "\n")
	}
	assert.Empty(t, check("SELECT max(status) FROM runs_data WHERE run_id = '' OR status = ANY ($1::text[]) -- pg_sleep(1)"))
	for _, r := range refuse {
		assert.Contains(t, check(r.example), r.construct+": refused by "+r.by)
	}
	for sql, want := range map[string]string{
		"SELECT md5(status) FROM runs_data":               "function md5",
		`SELECT "md5" (status) FROM runs_data`:            `function "md5"`,
		"SELECT status::money FROM runs_data":             "type money",
		"SELECT CAST(max(status) AS money)":               "type money in CAST",
		"SELECT inet '::1'":                               "type inet",
		"SELECT status FROM runs_data WHERE run_id ~ 'x'": "operator ~",
		"SELECT count(*) / 2":                             "a division",
		"SELECT status FROM pg_locks":                     "word pg_locks",
		"VACUUM runs_data":                                "word vacuum",
		"SELECT $$x$$":                                    "operator $",
	} {
		assert.Contains(t, check(sql), want, sql)
	}
}

// Citus wants the column by which a table is divided in every key, and nothing but tables and views: an object of
// another kind is one that some server does not have.
func TestEveryTableCanBeDivided(t *testing.T) {
	dsn := pgtest.Database(t)
	require.NoError(t, open(t, Options{DSN: dsn}).Close())
	const inSchema = " = 'public'::regnamespace"
	assert.Equal(t, []string{
		"breaker_transitions_data key", "events_data run_id", "provider_calls_data run_id", "runlog_schema id", "runs_data run_id",
		"stages_data run_id", "tool_calls_data run_id",
	}, query(t, dsn, `SELECT c.relname || ' ' || a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
		WHERE i.indisunique AND c.relnamespace`+inSchema+` ORDER BY 1`), "the begin of every unique key")
	for _, others := range []string{
		"SELECT conname FROM pg_constraint WHERE contype NOT IN ('c', 'p') AND connamespace" + inSchema,
		"SELECT relname FROM pg_class WHERE (relkind NOT IN ('i', 'r', 'v') OR relpersistence <> 'p') AND relnamespace" + inSchema,
		"SELECT proname FROM pg_proc WHERE pronamespace" + inSchema,
		"SELECT typname FROM pg_type WHERE typrelid = 0 AND typcategory <> 'A' AND typnamespace" + inSchema,
		"SELECT tgname FROM pg_trigger",
		"SELECT ev_class::regclass FROM pg_rewrite WHERE rulename <> '_RETURN' AND ev_class IN (SELECT oid FROM pg_class WHERE relnamespace" + inSchema + ")",
		"SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'",
		"SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE (a.attidentity <> '' OR a.attgenerated <> '') AND c.relnamespace" + inSchema,
	} {
		assert.Empty(t, query(t, dsn, others), others)
	}
	known := whatIsTaken(t)
	for _, name := range query(t, dsn, `SELECT DISTINCT format_type(a.atttypid, NULL) FROM pg_attribute a
		JOIN pg_class c ON c.oid = a.attrelid WHERE a.attnum > 0 AND c.relnamespace`+inSchema) {
		assert.Contains(t, known["type"], strings.Fields(name)[0])
	}
}

// CockroachDB makes the same tables of what it is told instead.
func TestCockroachMakesTheSameTables(t *testing.T) {
	texts := forCockroach(migrations())
	for _, sql := range texts {
		assert.NotContains(t, sql, "COLLATE")
	}
	dsn := pgtest.Database(t)
	require.NoError(t, open(t, Options{DSN: dsn}).Close())
	pgtest.Exec(t, dsn, "CREATE SCHEMA other; SET search_path TO other; "+strings.Join(texts[1:], ";"))
	const shape = "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = $1 AND table_name LIKE '%_data' ORDER BY 1, ordinal_position"
	assert.Equal(t, query(t, dsn, shape, "public"), query(t, dsn, shape, "other"))
}

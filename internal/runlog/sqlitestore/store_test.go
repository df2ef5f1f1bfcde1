// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

const second = int64(1_000_000_000)

// at is a time of the test's day, which is 14 November 2023, 22:13:20 UTC.
func at(seconds int64) int64 { return (1_700_000_000 + seconds) * second }

func run(id string, seconds int64) *runlog.Row {
	r := runlog.NewFact(runlog.Runs, at(seconds), false, runlog.KeyValue(id))
	r.Set(runlog.Runs.Column("started_at"), runlog.TimeValue(at(seconds)))
	return r
}

func stage(id, name string, attempt int64, fromSpan bool) *runlog.Row {
	return runlog.NewFact(runlog.Stages, at(0), fromSpan, runlog.KeyValue(id), runlog.KeyValue(name), runlog.IntValue(attempt))
}

func call(id, callID string) *runlog.Row {
	return runlog.NewFact(runlog.ProviderCalls, at(0), true, runlog.KeyValue(id), runlog.KeyValue(callID))
}

func batch(facts ...*runlog.Row) *runlog.Batch {
	b := runlog.NewBatch()
	for _, f := range facts {
		b.Add(f)
	}
	return b
}

func write(t *testing.T, s *Store, facts ...*runlog.Row) runlog.Result {
	t.Helper()
	res, err := s.Write(ctx, batch(facts...))
	require.NoError(t, err)
	return res
}

func query(t *testing.T, path, sql string, args ...any) [][]any {
	t.Helper()
	r, err := OpenReader(path)
	require.NoError(t, err)
	defer r.Close()
	a, err := r.Query(ctx, sql, args...)
	require.NoError(t, err)
	return a.Rows
}

// The columns that the design promises to readers.
var promised = map[string]string{
	"runs": "run_id trace_id parent_run_id parent_stage pipeline_name topology execution_mode service status " +
		"end_kind started_at ended_at duration_ms failed_stage error_code error_type error_message error_retryable " +
		"error_fingerprint breakers user_id session_id org_id request_id correlation_id stage_results attributes updated_at",
	"stages": "run_id name attempt span_id kind status reason started_at ended_at duration_ms " +
		"error_code error_type error_message error_retryable attributes",
	"provider_calls": "run_id call_id stage operation provider model_id success latency_ms input_tokens output_tokens " +
		"cost_usd error_code error_type error_message error_retryable breaker_state started_at ended_at attributes",
	"tool_calls": "run_id action_id tool_name stage status started_at ended_at duration_ms " +
		"error_code error_type error_message error_retryable attributes",
	"breaker_transitions": "key source generation from_state to_state at reason trace_id span_id",
	"events":              "run_id type time data",
}

func TestReadersSeeTheColumnsOfTheDesign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	require.NoError(t, open(t, path).Close())
	r, err := OpenReader(path)
	require.NoError(t, err)
	defer r.Close()
	for view, columns := range promised {
		a, err := r.Query(ctx, "SELECT * FROM "+view)
		require.NoError(t, err)
		assert.Equal(t, strings.Fields(columns), a.Columns, view)
		assert.Empty(t, a.Rows)
	}
	for _, view := range runlog.Views {
		a, err := r.Query(ctx, "SELECT * FROM "+view.Name)
		require.NoError(t, err)
		assert.Equal(t, view.Columns, a.Columns, view.Name)
		assert.Empty(t, a.Rows)
	}
}

// The migrations spell the columns out, because what is released must not change with the code; the newest
// version must be what the tables in the code say.
func TestMigrationsLeadToTheTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	require.NoError(t, open(t, path).Close())
	types := map[runlog.Type]string{runlog.Text: "TEXT", runlog.JSON: "TEXT", runlog.Real: "REAL",
		runlog.Integer: "INTEGER", runlog.Boolean: "INTEGER", runlog.Time: "INTEGER"}
	for _, table := range runlog.Tables {
		var want [][]any
		for i, c := range table.Columns {
			name, typ := c.Name, types[c.Type]
			switch {
			case i > 0:
			case table == runlog.Runs:
				want = append(want, []any{"id", "INTEGER"})
			case belowRun(table):
				name, typ = "run", "INTEGER"
			}
			want = append(want, []any{name, typ})
		}
		want = append(want, []any{"merge", "BLOB"})
		assert.Equal(t, want, query(t, path, "SELECT name, type FROM pragma_table_info(?)", dataTable(table)), table.Name)
	}
}

func TestWhatReadersSee(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	r := run("run-1", 0)
	r.Set(runlog.Runs.Column("status"), runlog.KeyValue(string(semconv.StatusFailed)))
	r.Set(runlog.Runs.Column("end_kind"), runlog.KeyValue(string(semconv.EndExplicit)))
	r.Set(runlog.Runs.Column("error_retryable"), runlog.BoolValue(true))
	r.SetAttribute("b", `2`)
	r.SetAttribute("a", `"x"`)
	write(t, s, r, stage("run-1", "llm", 1, true), call("run-1", "call-1"), call("", "trace-span"))

	assert.Equal(t, [][]any{{"run-1", "2023-11-14T22:13:20.000000Z", nil, int64(1), `{"a":"x","b":2}`, "2023-11-14T22:13:20.000000Z"}},
		query(t, path, "SELECT run_id, started_at, ended_at, error_retryable, attributes, updated_at FROM runs"),
		"calls of no run make no run")
	assert.Equal(t, [][]any{{"run-1", "llm", int64(1), "running"}},
		query(t, path, "SELECT run_id, name, attempt, status FROM stages"))
	assert.Equal(t, [][]any{{"", "trace-span"}, {"run-1", "call-1"}},
		query(t, path, "SELECT run_id, call_id FROM provider_calls ORDER BY run_id"))
}

func TestReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	write(t, s, run("run-1", 0), run("run-2", 2), run("run-3", 1), stage("run-1", "llm", 1, true), call("run-1", "call-1"))
	r, err := OpenReader(path)
	require.NoError(t, err)
	defer r.Close()

	write(t, s, runlog.NewFact(runlog.Runs, at(0), false, runlog.KeyValue("run-4")))
	a, err := r.Runs(ctx, 3)
	require.NoError(t, err)
	require.Len(t, a.Rows, 3)
	assert.Equal(t, "run-4", a.Rows[0][0], "nobody told yet when it began")
	assert.Equal(t, "run-2", a.Rows[1][0])
	assert.Equal(t, "run-3", a.Rows[2][0])
	for name, f := range map[string]func(context.Context, string) (Answer, error){
		"run": r.Run, "stages": r.Stages, "calls": r.ProviderCalls,
	} {
		a, err := f(ctx, "run-1")
		require.NoError(t, err, name)
		assert.Len(t, a.Rows, 1, name)
		a, err = f(ctx, "nobody")
		require.NoError(t, err, name)
		assert.Empty(t, a.Rows, name)
	}
	_, err = r.Query(ctx, "DELETE FROM runs_data")
	assert.Error(t, err, "a reader changes nothing")
}

func TestReadersQueriesUseIndexes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	require.NoError(t, open(t, path).Close())
	for sql, index := range map[string]string{
		"SELECT * FROM runs ORDER BY started_at DESC LIMIT 50": "USING INDEX runs_started_at",
		listRuns: "USING INDEX runs_started_at",
		"SELECT * FROM runs WHERE started_at >= '2026-01-01' AND status = 'x'": "USING INDEX runs_started_at",
		"SELECT * FROM runs WHERE parent_run_id = 'x'":                         "USING INDEX runs_parent",
		"SELECT * FROM stages WHERE run_id = 'x'":                              "USING PRIMARY KEY (run=?)",
		"SELECT * FROM provider_calls WHERE run_id = ''":                       "USING PRIMARY KEY (run=?)",
		"SELECT * FROM tool_calls WHERE run_id = 'x'":                          "USING PRIMARY KEY (run=?)",
		"SELECT * FROM events WHERE run_id = 'x'":                              "(run=?)",
		"SELECT * FROM breaker_transitions WHERE key = 'x'":                    "USING PRIMARY KEY (key=?)",
		"SELECT * FROM runs WHERE status = 'failed' AND started_at >= '2026'":  "USING INDEX runs_failed",
		"SELECT * FROM run_summary ORDER BY started_at DESC LIMIT 50":          "USING INDEX runs_started_at",
	} {
		var plan strings.Builder
		for _, row := range query(t, path, "EXPLAIN QUERY PLAN "+strings.ReplaceAll(sql, "?", "50")) {
			plan.WriteString(row[3].(string) + "\n")
		}
		assert.Contains(t, plan.String(), index, sql)
		assert.NotContains(t, plan.String(), "TEMP B-TREE FOR ORDER BY", sql)
	}
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "er", "run log?#%20.db")
	s := open(t, path)
	write(t, s, run("run-1", 0))
	require.NoError(t, s.Close())
	require.FileExists(t, path)
	s = open(t, path)
	defer s.Close()
	ended := run("run-1", 5)
	ended.Set(runlog.Runs.Column("status"), runlog.KeyValue(string(semconv.StatusCompleted)))
	ended.Set(runlog.Runs.Column("end_kind"), runlog.KeyValue(string(semconv.EndExplicit)))
	write(t, s, ended)
	assert.Equal(t, [][]any{{"2023-11-14T22:13:20.000000Z", "completed"}}, query(t, path, "SELECT started_at, status FROM runs"))
}

func TestDatabasesThatAreRefused(t *testing.T) {
	makeDB := func(t *testing.T, sql string) string {
		path := filepath.Join(t.TempDir(), "x.db")
		c, err := openConn(path)
		require.NoError(t, err)
		require.NoError(t, c.exec(sql))
		require.NoError(t, c.Close())
		return path
	}
	newer := makeDB(t, "CREATE TABLE t (a); PRAGMA application_id = 0x73666c67; PRAGMA user_version = 99")
	foreign := makeDB(t, "CREATE TABLE customers (a)")
	text := filepath.Join(t.TempDir(), "notes.txt")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600))
	file := filepath.Join(text, "runlog.db")

	for name, tt := range map[string]struct {
		path, want string
		is         error
	}{
		"newer schema":          {newer, "it has schema version 99, this one knows 2: upgrade, or name another path", ErrNewerSchema},
		"another's database":    {foreign, "the database is not a run log: name another path", errNotRunLog},
		"not a database":        {text, "the file is not a SQLite database; name another path or move the file away", nil},
		"a file as a directory": {file, "not a directory", nil},
		"a directory as a file": {filepath.Dir(text), "make the file and its directory writable", nil},
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := os.ReadFile(tt.path)
			_, err := Open(tt.path)
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, tt.path)
			assert.NotContains(t, err.Error(), "\n", "one line")
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			after, _ := os.ReadFile(tt.path)
			assert.Equal(t, before, after, "what is refused is left as it is")

			_, err = OpenReader(tt.path)
			require.ErrorContains(t, err, tt.path)
			assert.NotContains(t, err.Error(), "\n", "one line")
		})
	}
	_, err := OpenReader(filepath.Join(t.TempDir(), "none.db"))
	require.ErrorContains(t, err, "there is no run log at")
	_, err = OpenReader(makeDB(t, "VACUUM"))
	require.ErrorIs(t, err, errNotRunLog, "an empty database is none yet")
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	require.NoError(t, open(t, path).Close())
	db, err := sql.Open("sqlite", uri(path, "mode=ro"))
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec("DELETE FROM runs_data")
	require.ErrorContains(t, explain("write to", path, err), "make the file and its directory writable for this user")

	if os.Geteuid() != 0 { // nothing is read-only to root
		require.NoError(t, os.Chmod(path, 0o400))
		_, err = Open(path)
		require.ErrorContains(t, err, "make the file and its directory writable for this user")
	}
}

func TestWhatCanNeverBeStoredDoesNotBlockOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	for _, table := range []string{"runs_data", "stages_data"} {
		// SQLite refuses values over a billion bytes; this one refuses earlier.
		require.NoError(t, s.conn.exec("CREATE TRIGGER big_"+table+" BEFORE INSERT ON "+table+
			" WHEN length(NEW.attributes) > 10000 BEGIN SELECT RAISE(ABORT, 'too big'); END"))
	}
	big := stage("run-2", "llm", 1, true)
	big.SetAttribute("text", `"`+strings.Repeat("x", 20_000)+`"`)
	bigRun := run("run-3", 0)
	bigRun.SetAttribute("text", `"`+strings.Repeat("x", 20_000)+`"`)

	res := write(t, s, run("run-1", 0), run("run-2", 0), big, stage("run-2", "stt", 1, true), bigRun, call("run-3", "call-1"))
	require.Len(t, res.Rejected, 2)
	assert.Equal(t, "stages run-2 llm", res.Rejected[0].Table+" "+res.Rejected[0].RunID+" "+res.Rejected[0].Key)
	assert.Equal(t, "runs run-3 ", res.Rejected[1].Table+" "+res.Rejected[1].RunID+" "+res.Rejected[1].Key)
	require.ErrorContains(t, res.Rejected[0].Err, "too big")
	assert.Equal(t, [][]any{{"run-1"}, {"run-2"}, {"run-3"}}, query(t, path, "SELECT run_id FROM runs ORDER BY 1"))
	assert.Equal(t, [][]any{{"stt"}}, query(t, path, "SELECT name FROM stages"))
	assert.Equal(t, [][]any{{"call-1"}}, query(t, path, "SELECT call_id FROM provider_calls"))
}

func TestARowOfNoRunIsSetAsideByItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	require.NoError(t, s.conn.exec("CREATE TRIGGER no BEFORE INSERT ON breaker_transitions_data "+
		"WHEN NEW.generation = 2 BEGIN SELECT RAISE(ABORT, 'too big'); END"))
	res := write(t, s, transition(1, 1), transition(2, 2), transition(3, 3), event("", 1), run("run-1", 1))
	require.Len(t, res.Rejected, 1)
	assert.Equal(t, "breaker_transitions", res.Rejected[0].Table)
	assert.Equal(t, "chat/openai collector 2", res.Rejected[0].Key, "for people")
	assert.Equal(t, [][]any{{int64(1)}, {int64(3)}}, query(t, path, "SELECT generation FROM breaker_transitions ORDER BY 1"))
	assert.Len(t, query(t, path, "SELECT * FROM events"), 1)
	assert.Len(t, query(t, path, "SELECT * FROM runs"), 1)
}

// damage is done by somebody else: what a store wrote itself it remembers.
func damage(t *testing.T, path, sql string) {
	other, err := openConn(path)
	require.NoError(t, err)
	defer other.Close()
	require.NoError(t, other.exec(sql))
}

func TestADamagedRowDoesNotBlockOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	write(t, s, run("run-1", 0))
	damage(t, path, "UPDATE runs_data SET merge = x'ff' WHERE id > 0")
	res := write(t, s, run("run-1", 1), run("run-2", 1))
	require.Len(t, res.Rejected, 1)
	require.ErrorIs(t, res.Rejected[0].Err, errDamaged)
	assert.Equal(t, [][]any{{"run-2"}}, query(t, path, "SELECT run_id FROM runs WHERE run_id = 'run-2'"))
}

func TestALockedDatabaseIsWorthAnotherTry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	require.NoError(t, s.conn.exec("PRAGMA busy_timeout = 0"))
	other, err := openConn(path)
	require.NoError(t, err)
	defer other.Close()
	require.NoError(t, other.exec("BEGIN IMMEDIATE"))
	b := batch(run("run-1", 0))
	res, err := s.Write(ctx, b)
	require.Error(t, err)
	assert.Equal(t, sqlite3.SQLITE_BUSY, code(err))
	require.ErrorContains(t, err, "another process holds it")
	assert.NotContains(t, err.Error(), "\n", "one line")
	assert.Empty(t, res.Rejected)
	require.NoError(t, other.exec("ROLLBACK"))
	_, err = s.Write(ctx, b)
	require.NoError(t, err, "the same batch again")
	assert.Len(t, query(t, path, "SELECT run_id FROM runs"), 1)
}

func TestAnEndedContextWritesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err := s.Write(ended, batch(run("run-1", 0)))
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, query(t, path, "SELECT run_id FROM runs"))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing twice is no error")
	_, err = s.Write(ctx, batch(run("run-1", 0)))
	require.ErrorIs(t, err, os.ErrClosed)
}

func TestReadersGoOnWhileWriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			r, err := OpenReader(path)
			if !assert.NoError(t, err) {
				return
			}
			defer r.Close()
			for {
				select {
				case <-stop:
					return
				default:
				}
				// A transaction is seen whole or not at all.
				a, err := r.Query(ctx, "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM stages)")
				if !assert.NoError(t, err) || !assert.Equal(t, a.Rows[0][0], a.Rows[0][1]) {
					return
				}
			}
		})
	}
	var writers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			for i := range 30 {
				id := strings.Repeat("x", w+1) + string(rune('A'+i))
				_, err := s.Write(ctx, batch(run(id, 0), stage(id, "llm", 1, true)))
				assert.NoError(t, err)
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	assert.Equal(t, [][]any{{int64(90)}}, query(t, path, "SELECT count(*) FROM runs"))
}

func TestAfterAKill(t *testing.T) {
	path, dir := filepath.Join(t.TempDir(), "runlog.db"), t.TempDir()
	s := open(t, path)
	defer s.Close()
	write(t, s, run("run-1", 0))
	// What a killed process leaves: the database and the log of what was not yet moved into it.
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "runlog.db"+suffix), b, 0o600))
	}
	left := filepath.Join(dir, "runlog.db")
	assert.Equal(t, [][]any{{"run-1"}}, query(t, left, "SELECT run_id FROM runs"), "a reader needs no writer")
	again := open(t, left)
	write(t, again, run("run-2", 0))
	require.NoError(t, again.Close())
	assert.Equal(t, [][]any{{int64(2)}}, query(t, left, "SELECT count(*) FROM runs"))
}

func TestPragmas(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "runlog.db"))
	defer s.Close()
	for pragma, want := range map[string]int64{
		"busy_timeout": 5000, "auto_vacuum": 2, "synchronous": 1, "cache_size": -65536, "wal_autocheckpoint": 4000, "temp_store": 2,
		"user_version": int64(len(migrations())), "application_id": applicationID,
	} {
		got, err := s.conn.number("PRAGMA " + pragma)
		require.NoError(t, err)
		assert.Equal(t, want, got, pragma)
	}
}

// The whole schema as it is on disk; those of earlier versions stay, to migrate from. A difference here is a difference in users' databases: it needs a new
// migration, or the databases that exist will not have it.
func TestSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	require.NoError(t, open(t, path).Close())
	var got strings.Builder
	for _, row := range query(t, path, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name") {
		got.WriteString(row[0].(string) + ";\n\n")
	}
	golden := filepath.Join("testdata", fmt.Sprintf("schema_v%d.sql", len(migrations())))
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(golden, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), got.String())
}

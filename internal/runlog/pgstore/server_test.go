// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/runlogtest"
)

// The server is killed under load three times. Every batch is tried until it is taken, as the exporter does.
func TestKilledServer(t *testing.T) {
	server := pgtest.Start(t)
	dsn := server.Database(t)
	const writers, batches, runs = 3, 40, 25
	stores := []*Store{open(t, Options{DSN: dsn}), open(t, Options{DSN: dsn})}
	var written, failed atomic.Int64
	deadline, cancel := context.WithTimeout(ctx, 80*time.Second)
	defer cancel()
	done := make(chan error, writers)
	for w := range writers {
		go func() {
			for n := range batches {
				for _, part := range []func(*runlog.Batch, int){runlogtest.Started, runlogtest.Ended} {
					b := runlog.NewBatch()
					for i := range runs {
						part(b, storyOf(w, n*runs+i))
					}
					for {
						res, err := stores[w%2].Write(deadline, b)
						if err == nil && len(res.Rejected) == 0 {
							break
						}
						if err == nil || deadline.Err() != nil {
							done <- fmt.Errorf("%v %w", res.Rejected, err)
							return
						}
						failed.Add(1)
						// As long as the exporter's first pause, made short.
						_ = pause(deadline, 5)
					}
					written.Add(1)
				}
			}
			done <- nil
		}()
	}
	const all = writers * batches * 2
	for kill := range 3 {
		require.Eventually(t, func() bool { return written.Load() >= int64(all*(kill+1)/5) }, time.Minute, time.Millisecond)
		server.Kill()
		require.NoError(t, server.Restart())
	}
	for range writers {
		require.NoError(t, <-done)
	}
	assert.Positive(t, failed.Load(), "the server was away")
	for _, s := range stores {
		require.NoError(t, s.Close())
	}

	want := open(t, Options{DSN: dsn, Schema: "want"})
	for w := range writers {
		b := runlog.NewBatch()
		for i := range batches * runs {
			runlogtest.Started(b, storyOf(w, i))
			runlogtest.Ended(b, storyOf(w, i))
		}
		_, err := want.Write(ctx, b)
		require.NoError(t, err)
	}
	require.NoError(t, want.Close())
	if (place{dsn: dsn, schema: "want"}).Dump(t) != (place{dsn: dsn, schema: "public"}).Dump(t) {
		t.Error("rows were lost or doubled")
	}
	t.Logf("%d batches, %d tries failed", all, failed.Load())
}

// storyOf is the n-th run that a writer tells of; of half of them another one does, too.
func storyOf(writer, n int) int { return writer/2*1_000_000 + n*(writer%2+1) }

// A batch whose rows nobody else changed is one transaction, and so is one that meets rows that this store wrote.
func TestOneRoundTrip(t *testing.T) {
	dsn := pgtest.Database(t)
	s := open(t, Options{DSN: dsn, MaxConnections: 1})
	defer s.Close()
	other := open(t, Options{DSN: dsn})
	defer other.Close()
	transactions := func(s *Store, part func(*runlog.Batch, int)) int {
		b := runlog.NewBatch()
		for i := range 300 {
			part(b, i)
		}
		first := query(t, dsn, "SELECT pg_current_xact_id()::text::bigint")[0]
		_, err := s.Write(ctx, b)
		require.NoError(t, err)
		last := query(t, dsn, "SELECT pg_current_xact_id()::text::bigint")[0]
		var from, to int
		_, err = fmt.Sscan(first+" "+last, &from, &to)
		require.NoError(t, err)
		return to - from - 1
	}
	assert.Equal(t, 1, transactions(s, runlogtest.Started))
	assert.Equal(t, 1, transactions(s, runlogtest.Ended), "the runs are remembered, spans take the place of log facts unseen")
	assert.Zero(t, transactions(s, func(b *runlog.Batch, n int) {
		b.Add(runlog.NewFact(runlog.Runs, runlogtest.At(0), false, runlog.KeyValue(runlogtest.StoryID(n))))
	}), "nothing new")
	late := func(b *runlog.Batch, n int) {
		r := runlogtest.Run(runlogtest.StoryID(n), 9)
		r.SetAttribute("late", "1")
		b.Add(r)
	}
	assert.Equal(t, 2, transactions(other, late), "tried, read, tried again")

	from := func(first int, part func(*runlog.Batch, int)) func(*runlog.Batch, int) {
		return func(b *runlog.Batch, n int) { part(b, first+n) }
	}
	for i, want := range []int{2, 1, 1} {
		first := 1000 * (i + 1)
		assert.Equal(t, 1, transactions(s, from(first, runlogtest.Started)))
		assert.Equal(t, want, transactions(other, from(first, runlogtest.Ended)), "in vain once; then it reads what the other collector told of these runs")
	}
	for _, first := range []int{5000, 6000} {
		assert.Equal(t, 1, transactions(other, from(first, runlogtest.Ended)), "new to all")
		assert.False(t, other.foresight.spans.Load(), "does not read any more")
	}
}

// Nothing may stay in a session: PgBouncer gives each transaction another.
func TestNothingStaysInTheSession(t *testing.T) {
	dsn := pgtest.Database(t)
	s := open(t, Options{DSN: dsn, MaxConnections: 1})
	defer s.Close()
	for n := range int64(3) {
		_, err := s.Write(ctx, runlogtest.Batch(runlogtest.Run("run-1", n)))
		require.NoError(t, err)
	}
	_, err := s.Prune(ctx, runlog.Retention{MaxAge: time.Second}, time.Unix(0, runlogtest.At(9)))
	require.NoError(t, err)
	for _, sql := range []string{
		"SELECT count(*) FROM pg_prepared_statements",
		"SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'",
		"SELECT count(*) FROM pg_class WHERE relpersistence = 't'",
		"SELECT count(*) FROM pg_settings WHERE source = 'session'",
	} {
		var n int
		require.NoError(t, s.pool.QueryRow(ctx, sql).Scan(&n))
		assert.Zero(t, n, sql)
	}
}

// What PostgreSQL itself refuses: a number that jsonb does not hold.
func TestWhatPostgreSQLRefuses(t *testing.T) {
	dsn := pgtest.Database(t)
	s := open(t, Options{DSN: dsn})
	defer s.Close()
	number := runlogtest.Run("run-2", 0)
	number.SetAttribute("n", "1e999999")
	good := runlogtest.Run("run-3", 0)
	good.SetAttribute("n", "1e300")
	res, err := s.Write(ctx, runlogtest.Batch(number, good, runlogtest.Run("run-4\x00\xff", 0)))
	require.NoError(t, err)
	require.Len(t, res.Rejected, 1)
	assert.Equal(t, []string{"run-3", "run-4\uFFFD\uFFFD"}, query(t, dsn, "SELECT run_id FROM runs ORDER BY run_id"))
}

func TestADamagedRowDoesNotBlockOthers(t *testing.T) {
	dsn := pgtest.Database(t)
	s := open(t, Options{DSN: dsn})
	defer s.Close()
	_, err := s.Write(ctx, runlogtest.Batch(runlogtest.Run("run-1", 0)))
	require.NoError(t, err)
	pgtest.Exec(t, dsn, `UPDATE runs_data SET merge = '\xff', revision = 0`)
	res, err := s.Write(ctx, runlogtest.Batch(runlogtest.Run("run-1", 1), runlogtest.Run("run-2", 1)))
	require.NoError(t, err)
	require.Len(t, res.Rejected, 1)
	require.ErrorIs(t, res.Rejected[0].Err, errDamaged)
	assert.Equal(t, map[string]int64{"runs": 1}, res.Rows)
}

func TestPruneBySize(t *testing.T) {
	dsn := pgtest.Database(t)
	s := open(t, Options{DSN: dsn})
	defer s.Close()
	b := runlog.NewBatch()
	for i := range 3000 {
		r := runlogtest.Run(fmt.Sprintf("run-%04d", i), int64(i))
		r.SetAttribute("text", `"`+strings.Repeat(fmt.Sprint(i), 200)+`"`)
		b.Add(r)
	}
	_, err := s.Write(ctx, b)
	require.NoError(t, err)
	pgtest.Exec(t, dsn, "ANALYZE") // the server's count of rows lags behind
	size, runs, err := s.size(ctx)
	require.NoError(t, err)
	assert.EqualValues(t, 3000, runs)
	rows := runlogtest.PruneAll(t, s, runlog.Retention{MaxBytes: size + 1}, time.Time{})
	assert.Empty(t, rows)
	s.excess.measured = time.Time{}
	rows = runlogtest.PruneAll(t, s, runlog.Retention{MaxBytes: size * 2 / 3}, time.Time{})
	assert.Contains(t, []int64{1000, 1500}, rows["runs"], "a third, in whole steps")
	assert.Empty(t, runlogtest.PruneAll(t, s, runlog.Retention{MaxBytes: size * 2 / 3}, time.Time{}), "what was just measured is not deleted twice")
	assert.Equal(t, []string{fmt.Sprintf("run-%04d", rows["runs"])}, query(t, dsn, "SELECT min(run_id) FROM runs"), "the oldest have gone")
}

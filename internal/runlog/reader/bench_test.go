// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader/readertest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/sqlitestore"
)

// bigRuns are two a second, each with two stages and a call, one in ten failed.
var bigRuns = flag.Int("runs", 100_000, "how many runs the logs of the benchmarks have")

// bigFacts are what the spans of the i-th run say. The last of the log ended half a second after readertest.Now; who
// writes on begins there.
func bigFacts(t testing.TB, i int) (facts []*runlog.Row) {
	id := bigID(i)
	start := readertest.Now.Add(-time.Duration(*bigRuns-i) * time.Second / 2)
	end := start.Add(time.Second)
	status, message := "completed", readertest.Cells{}
	if i%10 == 0 {
		status = "failed"
		message = readertest.Cells{"error_code": []string{"TIMEOUT", "RATE_LIMITED", "SERVER_ERROR"}[i/10%3], "error_message": "openai: HTTP 429: Rate limit reached"}
	}
	add := func(table *runlog.Table, cells readertest.Cells) {
		for k, v := range message {
			cells[k] = v
		}
		cells["run_id"], cells["status"], cells["started_at"], cells["ended_at"] = id, status, start, end
		facts = append(facts, readertest.Fact(t, table, end, cells))
	}
	add(runlog.Runs, readertest.Cells{"pipeline_name": "chat", "end_kind": "explicit", "duration_ms": 1000.0, "failed_stage": "llm",
		"user_id": fmt.Sprintf("user %d", i%1000), "trace_id": id})
	add(runlog.Stages, readertest.Cells{"name": "stt", "attempt": 1, "duration_ms": 400.0})
	add(runlog.Stages, readertest.Cells{"name": "llm", "attempt": 1, "duration_ms": 600.0})
	add(runlog.ProviderCalls, readertest.Cells{"call_id": "c", "stage": "llm", "operation": "chat", "provider": "openai", "model_id": "gpt-4o",
		"success": status == "completed", "latency_ms": float64(i % 997), "input_tokens": 100, "output_tokens": 200})
	return facts
}

func bigID(i int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(i)*2654435761, i) }

// bigPlace is where a big log lies.
type bigPlace struct {
	// target names it to readers.
	target string
	// open opens it for writing.
	open func() (runlog.Store, error)
	// tidy does what the database does by itself in time.
	tidy func()
	// size is how many bytes it takes on disk when nobody has it open for writing.
	size func() int64
}

func sqlitePlace(b *testing.B) bigPlace {
	path := filepath.Join(b.TempDir(), "runlog.db")
	return bigPlace{
		target: path,
		open:   func() (runlog.Store, error) { return sqlitestore.Open(path) },
		tidy:   func() {},
		size: func() int64 {
			info, err := os.Stat(path)
			require.NoError(b, err)
			return info.Size()
		},
	}
}

// postgresPlace is in a server that waits for the disk, as those in production do.
func postgresPlace(b *testing.B) bigPlace {
	dsn := pgtest.Start(b).Database(b)
	return bigPlace{
		target: dsn,
		open:   func() (runlog.Store, error) { return pgstore.Open(ctx, pgstore.Options{DSN: dsn}) },
		tidy:   func() { pgtest.Exec(b, dsn, "VACUUM ANALYZE") },
		size: func() (n int64) {
			c, err := pgx.Connect(ctx, dsn)
			require.NoError(b, err)
			defer c.Close(ctx)
			const sizes = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
			require.NoError(b, c.QueryRow(ctx, sizes).Scan(&n))
			return n
		},
	}
}

// bigLog fills a place and opens it for reading.
func bigLog(b *testing.B, place bigPlace) *reader.Reader {
	s, err := place.open()
	require.NoError(b, err)
	const perBatch = 1000
	for n := 0; n < *bigRuns; n += perBatch {
		var facts []*runlog.Row
		for i := n; i < min(n+perBatch, *bigRuns); i++ {
			facts = append(facts, bigFacts(b, i)...)
		}
		readertest.Write(b, s, facts...)
	}
	require.NoError(b, s.Close())
	place.tidy()
	r, err := reader.Open(ctx, place.target)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, r.Close()) })
	return r
}

// BenchmarkQueries asks a large log what the commands ask.
func BenchmarkQueries(b *testing.B) {
	r := bigLog(b, sqlitePlace(b))
	hour := readertest.Now.Add(-time.Hour)
	newest, err := r.Runs(ctx, reader.Filter{Limit: 1})
	require.NoError(b, err)
	for _, q := range []struct {
		name string
		ask  func() error
	}{
		{"list", func() error { _, err := r.Runs(ctx, reader.Filter{}); return err }},
		{"list failed of the last hour", func() error {
			_, err := r.Runs(ctx, reader.Filter{Status: []string{"failed"}, Since: hour})
			return err
		}},
		{"list of a user", func() error { _, err := r.Runs(ctx, reader.Filter{User: "user 500"}); return err }},
		{"list of no session", func() error { _, err := r.Runs(ctx, reader.Filter{Session: "none"}); return err }},
		{"list of nobody", func() error { _, err := r.Runs(ctx, reader.Filter{User: "nobody"}); return err }},
		{"find", func() error { _, err := r.Find(ctx, bigID(*bigRuns / 2)[:8]); return err }},
		{"show", func() error { _, err := r.Run(ctx, bigID(*bigRuns/2)); return err }},
		{"failures of the last hour", func() error { _, err := r.Failures(ctx, reader.Filter{Since: hour}); return err }},
		{"failures of all time", func() error { _, err := r.Failures(ctx, reader.Filter{}); return err }},
		{"providers of the last hour", func() error { _, err := r.Providers(ctx, reader.Filter{Since: hour}); return err }},
		{"changed in the last minute", func() error {
			_, err := r.Changed(ctx, reader.Change{UpdatedAt: newest[0].Time("updated_at").Add(-time.Minute)})
			return err
		}},
	} {
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, q.ask())
			}
		})
	}
}

// BenchmarkQueriesWhileWriting asks a large log, one question after the other, while a writer adds batches of 400 runs
// as fast as it can. Each iteration asks everything once. The writer makes its batches itself, so it does not write all
// the time. What it writes begins after readertest.Now: it comes first in the list, and the last hour stays as full as
// an hour of two runs a second is, for at the writer's pace it would soon hold millions.
func BenchmarkQueriesWhileWriting(b *testing.B) {
	for _, store := range []struct {
		name  string
		place func(*testing.B) bigPlace
	}{{"sqlite", sqlitePlace}, {"postgres", postgresPlace}} {
		b.Run(store.name, func(b *testing.B) {
			place := store.place(b)
			r := bigLog(b, place)
			size := place.size()
			lastHour := reader.Filter{Since: readertest.Now.Add(-time.Hour), Until: readertest.Now}
			n := 0
			queries := []struct {
				name string
				ask  func() (int, error)
			}{
				{"list", func() (int, error) { runs, err := r.Runs(ctx, reader.Filter{}); return len(runs), err }},
				{"show", func() (int, error) {
					n++
					run, err := r.Run(ctx, bigID(n*7919%*bigRuns))
					if err != nil {
						return 0, err
					}
					return len(run.Stages), nil
				}},
				{"failures", func() (int, error) { failures, err := r.Failures(ctx, lastHour); return len(failures), err }},
			}
			took := make([][]time.Duration, len(queries))
			stop := writeOn(b, place)
			for b.Loop() {
				for i, q := range queries {
					begin := time.Now()
					found, err := q.ask()
					took[i] = append(took[i], time.Since(begin))
					require.NoError(b, err)
					require.Positive(b, found, q.name)
				}
			}
			b.ReportMetric(float64(stop())/b.Elapsed().Seconds(), "writer-runs/s")
			b.ReportMetric(float64(size)/float64(*bigRuns), "bytes/run")
			for i, q := range queries {
				slices.Sort(took[i])
				for _, percent := range []int{50, 99} {
					at := took[i][(len(took[i])-1)*percent/100]
					b.ReportMetric(float64(at.Microseconds())/1000, q.name+"-p"+strconv.Itoa(percent)+"-ms")
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// writeOn writes to a big log, after what it holds, until it is stopped, which tells how many runs were written by then.
func writeOn(b *testing.B, place bigPlace) (stop func() int64) {
	s, err := place.open()
	require.NoError(b, err)
	writing, cancel := context.WithCancel(ctx)
	var written atomic.Int64
	var done sync.WaitGroup
	done.Go(func() {
		const perBatch = 400
		for next := *bigRuns; writing.Err() == nil; next += perBatch {
			batch := runlog.NewBatch()
			for i := range perBatch {
				for _, fact := range bigFacts(b, next+i) {
					batch.Add(fact)
				}
			}
			if _, err := s.Write(ctx, batch); !assert.NoError(b, err) {
				return
			}
			written.Add(perBatch)
		}
	})
	stop = sync.OnceValue(func() int64 {
		n := written.Load()
		cancel()
		done.Wait()
		return n
	})
	b.Cleanup(func() {
		stop()
		require.NoError(b, s.Close())
	})
	return stop
}

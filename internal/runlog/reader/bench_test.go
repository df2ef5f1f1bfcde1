// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader/readertest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/sqlitestore"
)

// bigRuns are two a second, each with two stages and a call, one in
// ten failed.
var bigRuns = flag.Int("runs", 100_000, "how many runs the log of BenchmarkQueries has")

func bigLog(b *testing.B) *reader.Reader {
	path := filepath.Join(b.TempDir(), "runlog.db")
	s, err := sqlitestore.Open(path)
	require.NoError(b, err)
	const perBatch = 1000
	for n := 0; n < *bigRuns; n += perBatch {
		var facts []*runlog.Row
		for i := n; i < n+perBatch; i++ {
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
				facts = append(facts, readertest.Fact(b, table, end, cells))
			}
			add(runlog.Runs, readertest.Cells{"pipeline_name": "chat", "end_kind": "explicit", "duration_ms": 1000.0, "failed_stage": "llm",
				"user_id": fmt.Sprintf("user %d", i%1000), "trace_id": id})
			add(runlog.Stages, readertest.Cells{"name": "stt", "attempt": 1, "duration_ms": 400.0})
			add(runlog.Stages, readertest.Cells{"name": "llm", "attempt": 1, "duration_ms": 600.0})
			add(runlog.ProviderCalls, readertest.Cells{"call_id": "c", "stage": "llm", "operation": "chat", "provider": "openai", "model_id": "gpt-4o",
				"success": status == "completed", "latency_ms": float64(i % 997), "input_tokens": 100, "output_tokens": 200})
		}
		readertest.Write(b, s, facts...)
	}
	require.NoError(b, s.Close())
	r, err := reader.Open(ctx, path)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, r.Close()) })
	return r
}

func bigID(i int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(i)*2654435761, i) }

// BenchmarkQueries asks a large log what the commands ask.
func BenchmarkQueries(b *testing.B) {
	r := bigLog(b)
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

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/exporter/runlogexporter/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// benchTraces are the spans of runs: each a run, five stages and three calls.
func benchTraces(b *testing.B, first, runs int) ptrace.Traces {
	traces := ptrace.NewTraces()
	spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	add := func(a attrs) {
		s := spans.AppendEmpty()
		s.SetStartTimestamp(ts(2))
		s.SetEndTimestamp(ts(5))
		require.NoError(b, s.Attributes().FromRaw(a))
	}
	for i := range runs {
		id := fmt.Sprintf("00000000-0000-4000-8000-%012x", first+i)
		add(attrs{
			semconv.RunIDKey: id, semconv.RunStatusKey: "completed", semconv.RunEndKey: "explicit", semconv.GenAIWorkflowNameKey: "pipe",
			semconv.RunTopologyKey: "dag", semconv.UserIDKey: "user", semconv.SessionIDKey: "session", semconv.RequestIDKey: "request",
		})
		for n := range 5 {
			add(attrs{semconv.RunIDKey: id, semconv.StageNameKey: fmt.Sprint("stage", n), semconv.StageStatusKey: "completed",
				semconv.StageKindKey: "transform", semconv.StageDurationKey: 12.5})
		}
		for n := range 3 {
			add(attrs{semconv.RunIDKey: id, semconv.CallIDKey: fmt.Sprint("call", n), semconv.CallStatusKey: "completed",
				semconv.GenAIOperationNameKey: "chat", semconv.GenAIProviderNameKey: "openai", semconv.GenAIRequestModelKey: "gpt",
				semconv.CallLatencyKey: 12.5, semconv.GenAIInputTokensKey: 100, semconv.GenAIOutputTokensKey: 200})
		}
	}
	return traces
}

// benchLogs are the start events of the same runs.
func benchLogs(b *testing.B, first, runs int) plog.Logs {
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	add := func(name semconv.EventName, a attrs) {
		r := records.AppendEmpty()
		r.SetEventName(string(name))
		r.SetTimestamp(ts(2))
		require.NoError(b, r.Attributes().FromRaw(a))
	}
	for i := range runs {
		id := fmt.Sprintf("00000000-0000-4000-8000-%012x", first+i)
		add(semconv.EventRunStarted, attrs{semconv.RunIDKey: id, semconv.GenAIWorkflowNameKey: "pipe"})
		for n := range 5 {
			add(semconv.EventStageStarted, attrs{semconv.RunIDKey: id, semconv.StageNameKey: fmt.Sprint("stage", n)})
		}
		for n := range 3 {
			add(semconv.EventCallStarted, attrs{semconv.RunIDKey: id, semconv.CallIDKey: fmt.Sprint("call", n)})
		}
	}
	return logs
}

// Each iteration takes 200 new runs, 9 rows each, from pdata to the committed transaction.
const benchRuns = 200

func benchWriter(b *testing.B) *writer {
	cfg := NewDefaultConfig()
	cfg.SQLite.Path = filepath.Join(b.TempDir(), "runlog.db")
	w, err := newWriter(cfg, exportertest.NewNopSettings(metadata.Type))
	require.NoError(b, err)
	require.NoError(b, w.Start(ctx, nil))
	b.Cleanup(func() { require.NoError(b, w.Shutdown(ctx)) })
	b.ReportAllocs()
	return w
}

func BenchmarkTraces(b *testing.B) {
	w := benchWriter(b)
	n := 0
	for b.Loop() {
		b.StopTimer()
		traces := benchTraces(b, n, benchRuns)
		b.StartTimer()
		require.NoError(b, w.writeTraces(ctx, traces))
		n += benchRuns
	}
	b.ReportMetric(float64(n*9)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkLogs(b *testing.B) {
	w := benchWriter(b)
	n := 0
	for b.Loop() {
		b.StopTimer()
		logs := benchLogs(b, n, benchRuns)
		b.StartTimer()
		require.NoError(b, w.writeLogs(ctx, logs))
		n += benchRuns
	}
	b.ReportMetric(float64(n*9)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkMapping is the way from pdata to facts alone.
func BenchmarkMapping(b *testing.B) {
	traces, logs := benchTraces(b, 0, benchRuns), benchLogs(b, 0, benchRuns)
	b.Run("traces", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			spanFacts(traces)
		}
	})
	b.Run("logs", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			logReader{}.facts(logs)
		}
	})
}

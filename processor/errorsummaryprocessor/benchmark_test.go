// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const perBatch = 1000

// Time and allocations are per batch of 1000 spans.
func BenchmarkTraces(b *testing.B) {
	count, err := newCounter(componenttest.NewNopTelemetrySettings())
	require.NoError(b, err)
	p := &tracesProcessor{count: count}
	for name, s := range map[string]span{
		"without error": {id: 1, ok: true, attrs: callSpan()},
		"failed call":   {id: 1, message: "429 slow down", attrs: callSpan()},
	} {
		b.Run(name, func(b *testing.B) {
			spans := make([]span, perBatch)
			for i := range spans {
				spans[i] = s
			}
			source := batch(b, spans...)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer() // a batch that was through once has its summaries
				td := ptrace.NewTraces()
				source.CopyTo(td)
				b.StartTimer()
				_, err := p.process(b.Context(), td)
				require.NoError(b, err)
			}
		})
	}
}

// Time and allocations are per batch of 1000 records.
func BenchmarkLogs(b *testing.B) {
	count, err := newCounter(componenttest.NewNopTelemetrySettings())
	require.NoError(b, err)
	p := &logsProcessor{count: count}
	for name, attrs := range map[string]map[string]any{
		"without error": {semconv.CallIDKey: "c1", semconv.CallStatusKey: "completed", semconv.RunIDKey: "r1"},
		"failed call":   {semconv.CallStatusKey: "failed", semconv.ExceptionMessageKey: "429 slow down", semconv.RunIDKey: "r1"},
	} {
		b.Run(name, func(b *testing.B) {
			all := make([]map[string]any, perBatch)
			for i := range all {
				all[i] = attrs
			}
			source := records(b, all...)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				ld := plog.NewLogs()
				source.CopyTo(ld)
				b.StartTimer()
				_, err := p.process(b.Context(), ld)
				require.NoError(b, err)
			}
		})
	}
}

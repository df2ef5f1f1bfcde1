// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const perBatch = 1000

// Time and allocations are per batch of 1000 spans, every call a new one.
func BenchmarkTraces(b *testing.B) {
	for name, client := range map[string]bool{"no call": false, "call": true} {
		b.Run(name, func(b *testing.B) {
			c := newTestCore(b, defaults())
			calls := make([]testCall, perBatch)
			b.ReportAllocs()
			for batch := 0; b.Loop(); batch++ {
				b.StopTimer()
				for i := range calls {
					calls[i] = testCall{id: fmt.Sprint(batch, "-", i), end: float64(batch), status: semconv.StatusCompleted}
				}
				td := spans(b, calls...)
				if !client {
					for _, s := range td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
						s.SetKind(ptrace.SpanKindInternal)
						s.Attributes().Remove(semconv.CallIDKey)
					}
				}
				b.StartTimer()
				_, err := c.processTraces(b.Context(), td)
				require.NoError(b, err)
			}
		})
	}
}

// Time and allocations are per batch of 1000 records, every call a new one.
func BenchmarkLogs(b *testing.B) {
	for name, event := range map[string]semconv.EventName{"no call": semconv.EventStageEnded, "call": semconv.EventCallEnded} {
		b.Run(name, func(b *testing.B) {
			c := newTestCore(b, defaults())
			calls := make([]testCall, perBatch)
			b.ReportAllocs()
			for batch := 0; b.Loop(); batch++ {
				b.StopTimer()
				for i := range calls {
					calls[i] = testCall{id: fmt.Sprint(batch, "-", i), end: float64(batch), status: semconv.StatusCompleted}
				}
				ld := plog.NewLogs()
				records(b, calls...).MoveTo(ld)
				for _, r := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
					r.SetEventName(string(event))
				}
				b.StartTimer()
				_, err := c.processLogs(b.Context(), ld)
				require.NoError(b, err)
			}
		})
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/runlogtest"
)

// BenchmarkPrune deletes 50 steps' runs of 9 rows each, and tells how long the writer was held by a step.
func BenchmarkPrune(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s := open(b, filepath.Join(b.TempDir(), "runlog.db"))
		for i := range 50 {
			batch := runlog.NewBatch()
			for j := range runlog.PruneRuns {
				runlogtest.Ended(batch, i*runlog.PruneRuns+j)
			}
			_, err := s.Write(ctx, batch)
			require.NoError(b, err)
		}
		b.StartTimer()
		var held []time.Duration
		for more := true; more; {
			begin := time.Now()
			p, err := s.Prune(ctx, runlog.Retention{MaxAge: time.Hour}, time.Unix(0, at(10_000)))
			require.NoError(b, err)
			held, more = append(held, time.Since(begin)), p.More
		}
		b.StopTimer()
		slices.Sort(held)
		b.ReportMetric(float64(held[len(held)/2].Microseconds())/1000, "step-p50-ms")
		b.ReportMetric(float64(held[len(held)-1].Microseconds())/1000, "step-max-ms")
		require.NoError(b, s.Close())
		b.StartTimer()
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/runlogtest"
)

// BenchmarkWrite writes batches of 200 runs of 9 rows each: all at once, when logs and spans come in the same
// batch, or first the log facts and then, in another transaction, the span facts that take their place.
func BenchmarkWrite(b *testing.B) {
	const runs = 200
	for name, parts := range map[string][]func(*runlog.Batch, string){
		"spans only":           {runlogtest.Ended},
		"logs, then the spans": {runlogtest.Started, runlogtest.Ended},
	} {
		b.Run(name, func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "runlog.db"))
			defer s.Close()
			b.ReportAllocs()
			rows, n := int64(0), 0
			for b.Loop() {
				for _, part := range parts {
					batch := runlog.NewBatch()
					for i := range runs {
						part(batch, fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(n*runs+i)*2654435761, n*runs+i))
					}
					res, err := s.Write(ctx, batch)
					require.NoError(b, err)
					for _, changed := range res.Rows {
						rows += changed
					}
				}
				n++
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(n*runs)/b.Elapsed().Seconds(), "runs/s")
		})
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sharedredis

import (
	"fmt"
	"testing"

	"github.com/stageflow/otelcol-stageflow/internal/redistest"
	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
)

// One tick of a collector that has heard of a call to each of so many providers since the last, and of another collector
// that reads what changed.
func BenchmarkExchange(b *testing.B) {
	for _, keys := range []int{10, 1000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			client := clientOf(b, redistest.Start(b))
			teller, reader := newNodeWith(client, "a", 2*keys), newNodeWith(client, "b", 2*keys)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				now := float64(i)
				b.StopTimer()
				for k := range keys {
					teller.call(breaker.Key{Operation: "chat", Provider: fmt.Sprint(k)}, now, true)
				}
				b.StartTimer()
				teller.exchange(b, now)
				reader.exchange(b, now)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*keys), "µs/key")
		})
	}
}

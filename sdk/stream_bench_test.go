// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"testing"
	"time"
)

// BenchmarkChunkQueue compares a queue without overload to Go channels of the same size: a plain one, and one in a
// select with ctx.Done as Put and Get are. They take turns, so that all meet the same machine. An op is a round of a
// thousand chunks; the metrics are by chunk.
func BenchmarkChunkQueue(b *testing.B) {
	const chunks = 1000
	type pipe struct {
		put func(context.Context, int)
		get func(context.Context)
	}
	uncontended := func(ctx context.Context, p pipe) {
		for i := range chunks {
			p.put(ctx, i)
			p.get(ctx)
		}
	}
	together := func(ctx context.Context, p pipe) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range chunks {
				p.put(ctx, i)
			}
		}()
		for range chunks {
			p.get(ctx)
		}
		<-done
	}
	for _, bench := range []struct {
		name  string
		round func(context.Context, pipe)
	}{
		{"uncontended", uncontended},
		{"producer and consumer", together},
	} {
		b.Run(bench.name, func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			q := NewChunkQueue[int](ctx, "bench", WithEventSink(NewClient(nil)))
			plain, selected := make(chan int, defaultQueueSize), make(chan int, defaultQueueSize)
			pipes := [...]pipe{
				{
					func(ctx context.Context, i int) { _ = q.Put(ctx, i) },
					func(ctx context.Context) { _, _ = q.Get(ctx) },
				},
				{
					func(_ context.Context, i int) { plain <- i },
					func(context.Context) { <-plain },
				},
				{
					func(ctx context.Context, i int) {
						select {
						case selected <- i:
						case <-ctx.Done():
						}
					},
					func(ctx context.Context) {
						select {
						case <-selected:
						case <-ctx.Done():
						}
					},
				},
			}
			var took [len(pipes)]time.Duration
			b.ReportAllocs()
			for b.Loop() {
				for i, p := range pipes {
					start := time.Now()
					bench.round(ctx, p)
					took[i] += time.Since(start)
				}
			}
			each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(b.N) / chunks }
			b.ReportMetric(each(took[0]), "queue-ns/chunk")
			b.ReportMetric(each(took[1]), "chan-ns/chunk")
			b.ReportMetric(float64(took[0])/float64(took[1]), "x-chan")
			b.ReportMetric(float64(took[0])/float64(took[2]), "x-select")
		})
	}
}

// BenchmarkChunkQueueOverload is a put into a full queue that drops: one event each, to a sink that does nothing.
func BenchmarkChunkQueueOverload(b *testing.B) {
	ctx := b.Context()
	nothing := sinkFunc(func(context.Context, string, map[string]any) {})
	q := NewChunkQueue[int](ctx, "bench", WithDropOnOverflow(), WithEventSink(nothing))
	b.ReportAllocs()
	for b.Loop() {
		_ = q.Put(ctx, 1)
	}
}

// BenchmarkStreamingBuffer writes and reads 20 ms of 16 kHz mono.
func BenchmarkStreamingBuffer(b *testing.B) {
	buffer := NewStreamingBuffer(b.Context(), "bench", WithEventSink(NewClient(nil)))
	p := make([]byte, buffer.BytesFor(20*time.Millisecond))
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = buffer.Write(p)
		_, _ = buffer.Read(p)
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// overflows remembers the calls of an overflow function.
type overflows struct {
	mu    sync.Mutex
	calls [][2]int
}

func (o *overflows) note(dropped, size int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, [2]int{dropped, size})
}

func TestBufferedOverflowIsThePythonOne(t *testing.T) {
	for _, v := range readAnalyticsVectors(t).Overflow {
		t.Run(v.Name, func(t *testing.T) {
			var got overflows
			next := &shelf{}
			b, err := newBufferedExporter(next, WithBatchSize(v.Batch), WithMaxBufferSize(v.Max), WithHighWaterMark(v.Mark), WithOnOverflow(got.note))
			require.NoError(t, err)
			defer b.end()
			// In place of the goroutine: the framework exports inside export and flush. It never does so for a batch
			// that the buffer cannot hold.
			for _, op := range v.Ops {
				if op == 0 {
					require.NoError(t, b.sendAll())
				}
				for range op {
					numbered(t, b, 0, 0)
					if v.Batch <= v.Max {
						require.NoError(t, b.sendComplete())
					}
				}
			}
			s := b.Stats()
			assert.Equal(t, v.Calls, append([][2]int{}, got.calls...))
			assert.Equal(t, v.Exported, append([]int{}, next.sizes()...))
			assert.Equal(t, v.Size, s.BufferSize)
			assert.Equal(t, v.Dropped, s.Dropped)
		})
	}
}

func TestBufferedWarnsAtEachOfThreeBatchesOf8Of10(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got overflows
		next := &shelf{}
		b := startBuffered(t, next, WithBatchSize(8), WithMaxBufferSize(10), WithOnOverflow(got.note))
		for i := range 24 {
			numbered(t, b, i, i)
			synctest.Wait()
		}
		assert.Equal(t, [][2]int{{-1, 8}, {-1, 8}, {-1, 8}}, got.calls)
		assert.Equal(t, []int{8, 8, 8}, next.sizes())
		require.NoError(t, b.Close(t.Context()))
	})
}

// Upstream: a batch larger than the buffer is never complete, so that a healthy exporter gets only the last events.
func TestBufferedBatchLargerThanTheBufferIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &shelf{}
		b := startBuffered(t, next, WithMaxBufferSize(5))
		for i := range 20 {
			numbered(t, b, i, i)
			synctest.Wait()
		}
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, numbers(0, 19), next.all())
	})
}

// Upstream: it is armed again only after an append that leaves less than half of the mark, which in a buffer of two
// no append does.
func TestBufferedIsArmedAgainByAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got overflows
		b := startBuffered(t, &shelf{}, WithMaxBufferSize(2), WithOnOverflow(got.note), WithFlushInterval(time.Hour))
		for range 3 {
			numbered(t, b, 1, 2) // warned, as the calls below tell; the batch may be on its way already
			synctest.Wait()
			assert.False(t, b.Stats().HighWaterWarned)
		}
		assert.Equal(t, [][2]int{{-1, 2}, {-1, 2}, {-1, 2}}, got.calls)
		require.NoError(t, b.Close(t.Context()))
	})
}

func TestBufferedOverflowFunctionMayUseTheExporterAndPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leave := make(chan struct{})
		next := &shelf{on: func(context.Context, []AnalyticsEvent) error { <-leave; return nil }}
		var b *BufferedExporter
		calls := 0
		b = startBuffered(t, next, WithBatchSize(1), WithMaxBufferSize(3), WithOnOverflow(func(int, int) {
			calls++
			b.Stats()
			_ = b.Export(context.Background(), AnalyticsEvent{EventType: "overflow"})
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = b.Flush(ctx)
			panic("oh")
		}))
		numbered(t, b, 0, 0)
		synctest.Wait()
		numbered(t, b, 1, 10)
		s := b.Stats()
		assert.Equal(t, 8, calls, "at the mark, then with each event: what the function's own does is told with the next")
		assert.Equal(t, 4+s.Dropped, s.Accepted)
		close(leave)
		require.NoError(t, b.Close(t.Context()))
	})
}

func TestBufferedOverflowFunctionMayClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &shelf{}
		var b *BufferedExporter
		b = startBuffered(t, next, WithMaxBufferSize(1), WithOnOverflow(func(int, int) { _ = b.Close(context.Background()) }))
		numbered(t, b, 1, 1)
		assert.Equal(t, []string{"1"}, next.all())
		require.ErrorIs(t, b.Export(t.Context(), AnalyticsEvent{}), ErrExporterClosed)
	})
}

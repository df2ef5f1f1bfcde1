// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"io"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func putAll(t *testing.T, q *ChunkQueue[int], chunks ...int) {
	t.Helper()
	for _, chunk := range chunks {
		require.NoError(t, q.Put(t.Context(), chunk))
	}
}

func TestChunksComeOutInOrder(t *testing.T) {
	c, s, _ := newTestClient(t)
	q := NewChunkQueue[int](t.Context(), "audio", WithEventSink(c))
	putAll(t, q, 1, 2, 3)
	assert.Equal(t, 3, q.Len())
	q.Close()
	assert.Equal(t, []int{1, 2, 3}, slices.Collect(q.All(t.Context())))
	assert.Zero(t, q.Len())
	assert.Equal(t, ChunkQueueStats{TotalItems: 3, MaxQueueSize: 3}, q.Stats())
	assert.Equal(t, []string{semconv.TypeStreamQueueClosed}, s.types())
}

func TestAQueuesEventsTellWhereItBelongs(t *testing.T) {
	c, s, _ := newTestClient(t)
	var q *ChunkQueue[int]
	require.NoError(t, Run(t.Context(), "voice", func(ctx context.Context) error {
		return Stage(ctx, "tts", KindWork, func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			q = NewChunkQueue[int](ctx, "llm to tts")
			return nil
		})
	}, WithClient(c), WithRunID("r1")))
	q.Close() // the stage's context has ended
	assert.Equal(t, map[string]any{
		"pipeline_run_id": "r1", "stage": "tts", "stage_attempt": int64(1), "queue": "llm to tts",
		"total_items": int64(0), "dropped_items": int64(0), "blocked_puts": int64(0), "max_queue_size": int64(0),
		"total_blocked_ms": float64(0),
	}, s.only(t, semconv.TypeStreamQueueClosed).data)
}

func TestAQueueOutsideOfRunsTellsTheDefaultClient(t *testing.T) {
	c, s, _ := newTestClient(t)
	for name, opts := range map[string][]ChunkQueueOption{
		"none":      nil,
		"nil":       {WithEventSink(nil)},
		"no client": {WithEventSink((*Client)(nil))},
	} {
		q := NewChunkQueue[int](t.Context(), name, opts...) // before the client is installed
		SetDefault(c)
		q.Close()
		SetDefault(nil)
	}
	assert.Len(t, s.all(), 3)
}

func TestANamelessQueueHasNoNameField(t *testing.T) {
	c, s, _ := newTestClient(t)
	NewChunkQueue[int](t.Context(), "", WithEventSink(c)).Close()
	assert.NotContains(t, s.only(t, semconv.TypeStreamQueueClosed).data, "queue")
}

func TestAFullQueueMakesTheProducerWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, k := newTestClient(t)
		q := NewChunkQueue[int](t.Context(), "audio", WithQueueSize(2), WithEventSink(c))
		putAll(t, q, 1, 2)
		require.ErrorIs(t, q.TryPut(3), ErrQueueFull)

		put := false
		go func() {
			assert.NoError(t, q.Put(t.Context(), 3))
			put = true
		}()
		synctest.Wait()
		require.False(t, put)
		k.pass(22500 * time.Microsecond)
		chunk, err := q.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 1, chunk)
		synctest.Wait()
		require.True(t, put)
		assert.Equal(t, map[string]any{"queue": "audio", "blocked_ms": 22.5, "queue_size": int64(2)}, s.only(t, semconv.TypeStreamProducerBlocked).data)
		assert.Equal(t, ChunkQueueStats{
			TotalItems: 3, BlockedPuts: 1, TotalBlocked: 22500 * time.Microsecond, MaxQueueSize: 2, Throttled: true,
		}, q.Stats())
	})
}

func TestAConsumerWaitsForAChunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := newTestClient(t)
		q := NewChunkQueue[int](t.Context(), "audio", WithEventSink(c))
		var got []int
		go func() { got = slices.Collect(q.All(t.Context())) }()
		synctest.Wait()
		putAll(t, q, 7)
		synctest.Wait()
		require.NoError(t, q.TryPut(8))
		q.Close()
		synctest.Wait()
		assert.Equal(t, []int{7, 8}, got)
		assert.EqualValues(t, 1, s.only(t, semconv.TypeStreamQueueClosed).data["max_queue_size"], "the chunk itself")
	})
}

func TestIterationOverAQueueEndsWithItsContextOrItsLoop(t *testing.T) {
	q := NewChunkQueue[int](t.Context(), "audio")
	putAll(t, q, 1, 2, 3)
	for chunk := range q.All(t.Context()) {
		if chunk == 1 {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for chunk := range q.All(ctx) {
		assert.Equal(t, 2, chunk)
		cancel()
	}
	assert.Equal(t, 1, q.Len(), "what was not asked for stays")
}

func TestWaitingForAQueueEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewChunkQueue[int](t.Context(), "audio", WithQueueSize(1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := q.Get(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, q.Put(ctx, 1), context.DeadlineExceeded, "although there is room")
		putAll(t, q, 1)
		_, err = q.Get(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded, "although there is a chunk")

		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, q.Put(ctx, 2), context.DeadlineExceeded)
		chunk, err := q.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 1, chunk)
		assert.Zero(t, q.Len(), "a chunk whose producer gave up is not put")
	})
}

// A call may be served just when its context ends, in either order. Then it counts as served: the chunk has already
// changed sides.
func TestAQueueServesWhileCancelled(t *testing.T) {
	orders := map[string]func(serve, cancel func()){
		"served first":    func(serve, cancel func()) { serve(); cancel() },
		"cancelled first": func(serve, cancel func()) { cancel(); serve() },
	}
	for name, order := range orders {
		t.Run("consumer "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := NewChunkQueue[int](t.Context(), "audio")
				for i := range 20 { // waiters are used again
					ctx, cancel := context.WithCancel(t.Context())
					go func() {
						chunk, err := q.Get(ctx)
						assert.NoError(t, err)
						assert.Equal(t, i, chunk)
					}()
					synctest.Wait()
					q.mu.Lock()
					order(func() { assert.NoError(t, q.put(i)) }, cancel)
					q.mu.Unlock()
					synctest.Wait()
				}
			})
		})
		t.Run("producer "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := NewChunkQueue[int](t.Context(), "audio", WithQueueSize(1))
				putAll(t, q, 0)
				for i := range 20 {
					ctx, cancel := context.WithCancel(t.Context())
					go func() { assert.NoError(t, q.Put(ctx, i+1)) }()
					synctest.Wait()
					q.mu.Lock()
					order(func() { assert.Equal(t, i, q.take()) }, cancel)
					q.mu.Unlock()
					synctest.Wait()
				}
				assert.Equal(t, 1, q.Len())
			})
		})
	}
}

func TestADroppingQueueNeverWaits(t *testing.T) {
	c, s, _ := newTestClient(t)
	q := NewChunkQueue[int](t.Context(), "audio", WithQueueSize(3), WithDropOnOverflow(), WithEventSink(c))
	putAll(t, q, 1, 2, 3, 4)
	require.NoError(t, q.TryPut(5))
	q.Close()
	assert.Equal(t, []int{3, 4, 5}, slices.Collect(q.All(t.Context())))
	assert.Equal(t, ChunkQueueStats{TotalItems: 5, DroppedItems: 2, MaxQueueSize: 3}, q.Stats())
	var dropped []map[string]any
	for _, e := range s.all() {
		if e.eventType == semconv.TypeStreamChunkDropped {
			dropped = append(dropped, e.data)
		}
	}
	want := map[string]any{"queue": "audio", "queue_size": int64(2), "max_size": int64(3), "reason": "overflow"}
	assert.Equal(t, []map[string]any{want, want}, dropped)
}

// The tests from here on are named for what the framework does wrong (catalogue 2.4 and 3, number 22).

func TestAThrottleWindowEndsWhenTheQueueIsDrained(t *testing.T) {
	c, s, _ := newTestClient(t)
	q := NewChunkQueue[int](t.Context(), "audio", WithQueueSize(10), WithEventSink(c))
	putAll(t, q, 1, 2, 3, 4, 5, 6, 7, 8)
	assert.True(t, q.Stats().Throttled)
	for range 5 {
		_, err := q.Get(t.Context())
		require.NoError(t, err)
	}
	assert.Equal(t, []string{semconv.TypeStreamThrottleStarted}, s.types())
	_, err := q.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"queue": "audio", "fill_percentage": 20.0, "queue_size": int64(2)}, s.only(t, semconv.TypeStreamThrottleEnded).data)
	assert.False(t, q.Stats().Throttled)
}

func TestAThrottleWindowEndsWhenTheQueueCloses(t *testing.T) {
	c, s, _ := newTestClient(t)
	q := NewChunkQueue[int](t.Context(), "audio", WithQueueSize(5), WithEventSink(c))
	putAll(t, q, 1, 2, 3, 4, 5)
	q.Close()
	_, err := q.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{semconv.TypeStreamThrottleStarted, semconv.TypeStreamThrottleEnded, semconv.TypeStreamQueueClosed}, s.types(), "and none starts after it")
	assert.Equal(t, map[string]any{"queue": "audio", "fill_percentage": 100.0, "queue_size": int64(5)}, s.only(t, semconv.TypeStreamThrottleEnded).data)
}

func TestOnlyTheFirstCloseOfAQueueIsTold(t *testing.T) {
	c, s, _ := newTestClient(t)
	q := NewChunkQueue[int](t.Context(), "audio", WithEventSink(c))
	q.Close()
	q.Close()
	assert.Equal(t, []string{semconv.TypeStreamQueueClosed}, s.types())
}

func TestAClosedQueueTakesNoChunks(t *testing.T) {
	q := NewChunkQueue[int](t.Context(), "audio", WithQueueSize(1), WithDropOnOverflow())
	putAll(t, q, 1)
	q.Close()
	require.ErrorIs(t, q.Put(t.Context(), 2), ErrQueueClosed)
	require.ErrorIs(t, q.TryPut(2), ErrQueueClosed)
	assert.Equal(t, []int{1}, slices.Collect(q.All(t.Context())))
	_, err := q.Get(t.Context())
	require.Equal(t, io.EOF, err, "as io.Reader: unwrapped")
}

func TestAProducerThatWaitsWhenTheQueueClosesIsWokenAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, k := newTestClient(t)
		q := NewChunkQueue[int](t.Context(), "audio", WithQueueSize(2), WithEventSink(c))
		putAll(t, q, 1, 2)
		var errs [2]error
		for i := range errs {
			go func() { errs[i] = q.Put(t.Context(), 3+i) }()
			synctest.Wait()
			k.pass(4 * time.Millisecond)
		}
		q.Close()
		synctest.Wait()
		assert.Equal(t, [2]error{ErrQueueClosed, ErrQueueClosed}, errs)
		assert.Equal(t, []string{
			semconv.TypeStreamThrottleStarted, semconv.TypeStreamProducerBlocked, semconv.TypeStreamProducerBlocked, semconv.TypeStreamThrottleEnded, semconv.TypeStreamQueueClosed,
		}, s.types())
		closed := s.only(t, semconv.TypeStreamQueueClosed).data
		assert.EqualValues(t, 2, closed["total_items"])
		assert.EqualValues(t, 2, closed["blocked_puts"])
		assert.EqualValues(t, 12, closed["total_blocked_ms"])
		assert.Equal(t, []int{1, 2}, slices.Collect(q.All(t.Context())), "what was put is not lost")
	})
}

func TestAProducerThatGivesUpOnAQueueIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, k := newTestClient(t)
		q := NewChunkQueue[int](t.Context(), "audio", WithQueueSize(1), WithEventSink(c))
		putAll(t, q, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { assert.ErrorIs(t, q.Put(ctx, 2), context.Canceled) }()
		synctest.Wait()
		k.pass(time.Minute)
		cancel()
		synctest.Wait()
		assert.EqualValues(t, 60_000, s.only(t, semconv.TypeStreamProducerBlocked).data["blocked_ms"])
		assert.Equal(t, ChunkQueueStats{TotalItems: 1, BlockedPuts: 1, TotalBlocked: time.Minute, MaxQueueSize: 1, Throttled: true}, q.Stats())
	})
}

func TestZeroValuesAreChunksLikeOthers(t *testing.T) {
	q := NewChunkQueue[*int](t.Context(), "audio")
	one := 1
	for _, chunk := range []*int{nil, &one, nil} {
		require.NoError(t, q.Put(t.Context(), chunk))
	}
	q.Close()
	assert.Equal(t, []*int{nil, &one, nil}, slices.Collect(q.All(t.Context())))
}

func TestNoQueueIsWithoutABound(t *testing.T) {
	for _, size := range []int{0, -1, math.MinInt} {
		q := NewChunkQueue[int](t.Context(), "audio", WithQueueSize(size))
		for i := range defaultQueueSize {
			require.NoError(t, q.TryPut(i))
		}
		require.ErrorIs(t, q.TryPut(0), ErrQueueFull)
	}
	// A large one takes memory as it fills, not before.
	require.NoError(t, NewChunkQueue[[1 << 16]byte](t.Context(), "audio", WithQueueSize(math.MaxInt)).TryPut([1 << 16]byte{}))
}

func TestAQueueWithoutOverloadDoesNotAllocate(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	q := NewChunkQueue[[]byte](ctx, "audio")
	chunk := make([]byte, 640)
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		_ = q.Put(ctx, chunk)
		_, _ = q.Get(ctx)
	}))
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// sinkFunc is a sink that does what a test wants.
type sinkFunc func(ctx context.Context, eventType string, data map[string]any)

func (f sinkFunc) TryEmit(ctx context.Context, eventType string, data map[string]any) bool {
	f(ctx, eventType, data)
	return true
}

func (f sinkFunc) Emit(ctx context.Context, eventType string, data map[string]any) error {
	f(ctx, eventType, data)
	return nil
}

func TestASinkThatHangsHoldsUpOneCallerOfAQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var types []string
		var ends []map[string]any
		q := NewChunkQueue[int](t.Context(), "audio", WithQueueSize(10), WithDropOnOverflow(),
			WithEventSink(sinkFunc(func(_ context.Context, eventType string, data map[string]any) {
				<-release
				types = append(types, eventType)
				if eventType == semconv.TypeStreamQueueClosed {
					ends = append(ends, data)
				}
			})))
		for i := range 8 {
			go func() { assert.NoError(t, q.Put(t.Context(), i)) }() // the eighth starts a window, and hangs
		}
		synctest.Wait()

		const puts = 10_000 // more events than may wait
		for i := range puts {
			require.NoError(t, q.Put(t.Context(), i))
		}
		_, err := q.Get(t.Context())
		require.NoError(t, err)
		q.Close()
		assert.Empty(t, types)
		assert.LessOrEqual(t, len(q.events.waiting), maxWaiting)

		close(release)
		synctest.Wait()
		n := len(types)
		require.LessOrEqual(t, n, maxWaiting+1)
		assert.Equal(t, semconv.TypeStreamThrottleStarted, types[0])
		assert.Equal(t, []string{semconv.TypeStreamThrottleEnded, semconv.TypeStreamQueueClosed}, types[n-2:], "what has to be told is")
		assert.EqualValues(t, puts-2, ends[0]["dropped_items"], "and tells of what was lost on the way")
		assert.Empty(t, q.events.waiting)
	})
}

// A window whose start found no place among the events that wait must not end either.
func TestAWindowOfAQueueIsToldAsAWholeOrNotAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var types []string
		q := NewChunkQueue[int](t.Context(), "audio", WithQueueSize(1), WithEventSink(sinkFunc(
			func(_ context.Context, eventType string, _ map[string]any) {
				<-release
				types = append(types, eventType)
			})))
		go func() { assert.NoError(t, q.Put(t.Context(), 0)) }()
		synctest.Wait()
		for i := range 1000 {
			_, err := q.Get(t.Context())
			require.NoError(t, err)
			require.NoError(t, q.Put(t.Context(), i))
		}
		q.Close()
		close(release)
		synctest.Wait()
		for i, eventType := range types[:len(types)-1] {
			require.Equal(t, []string{semconv.TypeStreamThrottleStarted, semconv.TypeStreamThrottleEnded}[i%2], eventType)
		}
		assert.Len(t, types, 1+maxWaiting, "1 that hung, and as many as may wait")
		assert.Equal(t, semconv.TypeStreamQueueClosed, types[len(types)-1])
	})
}

func TestASinkMayCallItsQueue(t *testing.T) {
	var q *ChunkQueue[int]
	var types []string
	q = NewChunkQueue[int](t.Context(), "audio", WithQueueSize(2), WithEventSink(sinkFunc(
		func(ctx context.Context, eventType string, _ map[string]any) {
			types = append(types, eventType)
			if eventType == semconv.TypeStreamThrottleStarted {
				_, err := q.Get(ctx)
				assert.NoError(t, err)
				_, err = q.Get(ctx)
				assert.NoError(t, err)
				q.Close()
			}
		})))
	putAll(t, q, 1, 2)
	assert.Equal(t, []string{semconv.TypeStreamThrottleStarted, semconv.TypeStreamThrottleEnded, semconv.TypeStreamQueueClosed}, types)
}

func TestASinkThatPanicsDoesNotBreakTheStream(t *testing.T) {
	calls := 0
	bad := WithEventSink(sinkFunc(func(context.Context, string, map[string]any) {
		calls++
		panic("sink")
	}))
	q := NewChunkQueue[int](t.Context(), "audio", WithQueueSize(1), WithDropOnOverflow(), bad)
	putAll(t, q, 1, 2)
	q.Close()
	assert.Equal(t, 4, calls)

	b := NewStreamingBuffer(t.Context(), "speaker", bad)
	_, _ = b.Read(make([]byte, 2))
	assert.Equal(t, 5, calls)
}

// A consumer that sends for others does so for a while only; what it leaves goes with the next call.
func TestACallerOfAQueueSendsAFairShare(t *testing.T) {
	var q *ChunkQueue[int]
	calls := 0
	q = NewChunkQueue[int](t.Context(), "audio", WithQueueSize(5), WithDropOnOverflow(), WithEventSink(sinkFunc(
		func(ctx context.Context, eventType string, _ map[string]any) {
			calls++
			if eventType == semconv.TypeStreamChunkDropped {
				assert.NoError(t, q.Put(ctx, 0)) // which drops
			}
		})))
	putAll(t, q, 1, 2, 3, 4, 5, 6)
	assert.Equal(t, 1+maxWaiting, calls)
	assert.Len(t, q.events.waiting, 1)
	assert.Equal(t, 5, q.Len())
	_, err := q.Get(t.Context())
	require.NoError(t, err)
	assert.Greater(t, calls, 1+maxWaiting)
	assert.Empty(t, q.events.waiting)
}

// Nothing comes after a close, so who sends then sends everything.
func TestAfterTheCloseOfAQueueTheShareIsEverything(t *testing.T) {
	var q *ChunkQueue[int]
	var types []string
	q = NewChunkQueue[int](t.Context(), "audio", WithQueueSize(5), WithDropOnOverflow(), WithEventSink(sinkFunc(
		func(ctx context.Context, eventType string, _ map[string]any) {
			types = append(types, eventType)
			switch {
			case len(types) == 1+maxWaiting:
				q.Close()
			case eventType == semconv.TypeStreamChunkDropped:
				assert.NoError(t, q.Put(ctx, 0))
			}
		})))
	putAll(t, q, 1, 2, 3, 4, 5, 6)
	assert.Equal(t, []string{semconv.TypeStreamThrottleEnded, semconv.TypeStreamQueueClosed}, types[1+maxWaiting:])
}

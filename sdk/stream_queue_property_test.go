// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// queueRun is a schedule of calls on one queue, and what came of it.
type queueRun struct {
	size  int
	drop  bool
	steps []queueStep

	put     []int // chunks taken by the queue, in order
	refused map[int]error
	got     []int // chunks that came out, in order
	getErrs []error
	waiting int // calls that still waited after everything had ended
	stats   ChunkQueueStats
	events  []event
}

type queueStep struct {
	op string
	n  int
}

func drawQueueRun(t *rapid.T) *queueRun {
	step := rapid.Custom(func(t *rapid.T) queueStep {
		return queueStep{
			op: rapid.SampledFrom([]string{"put", "put", "put", "get", "get", "get", "tryput", "cancel", "pass", "close"}).Draw(t, "op"),
			n:  rapid.IntRange(0, 5).Draw(t, "n"),
		}
	})
	return &queueRun{
		size:    rapid.IntRange(1, 12).Draw(t, "size"),
		drop:    rapid.Bool().Draw(t, "drop"),
		steps:   rapid.SliceOfN(step, 0, 60).Draw(t, "steps"),
		refused: map[int]error{},
	}
}

// play makes each call in a goroutine of its own, and the next once that can go no further. Then it ends all that wait
// by closing the queue, and takes out what is left.
func (r *queueRun) play(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, k := newTestClient(t)
		opts := []ChunkQueueOption{WithQueueSize(r.size), WithEventSink(c)}
		if r.drop {
			opts = append(opts, WithDropOnOverflow())
		}
		q := NewChunkQueue[int](t.Context(), "audio", opts...)

		var mu sync.Mutex
		var cancels []func()
		start := func(call func(ctx context.Context) func()) {
			ctx, cancel := context.WithCancel(t.Context())
			cancels = append(cancels, cancel)
			r.waiting++
			go func() {
				note := call(ctx)
				mu.Lock()
				defer mu.Unlock()
				r.waiting--
				note()
			}()
		}
		putting := func(chunk int, err error) func() {
			return func() {
				if err != nil {
					r.refused[chunk] = err
				} else {
					r.put = append(r.put, chunk)
				}
			}
		}
		get := func(ctx context.Context) func() {
			chunk, err := q.Get(ctx)
			return func() {
				if err != nil {
					r.getErrs = append(r.getErrs, err)
				} else {
					r.got = append(r.got, chunk)
				}
			}
		}
		closing := func(context.Context) func() { q.Close(); return func() {} }
		for i, step := range r.steps {
			switch step.op {
			case "put":
				start(func(ctx context.Context) func() { return putting(i, q.Put(ctx, i)) })
			case "tryput":
				start(func(context.Context) func() { return putting(i, q.TryPut(i)) })
			case "get":
				start(get)
			case "cancel":
				if step.n < len(cancels) {
					cancels[len(cancels)-1-step.n]()
				}
			case "pass":
				k.pass(time.Duration(step.n) * 500 * time.Microsecond)
			case "close":
				if step.n == 0 { // or few runs would be long
					start(closing)
				}
			}
			synctest.Wait()
		}
		start(closing)
		synctest.Wait()
		for q.Len() > 0 {
			start(get)
			synctest.Wait()
		}
		for _, cancel := range cancels {
			cancel()
		}
		r.stats, r.events = q.Stats(), s.all()
	})
}

func TestPropertyAQueueLosesDuplicatesAndReordersNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := drawQueueRun(rt)
		r.play(t)
		assert.Zero(rt, r.waiting, "calls still wait")
		if r.drop {
			for i, chunk := range r.got {
				if i > 0 {
					require.Greater(rt, chunk, r.got[i-1])
				}
				require.Contains(rt, r.put, chunk)
			}
			require.Len(rt, r.got, len(r.put)-r.stats.DroppedItems)
		} else {
			require.Equal(rt, r.put, r.got)
			require.Zero(rt, r.stats.DroppedItems)
		}
		for chunk, err := range r.refused {
			require.NotContains(rt, r.got, chunk)
			require.Condition(rt, func() bool {
				return errors.Is(err, ErrQueueClosed) || errors.Is(err, ErrQueueFull) || errors.Is(err, context.Canceled)
			}, "%v", err)
		}
		for _, err := range r.getErrs {
			require.Condition(rt, func() bool { return errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) }, "%v", err)
		}
	})
}

func TestPropertyThrottleWindowsOfAQueueAlternateAndEnd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := drawQueueRun(rt)
		r.play(t)
		open := false
		for _, e := range r.events {
			fill, _ := e.data["fill_percentage"].(float64)
			switch e.eventType {
			case semconv.TypeStreamThrottleStarted:
				require.False(rt, open, "started twice")
				require.GreaterOrEqual(rt, fill, 80.0)
				open = true
			case semconv.TypeStreamThrottleEnded:
				require.True(rt, open, "ended without a start")
				open = false
			}
		}
		require.False(rt, open, "never ended")
		require.False(rt, r.stats.Throttled)
	})
}

func TestPropertyTheTotalsOfAQueueAgree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := drawQueueRun(rt)
		r.play(t)
		counts := map[string]int{}
		var blocked float64
		for _, e := range r.events {
			counts[e.eventType]++
			ms, _ := e.data["blocked_ms"].(float64)
			blocked += ms
		}
		require.Equal(rt, 1, counts[semconv.TypeStreamQueueClosed])
		last := r.events[len(r.events)-1]
		require.Equal(rt, semconv.TypeStreamQueueClosed, last.eventType, "nothing is told after the close")
		require.Equal(rt, map[string]any{
			"queue":            "audio",
			"total_items":      int64(len(r.put)),
			"dropped_items":    int64(counts[semconv.TypeStreamChunkDropped]),
			"blocked_puts":     int64(counts[semconv.TypeStreamProducerBlocked]),
			"total_blocked_ms": blocked,
			"max_queue_size":   int64(r.stats.MaxQueueSize),
		}, last.data)
		require.LessOrEqual(rt, r.stats.MaxQueueSize, r.size)
		require.Equal(rt, len(r.put), r.stats.TotalItems)
	})
}

// Here the scheduler decides, for the race detector.
func TestAQueueBetweenManyProducersAndConsumers(t *testing.T) {
	const producers, consumers, each = 4, 3, 2000
	for name, opts := range map[string][]ChunkQueueOption{
		"waiting":  {WithQueueSize(3)},
		"dropping": {WithQueueSize(3), WithDropOnOverflow()},
	} {
		t.Run(name, func(t *testing.T) {
			c, s, _ := newTestClient(t)
			q := NewChunkQueue[[2]int](t.Context(), "audio", append(opts, WithEventSink(c))...)
			var putting, getting sync.WaitGroup
			for p := range producers {
				putting.Go(func() {
					for i := range each {
						assert.NoError(t, q.Put(t.Context(), [2]int{p, i}))
					}
				})
			}
			var mu sync.Mutex
			got := map[[2]int]int{}
			for range consumers {
				getting.Go(func() {
					latest := [producers]int{}
					for chunk := range q.All(t.Context()) {
						p, i := chunk[0], chunk[1]
						assert.GreaterOrEqual(t, i, latest[p], "a producer's chunks stay in order")
						latest[p] = i
						mu.Lock()
						got[chunk]++
						mu.Unlock()
						_ = q.Stats()
					}
				})
			}
			putting.Wait()
			q.Close()
			getting.Wait()

			stats := q.Stats()
			assert.Equal(t, producers*each, stats.TotalItems)
			assert.Len(t, got, producers*each-stats.DroppedItems)
			for chunk, n := range got {
				require.Equal(t, 1, n, chunk)
			}
			closed := s.only(t, semconv.TypeStreamQueueClosed)
			assert.EqualValues(t, stats.DroppedItems, closed.data["dropped_items"])
		})
	}
}

// Producers, consumers, cancellations and the close all at once: whatever was put comes out.
func TestAQueueClosedInTheMiddleLosesNothing(t *testing.T) {
	for range 50 {
		q := NewChunkQueue[int](t.Context(), "audio", WithQueueSize(4))
		var calls sync.WaitGroup
		var mu sync.Mutex
		put, got := 0, 0
		for p := range 3 {
			calls.Go(func() {
				for i := range 200 {
					ctx, cancel := context.WithCancel(t.Context())
					if i%7 == p {
						go cancel()
					}
					err := q.Put(ctx, i)
					cancel()
					switch {
					case err == nil:
						mu.Lock()
						put++
						mu.Unlock()
					case errors.Is(err, ErrQueueClosed):
						return
					}
				}
			})
			calls.Go(func() {
				for range q.All(t.Context()) {
					mu.Lock()
					got++
					stop := got == 150
					mu.Unlock()
					if stop {
						q.Close()
					}
				}
			})
		}
		calls.Wait()
		require.Equal(t, put, got)
		require.Equal(t, put, q.Stats().TotalItems)
	}
}

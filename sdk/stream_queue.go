// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// What a [ChunkQueue] answers when it takes no chunk.
var (
	ErrQueueClosed = errors.New("stageflow: the queue is closed")
	ErrQueueFull   = errors.New("stageflow: the queue is full")
)

const (
	defaultQueueSize = 100 // the framework's
	// minBlocked is the longest wait for room that is not worth telling.
	minBlocked = time.Millisecond
)

// ChunkQueueOption says how a [ChunkQueue] is to be.
type ChunkQueueOption interface{ queue(*queueConfig) }

type queueConfig struct {
	size int
	drop bool
	sink EventSink
}

type queueOption func(*queueConfig)

func (o queueOption) queue(c *queueConfig) { o(c) }

// WithQueueSize bounds the chunks in the queue. Default: 100, also for n <= 0: the framework's 0 is a queue without a
// bound, of which there is none here. A queue of 1 is full with every chunk, and tells a throttle window for each that
// no consumer waits for.
func WithQueueSize(n int) ChunkQueueOption {
	return queueOption(func(c *queueConfig) {
		if n > 0 {
			c.size = n
		}
	})
}

// WithDropOnOverflow makes room in a full queue by dropping its oldest chunk. Default: producers wait.
func WithDropOnOverflow() ChunkQueueOption {
	return queueOption(func(c *queueConfig) { c.drop = true })
}

// ChunkQueueStats is what happened to a [ChunkQueue] so far.
type ChunkQueueStats struct {
	TotalItems   int // chunks that were put
	DroppedItems int // of these, dropped to make room
	// BlockedPuts are the puts that waited for room longer than 1 ms, whether or not they got it, and TotalBlocked is
	// how long they did.
	BlockedPuts  int
	TotalBlocked time.Duration
	MaxQueueSize int // most chunks at once, counted when one was put
	// Throttled says that the queue has been 80 % full and not yet 20 % since: a good time for producers to slow down.
	Throttled bool
}

// ChunkQueue is a bounded queue between producers and consumers that tells of overload, by the framework's stream events:
// chunks dropped, producers that waited, and windows of throttling. It is safe for concurrent use. Chunks come out
// in the order in which they were put, and waiting producers and consumers are served in the order in which they came.
type ChunkQueue[T any] struct {
	limit int
	drop  bool
	now   func() time.Time

	mu        sync.Mutex
	chunks    ring[T]
	producers waiters[T] // only while the queue is full
	consumers waiters[T] // only while it is empty
	unused    *waiter[T]
	closed    bool
	stats     ChunkQueueStats
	throttle  throttle
	events    streamEvents
}

// NewChunkQueue returns an empty queue. ctx says which run and stage its events belong to, and name, as their field
// queue, which of the queues there; the queue outlives ctx.
func NewChunkQueue[T any](ctx context.Context, name string, opts ...ChunkQueueOption) *ChunkQueue[T] {
	cfg := queueConfig{size: defaultQueueSize}
	for _, opt := range opts {
		opt.queue(&cfg)
	}
	events := newStreamEvents(ctx, name, cfg.sink)
	return &ChunkQueue[T]{
		limit:    cfg.size,
		drop:     cfg.drop,
		now:      events.client().now,
		throttle: newThrottle(cfg.size),
		events:   events,
	}
}

// Put adds a chunk and, unless the queue drops, waits until there is room. The error is ctx's, also when there is room,
// or [ErrQueueClosed]; with either the chunk was not put.
func (q *ChunkQueue[T]) Put(ctx context.Context, chunk T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	err := q.put(chunk)
	if !errors.Is(err, ErrQueueFull) {
		q.events.unlock(&q.mu)
		return err
	}
	w := q.wait(&q.producers)
	w.chunk, w.since = chunk, q.now()
	q.events.unlock(&q.mu)

	select {
	case <-w.served:
	case <-ctx.Done():
	}
	q.mu.Lock()
	if w.waits {
		q.producers.remove(w)
		q.blocked(w.since)
		w.err = ctx.Err()
	}
	_, err = q.release(w)
	q.events.unlock(&q.mu)
	return err
}

// TryPut is Put that never waits: [ErrQueueFull] instead. A chunk refused is the caller's, not counted as dropped.
func (q *ChunkQueue[T]) TryPut(chunk T) error {
	q.mu.Lock()
	err := q.put(chunk)
	q.events.unlock(&q.mu)
	return err
}

// Get takes the oldest chunk out, and waits until there is one. The error is ctx's, also when there is a chunk, or
// io.EOF when the queue is closed and empty.
func (q *ChunkQueue[T]) Get(ctx context.Context) (T, error) {
	if err := ctx.Err(); err != nil {
		var none T
		return none, err
	}
	q.mu.Lock()
	if q.chunks.len > 0 {
		chunk := q.take()
		q.events.unlock(&q.mu)
		return chunk, nil
	}
	if q.closed {
		q.events.unlock(&q.mu)
		var none T
		return none, io.EOF
	}
	w := q.wait(&q.consumers)
	q.events.unlock(&q.mu)

	select {
	case <-w.served:
	case <-ctx.Done():
	}
	q.mu.Lock()
	if w.waits {
		q.consumers.remove(w)
		w.err = ctx.Err()
	}
	chunk, err := q.release(w)
	q.events.unlock(&q.mu)
	return chunk, err
}

// All gives the chunks as they come, until the queue is closed and empty or ctx ends; ctx.Err tells which.
func (q *ChunkQueue[T]) All(ctx context.Context) iter.Seq[T] {
	return func(yield func(T) bool) {
		for {
			chunk, err := q.Get(ctx)
			if err != nil || !yield(chunk) {
				return
			}
		}
	}
}

// Close ends the queue: producers get [ErrQueueClosed], those that wait included, and consumers io.EOF once they have
// taken what is left. The first Close sends the totals as stream.queue_closed, the queue's last event; further ones do
// nothing.
//
// All events have reached the sink when Close and the calls that ran beside it have returned.
func (q *ChunkQueue[T]) Close() {
	q.mu.Lock()
	if !q.closed {
		q.close()
	}
	q.events.unlock(&q.mu)
}

// Len is the number of chunks in the queue.
func (q *ChunkQueue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.chunks.len
}

// Stats says what happened so far.
func (q *ChunkQueue[T]) Stats() ChunkQueueStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	stats := q.stats
	stats.Throttled = q.throttle.active
	return stats
}

// The methods below want the lock held.

func (q *ChunkQueue[T]) put(chunk T) error {
	if q.closed {
		return ErrQueueClosed
	}
	if w := q.consumers.first; w != nil {
		q.count(1)
		q.consumers.remove(w)
		w.chunk = chunk
		w.serve(nil)
		return nil
	}
	if q.chunks.len == q.limit {
		if !q.drop {
			return ErrQueueFull
		}
		q.chunks.pop()
		q.stats.DroppedItems++
		q.events.tell(semconv.TypeStreamChunkDropped, map[string]any{
			fieldQueueSize: q.chunks.len,
			"max_size":     q.limit,
			fieldReason:    semconv.StreamDropOverflow,
		})
	}
	q.chunks.push(chunk, q.limit)
	q.count(q.chunks.len)
	q.throttle.put(q.chunks.len, &q.events)
	return nil
}

// take takes a chunk out of a queue that has one, and lets the producer that has waited longest in.
func (q *ChunkQueue[T]) take() T {
	chunk := q.chunks.pop()
	if w := q.producers.first; w != nil {
		q.producers.remove(w)
		q.chunks.push(w.chunk, q.limit)
		q.count(q.chunks.len)
		q.blocked(w.since)
		w.serve(nil)
	}
	q.throttle.got(q.chunks.len, &q.events)
	return chunk
}

func (q *ChunkQueue[T]) close() {
	q.closed = true
	for w := q.producers.first; w != nil; w = q.producers.first {
		q.producers.remove(w)
		q.blocked(w.since)
		w.serve(ErrQueueClosed)
	}
	for w := q.consumers.first; w != nil; w = q.consumers.first {
		q.consumers.remove(w)
		w.serve(io.EOF)
	}
	q.throttle.end(q.chunks.len, &q.events)
	q.events.mustTell(semconv.TypeStreamQueueClosed, map[string]any{
		"total_items":      q.stats.TotalItems,
		"dropped_items":    q.stats.DroppedItems,
		"blocked_puts":     q.stats.BlockedPuts,
		"max_queue_size":   q.stats.MaxQueueSize,
		"total_blocked_ms": milliseconds(q.stats.TotalBlocked),
	})
	q.events.last = true
}

// count counts a chunk that was put, size being how many there were with it.
func (q *ChunkQueue[T]) count(size int) {
	q.stats.TotalItems++
	q.stats.MaxQueueSize = max(q.stats.MaxQueueSize, size)
}

// blocked tells of a put that waited and does so no longer.
func (q *ChunkQueue[T]) blocked(since time.Time) {
	d := q.now().Sub(since)
	if d <= minBlocked {
		return
	}
	q.stats.BlockedPuts++
	q.stats.TotalBlocked += d
	q.events.tell(semconv.TypeStreamProducerBlocked, map[string]any{
		"blocked_ms":   milliseconds(d),
		fieldQueueSize: q.chunks.len,
	})
}

// wait puts a waiter at the end of the line.
func (q *ChunkQueue[T]) wait(line *waiters[T]) *waiter[T] {
	w := q.unused
	if w == nil {
		w = &waiter[T]{served: make(chan struct{}, 1)}
	} else {
		q.unused, w.next = w.next, nil
	}
	line.add(w)
	return w
}

// release takes the answer from a waiter that waits no longer, and keeps it for the next who must wait.
func (q *ChunkQueue[T]) release(w *waiter[T]) (chunk T, err error) {
	select {
	case <-w.served: // the caller saw ctx end first
	default:
	}
	chunk, err = w.chunk, w.err
	var none T
	w.chunk, w.err = none, nil
	w.next, q.unused = q.unused, w
	return chunk, err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

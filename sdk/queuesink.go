// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"errors"
	"sync"
	"time"
)

// DefaultSinkQueue is how many events a [QueueSink] holds unless told otherwise, as in the framework.
const DefaultSinkQueue = 1000

// ErrSinkClosed is what a [QueueSink] answers after its Close.
var ErrSinkClosed = errors.New("stageflow: sink is closed")

// QueueSink stands before a sink that may be slow: it takes events into a bounded queue, and one goroutine hands them
// on in order (the framework's BackpressureAwareEventSink, catalogue 1.1). Where the queue is full, TryEmit drops the
// new event and Emit waits.
//
// Before a [*Client] it keeps the time of each event, and a dropped event uses up a sequence number, so that the
// receiver can tell that something is missing.
type QueueSink struct {
	next  EventSink
	now   func() time.Time
	queue chan queuedEvent
	// closing is closed by Close, done when the goroutine has handed on all there was.
	closing, done chan struct{}
	once          sync.Once
	// life ends what the goroutine is handing on when Close waits no longer.
	life context.Context
	end  context.CancelFunc

	// emitting is held for reading by who may still put something into the queue.
	emitting sync.RWMutex

	mu      sync.Mutex
	metrics SinkMetrics
}

// SinkMetrics is how a [QueueSink] does. The counts are since it was made.
type SinkMetrics struct {
	Queued    int   // events that wait now
	Emitted   int64 // events that were taken into the queue
	Sent      int64 // events that the sink behind it took
	Failed    int64 // events that the sink behind it refused or panicked at, or that Close waited for no longer
	Dropped   int64 // events that found no room
	QueueFull int64 // times that an event found the queue full, whether it was dropped or waited
	LastEmit  time.Time
	LastDrop  time.Time
}

// DropRatePercent is how many of all events were dropped, 0 to 100.
func (m SinkMetrics) DropRatePercent() float64 {
	all := m.Emitted + m.Dropped
	if all == 0 {
		return 0
	}
	return 100 * float64(m.Dropped) / float64(all)
}

type queuedEvent struct {
	ctx       context.Context
	eventType string
	at        time.Time
	data      map[string]any
}

var _ EventSink = (*QueueSink)(nil)

// NewQueueSink starts a queue before next, of size events; 0 or less is [DefaultSinkQueue]. Close it.
func NewQueueSink(next EventSink, size int) *QueueSink {
	if size <= 0 {
		size = DefaultSinkQueue
	}
	s := &QueueSink{
		next: next, now: time.Now, queue: make(chan queuedEvent, size),
		closing: make(chan struct{}), done: make(chan struct{}),
	}
	if c, ok := next.(*Client); ok {
		s.now = func() time.Time { return c.or().now() }
	}
	s.life, s.end = context.WithCancel(context.Background())
	go s.run()
	return s
}

// TryEmit takes the event if there is room.
func (s *QueueSink) TryEmit(ctx context.Context, eventType string, data map[string]any) bool {
	s.emitting.RLock()
	defer s.emitting.RUnlock()
	if _, taken, err := s.offer(ctx, eventType, data); taken || err != nil {
		return taken
	}
	s.drop()
	return false
}

// Emit waits until there is room. The error is ctx's, or [ErrSinkClosed]; then the event is dropped.
func (s *QueueSink) Emit(ctx context.Context, eventType string, data map[string]any) error {
	s.emitting.RLock()
	defer s.emitting.RUnlock()
	e, taken, err := s.offer(ctx, eventType, data)
	if taken || err != nil {
		return err
	}
	select {
	case s.queue <- e:
		s.emitted(e.at)
		return nil
	case <-ctx.Done():
		s.drop()
		return ctx.Err()
	case <-s.closing:
		s.drop()
		return ErrSinkClosed
	}
}

// offer puts the event into the queue if there is room. The error is [ErrSinkClosed]; then it has been dropped. The
// caller holds emitting.
func (s *QueueSink) offer(ctx context.Context, eventType string, data map[string]any) (e queuedEvent, taken bool, err error) {
	if s.closed() {
		s.drop()
		return e, false, ErrSinkClosed
	}
	e = s.event(ctx, eventType, data)
	select {
	case s.queue <- e:
		s.emitted(e.at)
		return e, true, nil
	default:
		s.full()
		return e, false, nil
	}
}

// Close takes no more events, hands on those that wait until ctx ends, and counts the rest as failed. The error is
// ctx's. The sink behind it stays open.
func (s *QueueSink) Close(ctx context.Context) error {
	s.once.Do(func() {
		close(s.closing)
		s.emitting.Lock() // whoever waited for room has been woken
		close(s.queue)
		s.emitting.Unlock()
	})
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		s.end()
		return ctx.Err()
	}
}

// Metrics is how the queue does now.
func (s *QueueSink) Metrics() SinkMetrics {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.metrics
	m.Queued = len(s.queue)
	return m
}

func (s *QueueSink) run() {
	defer s.end()
	defer close(s.done)
	for e := range s.queue {
		taken := s.life.Err() == nil && s.hand(e)
		s.mu.Lock()
		if taken {
			s.metrics.Sent++
		} else {
			s.metrics.Failed++
		}
		s.mu.Unlock()
	}
}

// hand gives an event to the sink behind. One that panics loses this event only.
func (s *QueueSink) hand(e queuedEvent) (taken bool) {
	defer func() {
		if recover() != nil {
			taken = false
		}
	}()
	if c, ok := s.next.(*Client); ok {
		c.or().custom(e.ctx, e.eventType, e.at, e.data)
		return true
	}
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	return s.next.Emit(ctx, e.eventType, e.data) == nil
}

func (s *QueueSink) closed() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// event is what is kept of an event: its data may change, and its context end, when the caller goes on.
func (s *QueueSink) event(ctx context.Context, eventType string, data map[string]any) queuedEvent {
	return queuedEvent{context.WithoutCancel(ctx), eventType, s.now(), snapshot(data)}
}

func (s *QueueSink) emitted(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics.Emitted++
	s.metrics.LastEmit = at
}

func (s *QueueSink) full() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics.QueueFull++
}

func (s *QueueSink) drop() {
	if c, ok := s.next.(*Client); ok {
		c.or().seq.Add(1)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics.Dropped++
	s.metrics.LastDrop = s.now()
}

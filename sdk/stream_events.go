// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"sync"
)

const (
	fieldQueue          = "queue"
	fieldQueueSize      = "queue_size"
	fieldBufferDuration = "buffer_duration_ms"
)

const (
	// maxWaiting bounds the events of one stream that wait for a slow sink; further ones are lost, and only the totals
	// at the end tell of them.
	maxWaiting = 256
	// reserved are the places for what must not be lost once it was promised: the end of a throttle window, and the
	// close of the queue.
	reserved = 2
)

// StreamOption is an option of queues and buffers alike.
type StreamOption interface {
	ChunkQueueOption
	StreamingBufferOption
}

type sinkOption struct{ sink EventSink }

func (o sinkOption) queue(c *queueConfig)   { c.sink = o.sink }
func (o sinkOption) buffer(c *bufferConfig) { c.sink = o.sink }

// WithEventSink sends a stream's events to sink. Default: the client of the run that the stream's context is in, else
// the [Default] client at the time of the event.
func WithEventSink(sink EventSink) StreamOption { return sinkOption{sink} }

// streamEvents are the events of one queue or buffer on their way to the sink. The owner's lock guards them, and they
// leave outside of it: in order, by the call that made them or by one that is already sending. So a sink may be slow,
// or call the stream back, and holds up no more than one caller.
type streamEvents struct {
	ctx  context.Context // says where the stream belongs; never cancelled
	name string
	sink EventSink // nil: the client of ctx

	waiting []streamEvent
	sent    []streamEvent // the room of the last batch, to be used again
	sending bool
	last    bool // no event will follow the waiting ones
}

type streamEvent struct {
	eventType string
	data      map[string]any
}

func newStreamEvents(ctx context.Context, name string, sink EventSink) streamEvents {
	if c, ok := sink.(*Client); ok && c == nil {
		sink = nil // as everywhere: no client is the default one
	}
	return streamEvents{ctx: context.WithoutCancel(ctx), name: name, sink: sink}
}

// tell queues an event if it finds a place.
func (s *streamEvents) tell(eventType string, data map[string]any) (told bool) {
	if len(s.waiting) >= maxWaiting-reserved {
		return false
	}
	s.mustTell(eventType, data)
	return true
}

// mustTell queues an event that has a place reserved.
func (s *streamEvents) mustTell(eventType string, data map[string]any) {
	if s.name != "" {
		data[fieldQueue] = s.name
	}
	s.waiting = append(s.waiting, streamEvent{eventType, data})
}

// unlock releases the owner's lock and sends what waits.
func (s *streamEvents) unlock(mu *sync.Mutex) {
	if len(s.waiting) == 0 || s.sending {
		mu.Unlock()
		return
	}
	s.send(mu)
}

// send stops after a fair share, so that a consumer does not stay here on behalf of producers that make events faster
// than the sink takes them: the next call goes on. When there is no next, it sends everything.
func (s *streamEvents) send(mu *sync.Mutex) {
	s.sending = true
	for share := maxWaiting; len(s.waiting) > 0 && (share > 0 || s.last); {
		batch := s.waiting
		s.waiting = s.sent[:0]
		mu.Unlock()
		for _, e := range batch {
			s.emit(e)
		}
		share -= len(batch)
		clear(batch)
		mu.Lock()
		s.sent = batch
	}
	s.sending = false
	mu.Unlock()
}

// emit survives a sink that panics: as with the framework, telling must not break the stream.
func (s *streamEvents) emit(e streamEvent) {
	defer func() { _ = recover() }()
	if s.sink != nil {
		s.sink.TryEmit(s.ctx, e.eventType, e.data)
		return
	}
	s.client().TryEmit(s.ctx, e.eventType, e.data)
}

// client is the one that the sink is, else that of the context.
func (s *streamEvents) client() *Client {
	if c, ok := s.sink.(*Client); ok {
		return c
	}
	return clientOf(s.ctx)
}

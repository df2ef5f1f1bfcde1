// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
)

// exportWithin bounds one attempt of a [BufferedExporter], so that an exporter that hangs until its context ends
// holds up the others no longer than that.
const exportWithin = 30 * time.Second

// BufferedExporter collects events into batches for another exporter, in order. What the other one does never holds up
// or fails Export: a batch that fails is tried again, and while that lasts the oldest waiting events are dropped when
// the buffer is full. Every event is counted once, as exported, failed or dropped; see [BufferedExporter.Stats].
type BufferedExporter struct {
	bufferedConfig
	next   Exporter
	now    func() time.Time
	report func(error)

	full     chan struct{}        // a batch is complete
	flushing chan chan error      // who waits for a flush
	closing  chan context.Context // how long Close waits
	done     chan struct{}        // closed when the goroutine has ended
	closeErr error                // what Close found; written before done

	// life ends what is being exported when Close waits no longer.
	life context.Context
	end  context.CancelFunc

	tries int  // of the batch that is being sent; the goroutine's own
	loss  bool // told of, and no batch has arrived since; the goroutine's own

	mu      sync.Mutex
	waiting []AnalyticsEvent
	sending []AnalyticsEvent // taken from waiting and not yet exported; changed by the goroutine only
	counts  BufferedExporterStats
	warned  bool
	closed  bool
	news    overflow
	telling bool
}

// overflow is what there is to tell: drops, the high-water mark, or both.
type overflow struct {
	dropped, left int // since the beginning, and the size after the last one; dropped is 0 for none
	reached       int // the size at the mark; 0 when it was not reached
}

// NewBufferedExporter starts a buffer before next. Close it, which closes next too. The error names every setting that
// cannot be right: sizes, attempts and intervals of 0 or less, a mark outside of 0 to 1, no next.
//
// A batch that fails with anything but [ErrExporterClosed] is tried again after 0.5 s, then after twice as long each
// time up to 5 s; an attempt may take 30 s. The first batch that is given up in an outage is told to OpenTelemetry's
// error handler.
func NewBufferedExporter(next Exporter, opts ...BufferedExporterOption) (*BufferedExporter, error) {
	b, err := newBufferedExporter(next, opts...)
	if err != nil {
		return nil, err
	}
	go b.run()
	return b, nil
}

func newBufferedExporter(next Exporter, opts ...BufferedExporterOption) (*BufferedExporter, error) {
	b := &BufferedExporter{
		bufferedConfig: bufferedConfig{
			batchSize: 100, interval: 10 * time.Second, maxSize: 10_000, mark: 0.8, maxAttempts: 8,
		},
		next:     next,
		now:      time.Now,
		report:   otel.Handle,
		full:     make(chan struct{}, 1),
		flushing: make(chan chan error),
		closing:  make(chan context.Context, 1),
		done:     make(chan struct{}),
	}
	for _, opt := range opts {
		opt(&b.bufferedConfig)
	}
	err := b.validate()
	if next == nil {
		err = errors.Join(errors.New("no exporter to buffer for"), err)
	}
	if err != nil {
		return nil, fmt.Errorf("stageflow: buffered exporter: %w", err)
	}
	// A batch that the buffer cannot hold would leave every event but the last ones to be dropped.
	b.batchSize = min(b.batchSize, b.maxSize)
	b.life, b.end = context.WithCancel(context.Background())
	return b, nil
}

// Export puts the event into the buffer. The only error is [ErrExporterClosed].
func (b *BufferedExporter) Export(_ context.Context, event AnalyticsEvent) error {
	event = event.at(b.now)
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrExporterClosed
	}
	b.accept(event)
	complete, news := len(b.waiting) >= b.batchSize, b.news != (overflow{})
	b.mu.Unlock()
	if complete {
		b.wake()
	}
	if news {
		b.tell()
	}
	return nil
}

// ExportBatch is Export for each of events.
func (b *BufferedExporter) ExportBatch(ctx context.Context, events []AnalyticsEvent) error {
	for _, e := range events {
		if err := b.Export(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// Flush exports at once what was accepted before, a batch that waits to be tried again first. The error is what the
// first batch failed with, or ctx's; the events are then kept as if nobody had asked, but it counts as an attempt.
//
// The exporter behind must not call it.
func (b *BufferedExporter) Flush(ctx context.Context) error {
	b.tell()
	reply := make(chan error, 1)
	select {
	case b.flushing <- reply:
	case <-b.done:
		return ErrExporterClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close takes no more events, exports those that wait, retries included, until ctx ends, 5 s if it has no deadline,
// counts the rest as failed, and closes the exporter behind. The error says how many were not exported, and why; or it
// is ctx's, when the exporter behind has not returned yet. Called again it waits for the first and says the same.
func (b *BufferedExporter) Close(ctx context.Context) error {
	b.tell()
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, shutdownWithin)
		defer cancel()
	}
	b.mu.Lock()
	first := !b.closed
	b.closed = true
	b.mu.Unlock()
	if first {
		b.closing <- ctx
	}
	select {
	case <-b.done:
		return b.closeErr
	case <-ctx.Done():
		if first {
			b.end()
		}
		return fmt.Errorf("stageflow: buffered exporter is still closing: %w", ctx.Err())
	}
}

// accept appends to the buffer, in which it makes room first. The caller holds mu.
func (b *BufferedExporter) accept(event AnalyticsEvent) {
	b.counts.Accepted++
	if len(b.waiting) >= b.maxSize {
		b.waiting[0] = AnalyticsEvent{} // its maps are free to go
		b.waiting = b.waiting[1:]
		b.counts.Dropped++
		b.news.dropped, b.news.left = int(b.counts.Dropped), len(b.waiting)
	}
	b.waiting = append(b.waiting, event)
	if b.ratio() >= b.mark && !b.warned {
		b.warned = true
		b.news.reached = len(b.waiting)
	}
	b.rearm()
}

// rearm lets the mark be told of again. The framework asks that only after an append, so that it never warns again
// where one event alone is half of the mark.
func (b *BufferedExporter) rearm() {
	if b.ratio() < b.mark*0.5 {
		b.warned = false
	}
}

func (b *BufferedExporter) ratio() float64 { return float64(len(b.waiting)) / float64(b.maxSize) }

// tell calls the function of WithOnOverflow, if there is news and it is not running. One round only: a function that
// itself makes the buffer run over would keep this going forever.
func (b *BufferedExporter) tell() {
	b.mu.Lock()
	news := b.news
	if news == (overflow{}) || b.telling {
		b.mu.Unlock()
		return
	}
	b.news = overflow{}
	b.telling = true
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.telling = false
		b.mu.Unlock()
	}()
	if news.dropped > 0 {
		b.overflowed(news.dropped, news.left)
	}
	if news.reached > 0 {
		b.overflowed(-1, news.reached)
	}
}

func (b *BufferedExporter) overflowed(dropped, size int) {
	if b.onOverflow == nil {
		return
	}
	defer func() { _ = recover() }()
	b.onOverflow(dropped, size)
}

func (b *BufferedExporter) wake() {
	select {
	case b.full <- struct{}{}:
	default:
	}
}

// run is the goroutine: it alone exports, so that events stay in order. Each pass sends what was there when it began,
// so that neither a flush nor the end waits for events that keep coming.
func (b *BufferedExporter) run() {
	defer close(b.done)
	defer b.end()
	tick := time.NewTicker(b.interval)
	defer tick.Stop()
	var retry <-chan time.Time // nil: no batch waits to be tried again
	for {
		select {
		case ctx := <-b.closing:
			b.closeErr = b.finish(ctx)
			return
		case reply := <-b.flushing:
			reply <- b.sendAll()
		case <-retry:
			_ = b.sendAll()
		case <-tick.C:
			if retry != nil {
				continue
			}
			_ = b.sendAll()
		case <-b.full:
			if retry != nil {
				continue
			}
			_ = b.sendComplete()
		}
		if retry = nil; b.sending != nil {
			retry = time.After(b.backoff())
		} else if b.size() >= b.batchSize {
			b.wake()
		}
	}
}

func (b *BufferedExporter) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}

func (b *BufferedExporter) sendAll() error { return b.send(b.size()) }

func (b *BufferedExporter) sendComplete() error {
	n := b.size()
	return b.send(n - n%b.batchSize)
}

// send exports the batch that failed before, then n of the waiting events, until an attempt fails.
func (b *BufferedExporter) send(n int) error {
	for {
		if err := b.life.Err(); err != nil {
			return err
		}
		if b.sending == nil {
			taken := b.take(min(n, b.batchSize))
			if taken == 0 {
				return nil
			}
			n -= taken
		}
		if err := b.attempt(); err != nil {
			return err
		}
	}
}

func (b *BufferedExporter) take(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n = min(n, len(b.waiting)); n > 0 {
		b.sending = slices.Clone(b.waiting[:n])
		clear(b.waiting[:n])
		b.waiting = b.waiting[n:]
		b.rearm()
	}
	return n
}

// attempt exports the batch, and keeps it if that fails and may yet succeed.
func (b *BufferedExporter) attempt() error {
	b.tries++
	ctx, cancel := context.WithTimeout(b.life, exportWithin)
	err := apart(func() error { return b.next.ExportBatch(ctx, b.sending) })
	cancel()

	b.mu.Lock()
	n := int64(len(b.sending))
	if b.tries > 1 {
		b.counts.Retries++
	}
	lost := err != nil && (b.tries >= b.maxAttempts || errors.Is(err, ErrExporterClosed))
	switch {
	case err == nil:
		b.counts.Exported += n
		b.counts.Flushes++
	case lost:
		b.counts.Failed += n
	}
	if err == nil || lost {
		b.sending, b.tries = nil, 0
	}
	b.mu.Unlock()

	if lost && !b.loss {
		_ = apart(func() error {
			b.report(fmt.Errorf("stageflow: %d analytics events were given up (said once until a batch arrives): %w", n, err))
			return nil
		})
	}
	b.loss = lost || b.loss && err != nil
	return err
}

// backoff is how long to wait after the attempts so far.
func (b *BufferedExporter) backoff() time.Duration {
	return min(retryFirst<<min(b.tries-1, 8), retryMost)
}

// finish is the goroutine's part of Close.
func (b *BufferedExporter) finish(ctx context.Context) error {
	before := b.Stats().Failed
	err := b.drain(ctx)

	b.mu.Lock()
	b.counts.Failed += int64(len(b.waiting) + len(b.sending))
	b.waiting, b.sending = nil, nil
	lost := b.counts.Failed - before
	b.mu.Unlock()
	if lost > 0 {
		err = fmt.Errorf("stageflow: %d analytics events were not exported: %w", lost, err)
	} else {
		err = nil // it went well in the end
	}
	return errors.Join(err, apart(func() error { return b.next.Close(ctx) }))
}

// drain exports everything, or as much as ctx allows, and returns the last failure.
func (b *BufferedExporter) drain(ctx context.Context) (last error) {
	for ctx.Err() == nil {
		err := b.sendAll()
		if err == nil {
			return last
		}
		last = err
		if b.sending == nil { // given up; on to the next batch
			continue
		}
		select {
		case <-time.After(b.backoff()):
		case <-ctx.Done():
		}
	}
	return cmp.Or(last, ctx.Err())
}

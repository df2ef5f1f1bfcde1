// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/otel"
	sdklog "go.opentelemetry.io/otel/sdk/log"
)

// guardedExporter stands between the batching goroutine and the network. It reports an outage once instead of once
// a batch, and lets shutdown end an export that is still trying, so that no goroutine outlives it.
type guardedExporter struct {
	sdklog.Exporter

	life context.Context // over when shutdown waits no longer
	end  context.CancelFunc
	done chan struct{} // closed by Shutdown, the last thing the batching goroutine does with an exporter
	once sync.Once

	// report sends an event that tells of lost ones.
	report func(fresh, total int64)

	mu     sync.Mutex
	last   error // of the outage that lasts; nil when events arrive
	ledger ledger
}

func newGuardedExporter(e sdklog.Exporter) *guardedExporter {
	g := &guardedExporter{Exporter: e, done: make(chan struct{})}
	g.life, g.end = context.WithCancel(context.Background())
	return g
}

// Export sends a batch. Its failure is kept for stop to tell, and not returned: the batching
// goroutine would report every one.
func (g *guardedExporter) Export(ctx context.Context, records []sdklog.Record) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.life, cancel)()
	err := g.Exporter.Export(ctx, records)

	g.mu.Lock()
	outage := err != nil && g.last == nil
	g.last = err
	g.ledger.settle(numbersOf(records), err == nil)
	var fresh, total int64
	if err == nil { // while nothing arrives there is nobody to tell
		fresh, total = g.ledger.unreported()
	}
	g.mu.Unlock()
	if outage {
		otel.Handle(fmt.Errorf("stageflow: events do not reach the collector (said once until they do again): %w", err))
	}
	if fresh > 0 {
		g.report(fresh, total)
	}
	return nil
}

// delivered is what became of the events so far.
func (g *guardedExporter) delivered() (sent, lost int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ledger.sent, g.ledger.lost()
}

func (g *guardedExporter) Shutdown(ctx context.Context) error {
	defer g.once.Do(func() { close(g.done) })
	return g.Exporter.Shutdown(ctx)
}

// stop ends what is still being tried, waits for the batching goroutine to let go, and tells how many of the events
// that were ever written did not arrive: dropped from a full queue, given up, or not sent in time.
func (g *guardedExporter) stop(written int64) (lost int64, why error) {
	g.end()
	<-g.done
	g.mu.Lock()
	defer g.mu.Unlock()
	return written - g.ledger.sent, g.last
}

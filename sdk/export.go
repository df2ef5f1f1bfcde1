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

	mu   sync.Mutex
	last error // of the outage that lasts; nil when events arrive
	sent int64 // events that arrived
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
	if err == nil {
		g.sent += int64(len(records))
	}
	g.mu.Unlock()
	if outage {
		otel.Handle(fmt.Errorf("stageflow: events do not reach the collector (said once until they do again): %w", err))
	}
	return nil
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
	return written - g.sent, g.last
}

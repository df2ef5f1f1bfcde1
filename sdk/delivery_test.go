// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"pgregory.net/rapid"
)

// gate is an exporter that the test holds up or lets fail.
type gate struct {
	sink
	mu   sync.Mutex
	fail error
	hold chan struct{} // nil: open
}

func (g *gate) set(fail error, hold chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail, g.hold = fail, hold
}

func (g *gate) Export(ctx context.Context, records []sdklog.Record) error {
	g.mu.Lock()
	fail, hold := g.fail, g.hold
	g.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if fail != nil {
		return fail
	}
	for i := range records {
		_ = g.OnEmit(ctx, &records[i])
	}
	return nil
}

// gatedClient is wired as by Setup, with a queue of 10 and batches of 2.
func gatedClient(t *testing.T) (*Client, *gate) {
	t.Helper()
	g := &gate{}
	guarded := newGuardedExporter(g)
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(guarded,
		sdklog.WithMaxQueueSize(10), sdklog.WithExportMaxBatchSize(2))))
	c := NewClient(provider)
	c.delivered, c.flush, guarded.report = guarded.delivered, provider.ForceFlush, c.tellLost
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return c, g
}

func TestLostEventsAreToldOfLater(t *testing.T) {
	c, g := gatedClient(t)
	g.set(errors.New("no collector"), nil)
	for range 4 {
		c.TryEmit(t.Context(), "given.up", nil)
	}
	_ = c.Flush(t.Context())
	assert.Equal(t, DeliveryStats{Emitted: 4, Lost: 4}, c.Stats())

	g.set(nil, nil)
	c.TryEmit(t.Context(), "arrives", nil)
	require.NoError(t, c.Flush(t.Context()))
	require.NoError(t, c.Flush(t.Context()))
	assert.Equal(t, []string{"arrives", "telemetry.lost"}, g.types())
	lost := g.only(t, "telemetry.lost")
	assert.Equal(t, map[string]any{"lost": int64(4), "lost_total": int64(4)}, lost.data)
	assert.Equal(t, "stageflow.telemetry.lost", lost.name)

	c.TryEmit(t.Context(), "arrives too", nil)
	require.NoError(t, c.Flush(t.Context()))
	assert.Equal(t, []string{"arrives", "telemetry.lost", "arrives too"}, g.types(), "told once")
	assert.Equal(t, DeliveryStats{Emitted: 7, Sent: 3, Lost: 4}, c.Stats())
}

func TestEventsDroppedFromAFullQueueAreToldOfLater(t *testing.T) {
	c, g := gatedClient(t)
	hold := make(chan struct{})
	g.set(nil, hold)
	for range 50 {
		c.TryEmit(t.Context(), "e", nil)
	}
	close(hold)
	g.set(nil, nil)
	require.NoError(t, c.Flush(t.Context()))
	require.NoError(t, c.Flush(t.Context()))
	c.TryEmit(t.Context(), "last", nil)
	require.NoError(t, c.Flush(t.Context()))
	require.NoError(t, c.Flush(t.Context()))

	s := c.Stats()
	assert.Positive(t, s.Lost)
	assert.Equal(t, s.Emitted, s.Sent+s.Lost)
	told := int64(0)
	for _, e := range g.all() {
		if e.eventType == "telemetry.lost" {
			told += e.data["lost"].(int64)
			assert.Equal(t, told, e.data["lost_total"])
		}
	}
	assert.Equal(t, s.Lost, told)
}

func TestFlushOfAClientWithoutAQueue(t *testing.T) {
	c, _, _ := newTestClient(t)
	require.NoError(t, c.Flush(t.Context()))
	c.TryEmit(t.Context(), "e", nil)
	assert.Equal(t, DeliveryStats{Emitted: 1}, c.Stats())
}

// Whatever is dropped, given up or written a little out of order: what is missing is counted, never more, and all of it
// once a batch has passed.
func TestLedger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l ledger
		var waiting []int64
		var lost, sent int64
		n := int64(0)
		for range rapid.IntRange(1, 40).Draw(t, "batches") {
			waiting = waiting[:0]
			for range rapid.IntRange(1, 8).Draw(t, "size") {
				n++
				if rapid.IntRange(0, 4).Draw(t, "drop") == 0 {
					lost++
				} else {
					waiting = append(waiting, n)
				}
			}
			if len(waiting) > 1 && rapid.Bool().Draw(t, "swap") {
				waiting[0], waiting[len(waiting)-1] = waiting[len(waiting)-1], waiting[0]
			}
			arrived := rapid.Bool().Draw(t, "arrived")
			l.settle(waiting, arrived)
			if arrived {
				sent += int64(len(waiting))
			} else {
				lost += int64(len(waiting))
			}
			if l.lost() > lost {
				t.Fatalf("%d lost, said %d", lost, l.lost())
			}
		}
		l.settle([]int64{n + 1}, true)
		l.settle([]int64{n + 2}, true)
		if l.lost() != lost || l.sent != sent+2 {
			t.Fatalf("%d lost, %d sent; said %d, %d", lost, sent, l.lost(), l.sent)
		}
		fresh, total := l.unreported()
		again, _ := l.unreported()
		if fresh != lost || total != lost || again != 0 {
			t.Fatalf("told %d and %d, %d again", fresh, total, again)
		}
	})
}

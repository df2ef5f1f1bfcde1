// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// upkeepInterval is how often the store is pruned and measured. What there is to prune goes at once, in steps small
// enough for writers to come in between.
const upkeepInterval = time.Minute

// retained is what a measurement of the store found.
type retained struct {
	bytes int64
	// age is how long ago the last event of the oldest run was; only told when there is a run.
	age  time.Duration
	runs bool
}

// startUpkeep begins to prune and to measure, the first round at once.
func (w *writer) startUpkeep() {
	var ctx context.Context
	ctx, w.stop = context.WithCancel(context.Background())
	w.upkeep.Go(func() {
		ticker := time.NewTicker(upkeepInterval)
		defer ticker.Stop()
		for {
			w.round(ctx)
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// stopUpkeep ends the upkeep after the step that goes on.
func (w *writer) stopUpkeep() {
	if w.stop != nil {
		w.stop()
		w.upkeep.Wait()
	}
}

// round prunes and measures, in this order, so that what is told is what the retention left. It opens the store when it
// must; why that failed has been told then. Unlike a write it has all the time that a long migration may need.
func (w *writer) round(ctx context.Context) {
	if store, err := w.store.get(ctx); err == nil {
		w.prune(ctx, store)
		w.measure(ctx, store)
	}
}

// prune does all there is to do now. What fails is tried again after the interval: nothing waits for it.
func (w *writer) prune(ctx context.Context, store runlog.Store) {
	r := runlog.Retention{MaxAge: w.config.Retention.MaxAge, MaxBytes: w.config.Retention.MaxBytes}
	for {
		p, err := store.Prune(ctx, r, time.Now())
		for table, n := range p.Rows {
			w.telemetry.ExporterRunlogPrunedRows.Add(context.WithoutCancel(ctx), n, tableAttribute(table))
		}
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				w.logger.Warn("The run log could not be pruned; it is tried again.", zap.Error(err))
			}
			return
		}
		if !p.More {
			return
		}
	}
}

// measure finds out what is kept. Where that fails nothing is told until it succeeds: the last figures would look like
// those of a store that is well.
func (w *writer) measure(ctx context.Context, store runlog.Store) {
	found, err := store.Retained(ctx)
	if err != nil {
		w.retained.Store(nil)
		if !errors.Is(err, context.Canceled) {
			w.logger.Warn("The run log could not be measured; it is tried again.", zap.Error(err))
		}
		return
	}
	now := &retained{bytes: found.Bytes}
	if !found.Oldest.IsZero() {
		now.runs, now.age = true, max(0, time.Since(found.Oldest)) // applications' clocks may be ahead
	}
	w.retained.Store(now)
}

// registerRetained tells the last measurement whenever metrics are collected. The gauges are asynchronous because a
// synchronous one never forgets: it would go on telling its last value when a measurement fails, when the last run is
// gone and when the exporter is shut down, and with delta temporality tell it only once. The callbacks ask no store,
// which could keep the collection of all metrics waiting.
func (w *writer) registerRetained() error {
	err := w.telemetry.RegisterExporterRunlogRetainedBytesCallback(func(_ context.Context, o metric.Int64Observer) error {
		if r := w.retained.Load(); r != nil {
			o.Observe(r.bytes)
		}
		return nil
	})
	return errors.Join(err, w.telemetry.RegisterExporterRunlogRetainedAgeCallback(func(_ context.Context, o metric.Float64Observer) error {
		if r := w.retained.Load(); r != nil && r.runs {
			o.Observe(r.age.Seconds())
		}
		return nil
	}))
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// pruneInterval is how often the retention looks for something to do. What it finds it does in one go, in steps small
// enough for writers to come in between.
const pruneInterval = time.Minute

// startRetention begins to prune, if anything bounds what is kept.
func (w *writer) startRetention() {
	r := runlog.Retention{MaxAge: w.config.Retention.MaxAge, MaxBytes: w.config.Retention.MaxBytes}
	if r == (runlog.Retention{}) {
		return
	}
	var ctx context.Context
	ctx, w.stop = context.WithCancel(context.Background())
	w.pruning.Go(func() {
		ticker := time.NewTicker(pruneInterval)
		defer ticker.Stop()
		for {
			w.prune(ctx, r)
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// stopRetention ends pruning after the step that goes on.
func (w *writer) stopRetention() {
	if w.stop != nil {
		w.stop()
		w.pruning.Wait()
	}
}

// prune does all there is to do now. What fails is tried again after the interval: nothing waits for it.
func (w *writer) prune(ctx context.Context, r runlog.Retention) {
	for {
		p, err := w.store.Prune(ctx, r, time.Now())
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

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/exporter/runlogexporter/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// writer is what all pipelines of one component id share: the store and what is told of it.
type writer struct {
	config    *Config
	logs      logReader
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	// store is nil until Start.
	store  *opening
	health *health

	// stop ends the goroutine of the upkeep, which upkeep waits for.
	stop   context.CancelFunc
	upkeep sync.WaitGroup
	// retained is the last measurement of the store; nil before the first and after one that failed.
	retained atomic.Pointer[retained]
}

func newWriter(cfg *Config, set exporter.Settings) (*writer, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	w := &writer{config: cfg, logs: logReader{storeEvents: cfg.StoreEvents}, logger: set.Logger, telemetry: telemetry, health: newHealth(set.Logger)}
	if err := w.registerRetained(); err != nil {
		telemetry.Shutdown()
		return nil, err
	}
	return w, nil
}

// Start opens the store, or leaves that to writes and upkeep while its server is away, and begins the upkeep.
func (w *writer) Start(ctx context.Context, host component.Host) error {
	w.health.host = host
	store, err := startOpening(ctx, w.config, w.health)
	if err != nil {
		return err
	}
	w.store = store
	w.startUpkeep()
	return nil
}

// Shutdown closes the store; there is none when Start failed or never came.
func (w *writer) Shutdown(context.Context) error {
	w.stopUpkeep()
	w.telemetry.Shutdown()
	if w.store == nil {
		return nil
	}
	return w.store.close()
}

func (w *writer) writeLogs(ctx context.Context, logs plog.Logs) error {
	return w.write(ctx, w.logs.facts(logs))
}

func (w *writer) writeTraces(ctx context.Context, traces ptrace.Traces) error {
	return w.write(ctx, spanFacts(traces))
}

// write returns an error that the retry sender tries again, unless nothing of the batch can ever be stored.
func (w *writer) write(ctx context.Context, batch *runlog.Batch) error {
	if len(batch.Runs) == 0 {
		return nil // nothing of ours in it
	}
	begin := time.Now()
	res, err := w.put(ctx, batch)
	// What is told of a write must be told even when its time was up.
	ctx = context.WithoutCancel(ctx)
	w.telemetry.ExporterRunlogWriteDuration.Record(ctx, time.Since(begin).Seconds())
	w.telemetry.ExporterRunlogBatchRows.Record(ctx, rowsOf(batch))
	for table, n := range res.Rows {
		w.telemetry.ExporterRunlogWrittenRows.Add(ctx, n, tableAttribute(table))
	}
	if err != nil {
		return err // the rest is told when the batch is through, not at every try
	}
	w.telemetry.ExporterRunlogConflicts.Add(ctx, int64(batch.Conflicts+res.Conflicts))
	var rejected []error
	for _, r := range res.Rejected {
		w.telemetry.ExporterRunlogRejectedRows.Add(ctx, 1, tableAttribute(r.Table))
		w.logger.Error("A row that the run log can never take was set aside.",
			zap.String("table", r.Table), zap.String("run_id", r.RunID), zap.String("key", r.Key), zap.Error(r.Err))
		rejected = append(rejected, fmt.Errorf("%s of run %q: %w", r.Table, r.RunID, r.Err))
	}
	if len(rejected) > 0 && len(res.Rows) == 0 {
		return consumererror.NewPermanent(errors.Join(rejected...))
	}
	return nil
}

// put writes a batch to the store, and tells how that went.
func (w *writer) put(ctx context.Context, batch *runlog.Batch) (runlog.Result, error) {
	store, err := w.store.get(ctx)
	if err != nil {
		return runlog.Result{}, err // told by who tried to open it
	}
	res, err := store.Write(ctx, batch)
	w.health.tell(err)
	return res, err
}

// rowsOf counts the rows of a batch.
func rowsOf(b *runlog.Batch) (n int64) {
	for _, run := range b.Runs {
		if run.Row != nil {
			n++
		}
		for _, g := range run.Groups {
			n += int64(len(g.Rows))
		}
	}
	return n
}

func tableAttribute(table string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String("table", table)))
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/assembly"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/runmetrics"
)

// core is the one receiver behind all pipelines that name a component id.
type core struct {
	cfg *Config
	set receiver.Settings
	now func() time.Time

	// What the pipelines behind the receiver take; nil where there is no such pipeline. Set before Start.
	logs    consumer.Logs
	traces  consumer.Traces
	metrics consumer.Metrics

	telemetry *metadata.TelemetryBuilder
	journal   *journal.Journal
	intake    *intake
	settler   *settler
	collector *collector
	otlp      component.Component
	events    *eventsServer
	files     *filesInput
}

func newCore(cfg *Config, set receiver.Settings) (*core, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &core{cfg: cfg, set: set, now: time.Now, telemetry: telemetry}, nil
}

// Start opens the inputs last, so that whatever comes in finds everything behind it ready.
func (c *core) Start(ctx context.Context, host component.Host) error {
	if c.assembles() {
		var err error
		if c.journal, err = openJournal(ctx, host, c.cfg, c.set.ID); err != nil {
			return err
		}
	}
	assembler := assembly.New(assembly.Settings{
		Settle: c.cfg.Runs.Settle, FlushAfter: c.cfg.Runs.FlushAfter, IdleTimeout: c.cfg.Runs.IdleTimeout,
		AbandonAfter: c.cfg.Runs.AbandonAfter, MaxActive: c.cfg.Runs.MaxActive,
		Journal: c.journal,
	})
	redactor, err := newRedactor(c.cfg.Redact)
	if err != nil {
		return err
	}
	c.intake = &intake{
		gate: newGate(c.telemetry), next: c.logs, assemble: c.assembles(), assembler: assembler, journal: c.journal,
		redactor: redactor, seen: newSeen(seenPerGeneration), joins: newJoins(), now: c.now, telemetry: c.telemetry, logger: c.set.Logger,
	}
	if err := c.intake.replay(ctx); err != nil {
		return err
	}
	if c.assembles() {
		obs, err := c.obsReport("settled")
		if err != nil {
			return err
		}
		if err := c.observe(assembler); err != nil {
			return err
		}
		c.settler = newSettler(assembler, c.journal, c.traces, obs, c.telemetry, c.set.Logger, c.now)
		c.settler.start()
		if c.journal == nil {
			c.set.Logger.Warn("runs in flight are kept in memory only: a crash or a restart loses those that have not ended; name a storage to keep them")
		}
	}
	if c.metrics != nil {
		obs, err := c.obsReport("collected")
		if err != nil {
			return err
		}
		c.intake.metrics = runmetrics.New(c.now())
		c.collector = &collector{
			metrics: c.intake.metrics, assembler: assembler, next: c.metrics, obs: obs, logger: c.set.Logger, now: c.now,
		}
		c.collector.start()
	}
	if c.cfg.hasOTLP() {
		var err error
		if c.otlp, err = newOTLP(ctx, c.set, c.cfg.Protocols, c); err != nil {
			return err
		}
		if err := c.otlp.Start(ctx, host); err != nil {
			return err
		}
	}
	if c.cfg.Events.HasValue() {
		obs, err := c.obsReport("http")
		if err != nil {
			return err
		}
		c.events = newEventsServer(c.cfg.Events.Get(), c.intake, obs, c.telemetry, c.set)
		if err := c.events.start(ctx, host); err != nil {
			return err
		}
	}
	if c.cfg.Files.HasValue() {
		obs, err := c.obsReport("file")
		if err != nil {
			return err
		}
		c.files = newFilesInput(*c.cfg.Files.Get(), c.intake, obs, c.telemetry, c.set, c.now)
		return c.files.start(ctx, host, c.cfg.Storage)
	}
	return nil
}

// Shutdown closes the inputs first, then hands on the runs that have ended.
func (c *core) Shutdown(ctx context.Context) error {
	var errs error
	if c.files != nil {
		errs = errors.Join(errs, c.files.shutdown(ctx))
	}
	if c.events != nil {
		errs = errors.Join(errs, c.events.shutdown(ctx))
	}
	if c.otlp != nil {
		errs = errors.Join(errs, c.otlp.Shutdown(ctx))
	}
	if c.settler != nil {
		c.settler.stop(ctx)
		if n := c.intake.assembler.Active(); n > 0 && c.journal == nil {
			c.set.Logger.Warn("runs that had not ended are lost", zap.Int("runs", n))
		}
	}
	if c.collector != nil {
		c.collector.stop(ctx)
	}
	errs = errors.Join(errs, c.journal.Close(ctx))
	c.telemetry.Shutdown()
	return errs
}

// assembles tells whether anybody wants runs.
func (c *core) assembles() bool { return c.traces != nil || c.metrics != nil }

func (c *core) obsReport(transport string) (*receiverhelper.ObsReport, error) {
	return receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: c.set.ID, Transport: transport, LongLivedCtx: transport != "http", ReceiverCreateSettings: c.set,
	})
}

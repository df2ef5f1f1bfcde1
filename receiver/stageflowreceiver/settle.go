// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/assembly"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const (
	// sweepEvery is how often runs that are over are looked for.
	sweepEvery = 100 * time.Millisecond
	// firstBackoff and maxBackoff space the attempts to hand on a batch that the pipeline refuses.
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 5 * time.Second
)

// settler hands the runs that are over to the traces pipeline, if there is one. While the pipeline refuses, no further
// runs are taken out, so the number in flight grows to its bound and the inputs begin to say no.
type settler struct {
	assembler *assembly.Assembler
	journal   *journal.Journal
	next      consumer.Traces
	obs       *receiverhelper.ObsReport
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger
	now       func() time.Time

	loop
}

func newSettler(a *assembly.Assembler, j *journal.Journal, next consumer.Traces, obs *receiverhelper.ObsReport, telemetry *metadata.TelemetryBuilder, logger *zap.Logger, now func() time.Time) *settler {
	return &settler{assembler: a, journal: j, next: next, obs: obs, telemetry: telemetry, logger: logger, now: now}
}

func (s *settler) start() {
	s.begin(sweepEvery, func(ctx context.Context) { s.sweep(ctx, false) })
}

// stop ends the sweeping and hands on what has ended but still waited for stragglers.
func (s *settler) stop(ctx context.Context) {
	s.end()
	s.sweep(ctx, true)
}

// sweep hands on the runs that are over, and keeps the journal short.
func (s *settler) sweep(ctx context.Context, last bool) {
	for due := s.assembler.Due(s.now(), last); len(due) > 0; due = s.assembler.Due(s.now(), last) {
		s.handOn(ctx, due, last)
		if !last && ctx.Err() != nil {
			return // the rest is for the last sweep
		}
	}
	if err := errors.Join(s.journal.Renew(ctx), s.journal.Trim(ctx)); err != nil && ctx.Err() == nil {
		s.logger.Warn("the journal could not be shortened, trying again", zap.Error(err))
	}
}

// handOn sends runs, and then takes them out of the journal. Runs that were not sent because the receiver stops stay
// there. A batch that was being repeated when the receiver stopped gets one more try.
func (s *settler) handOn(ctx context.Context, runs []*assembly.Run, last bool) {
	done := s.repeat(ctx, last, "the traces pipeline refused runs that have ended", func(ctx context.Context) error { return s.send(ctx, runs) })
	if !done && s.journal != nil {
		return
	}
	if !done {
		s.logger.Error("runs are lost: the traces pipeline refused them", zap.Int("runs", len(runs)))
		return
	}
	s.repeat(ctx, last, "the journal could not be told that runs have been handed on", func(ctx context.Context) error {
		return s.tellJournal(ctx, runs)
	})
}

// tellJournal takes runs out of the journal. Where the storage is full that goes before telling it: telling would
// take the room that cutting off needs.
func (s *settler) tellJournal(ctx context.Context, runs []*assembly.Run) error {
	err := s.assembler.HandedOn(ctx, runs, s.now())
	if !errors.Is(err, storage.ErrStorageFull) {
		return err
	}
	s.assembler.HandedOnUntold(runs)
	s.logger.Warn("the storage is full: a crash now may let runs that have been handed on be assembled again from a part of their events",
		zap.Int("runs", len(runs)), zap.Error(s.journal.Trim(ctx)))
	return nil
}

// repeat tries until it works or the receiver stops, and tells whether it worked.
func (s *settler) repeat(ctx context.Context, last bool, problem string, try func(context.Context) error) bool {
	for backoff := firstBackoff; ; backoff = min(2*backoff, maxBackoff) {
		trying := context.WithoutCancel(ctx)
		if last {
			trying = ctx
		}
		err := try(trying)
		if err == nil {
			return true
		}
		if last || ctx.Err() != nil {
			s.logger.Error(problem, zap.Error(err))
			return false
		}
		s.logger.Warn(problem+", trying again", zap.Duration("in", backoff), zap.Error(err))
		pause(ctx, backoff)
	}
}

// send passes runs to the traces pipeline. What it refuses for good is lost, and no error: it would be refused again.
func (s *settler) send(ctx context.Context, runs []*assembly.Run) error {
	td := assembly.Spans(runs) // what was passed on is not ours any more, so every try writes the spans anew
	count := td.SpanCount()
	if s.next == nil || count == 0 {
		s.count(ctx, runs)
		return nil
	}
	op := s.obs.StartTracesOp(ctx)
	err := s.next.ConsumeTraces(op, td)
	s.obs.EndTracesOp(op, "stageflow", count, err)
	switch {
	case err == nil:
		s.count(ctx, runs)
	case consumererror.IsPermanent(err):
		s.logger.Error("runs are lost: the traces pipeline refused them for good", zap.Int("runs", len(runs)), zap.Error(err))
		return nil
	}
	return err
}

func (s *settler) count(ctx context.Context, runs []*assembly.Run) {
	for _, r := range runs {
		if !r.Sent {
			s.telemetry.ReceiverStageflowRunsSettled.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(
				attribute.String(semconv.RunStatusKey, string(r.Status)), attribute.String(semconv.RunEndKey, string(r.EndKind)))))
		}
	}
}

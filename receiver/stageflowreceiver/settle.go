// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/assembly"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const (
	// sweepEvery is how often runs that are over are looked for.
	sweepEvery = 100 * time.Millisecond
	// runsPerBatch bounds the runs in one ConsumeTraces.
	runsPerBatch = 256
	// firstBackoff and maxBackoff space the attempts to hand on a batch that the pipeline refuses.
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 5 * time.Second
)

// settler hands the runs that are over to the traces pipeline. While the pipeline refuses, no further runs are
// taken out, so the number in flight grows to its bound and the inputs begin to say no.
type settler struct {
	assembler *assembly.Assembler
	next      consumer.Traces
	obs       *receiverhelper.ObsReport
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger
	now       func() time.Time

	cancel context.CancelFunc
	done   sync.WaitGroup
}

func newSettler(a *assembly.Assembler, next consumer.Traces, obs *receiverhelper.ObsReport, telemetry *metadata.TelemetryBuilder, logger *zap.Logger, now func() time.Time) *settler {
	return &settler{assembler: a, next: next, obs: obs, telemetry: telemetry, logger: logger, now: now}
}

func (s *settler) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.done.Go(func() {
		ticker := time.NewTicker(sweepEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				s.sweep(ctx, false)
			}
		}
	})
}

// stop ends the sweeping and hands on what has ended but still waited for stragglers.
func (s *settler) stop(ctx context.Context) {
	s.cancel()
	s.done.Wait()
	s.sweep(ctx, true)
}

// sweep hands on the runs that are over.
func (s *settler) sweep(ctx context.Context, last bool) {
	due := s.assembler.Due(s.now(), last)
	for len(due) > 0 {
		n := min(len(due), runsPerBatch)
		s.send(ctx, due[:n], last)
		due = due[n:]
	}
}

// send repeats a batch until the pipeline takes it, refuses it for good, or the receiver stops. A batch that was
// being repeated when the receiver stopped gets one more try.
func (s *settler) send(ctx context.Context, runs []*assembly.Run, last bool) {
	for backoff := firstBackoff; ; backoff = min(2*backoff, maxBackoff) {
		// What was passed on is not ours any more, so every try writes the spans anew.
		td := assembly.Spans(runs)
		count := td.SpanCount()
		if count == 0 {
			return
		}
		sending := context.WithoutCancel(ctx)
		if last {
			sending = ctx
		}
		op := s.obs.StartTracesOp(sending)
		err := s.next.ConsumeTraces(op, td)
		s.obs.EndTracesOp(op, "stageflow", count, err)
		if err == nil {
			s.count(ctx, runs)
			return
		}
		if consumererror.IsPermanent(err) || last || ctx.Err() != nil {
			s.logger.Error("runs are lost: the traces pipeline refused them", zap.Int("runs", len(runs)), zap.Error(err))
			return
		}
		s.logger.Warn("the traces pipeline refused runs that have ended, trying again", zap.Int("runs", len(runs)), zap.Duration("in", backoff), zap.Error(err))
		timer := time.NewTimer(backoff)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

func (s *settler) count(ctx context.Context, runs []*assembly.Run) {
	for _, r := range runs {
		if !r.Sent {
			s.telemetry.ReceiverStageflowRunsSettled.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(
				attribute.String(semconv.RunStatusKey, string(r.Status)), attribute.String(semconv.RunEndKey, string(r.EndKind)))))
		}
	}
}

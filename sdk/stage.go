// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// StageKind is what a stage is for. The framework knows the ones below; any other word will do.
type StageKind string

// The framework's kinds of stages (catalogue 2.6).
const (
	KindTransform StageKind = "transform"
	KindEnrich    StageKind = "enrich"
	KindRoute     StageKind = "route"
	KindGuard     StageKind = "guard"
	KindWork      StageKind = "work"
	KindAgent     StageKind = "agent"
)

// Stage runs f as one attempt of a stage of the run that ctx is in, and returns its error unchanged; only [Skip]
// becomes nil. A stage called again by the same name is the next attempt.
//
// The stage is cancelled when f returns [Cancel] or context.Canceled, wrapped or not; it fails with any other
// error, a panic included, which goes on.
//
// The context that f gets carries the ids of the span that the collector will make of the stage. Outside of [Run]
// there is nothing that a stage could belong to, so f is called and nothing is sent.
func Stage(ctx context.Context, name string, kind StageKind, f func(context.Context) error) error {
	above := scopeOf(ctx)
	if above == nil {
		return unlessSkipped(f(ctx))
	}
	r := above.run
	s := &scope{run: r, above: above, stage: name, attempt: r.nextAttempt(name)}
	s.span = semconv.StageSpanID(r.ref.id, name, s.attempt)
	inside := r.ref.under(context.WithValue(ctx, scopeKey{}, s), s.span)

	started := r.client.now()
	const start = "started" // the framework's word for running
	s.emit(inside, semconv.EventStageStarted, start, kind, started, nil)
	return unlessSkipped(protect(inside, f, func(err error) { s.end(inside, kind, started, err) }))
}

func unlessSkipped(err error) error {
	if _, skipped := skip(err); skipped {
		return nil
	}
	return err
}

func (s *scope) end(ctx context.Context, kind StageKind, started time.Time, err error) {
	at := s.run.client.now()
	status := semconv.StatusCompleted
	blamed := err
	var reason string
	var summary ErrorSummary
	if err != nil {
		summary = SummarizePipelineError(err)
		skipped, ok := skip(err)
		switch {
		case ok:
			status, reason, blamed = semconv.StatusSkipped, skipped.Reason, nil
		case isCancelled(ctx, err, summary):
			status, reason = semconv.StatusCancelled, cancelReason(ctx, err)
		default:
			status = semconv.StatusFailed
		}
	}
	s.run.stageEnded(s, status, blamed)
	s.emit(ctx, semconv.EventStageEnded, string(status), kind, at, func(d *data) {
		d.duration(max(at.Sub(started), 0))
		if status == semconv.StatusFailed {
			d.failure(err, summary)
		}
		d.text(fieldReason, reason)
	})
}

func (s *scope) emit(ctx context.Context, name semconv.EventName, status string, kind StageKind, at time.Time, more func(*data)) {
	d := newData()
	d.text(fieldRunID, s.run.ref.id)
	d.text(fieldStage, s.stage)
	d.text(fieldStatus, status)
	d.text(fieldKind, string(kind))
	d.count(fieldAttempt, s.attempt)
	if more != nil {
		more(d)
	}
	s.run.client.emit(ctx, name, semconv.StageType(s.stage, status), at, s.run.ref.traceparent, d)
}

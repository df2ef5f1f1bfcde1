// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"cmp"
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// scope is where in a run a context is: in a stage, or in the run itself.
type scope struct {
	run     *runScope
	above   *scope // the stage or run around this stage
	stage   string // "" in the run itself
	attempt int64
	span    semconv.SpanID

	// blamed is the latest error that a stage inside this one ended with; guarded by run.mu.
	blamed error
}

type scopeKey struct{}

func scopeOf(ctx context.Context) *scope {
	s, _ := ctx.Value(scopeKey{}).(*scope)
	return s
}

// ids are what a context carries beside its span and its baggage: set by the caller, activated, or come in with a
// request. They hold until the context enters another run.
type ids struct {
	run, request, org, correlation string

	in     *runScope // the run around, nil when there is none in this process
	client *Client   // its client, nil for the default

	// The span that was activated with them, and how the [TraceContext] named it.
	span           trace.SpanContext
	spanID, parent trace.SpanID
}

type idsKey struct{}

// idsOf are the ids that hold in ctx: those set in it, else those of its run.
func idsOf(ctx context.Context) ids {
	set, s := setIn(ctx)
	switch {
	case set != nil:
		return *set
	case s != nil:
		return ids{
			run:         s.run.ref.id,
			request:     s.run.ids.RequestID,
			org:         s.run.ids.OrgID,
			correlation: s.run.ids.CorrelationID,
			in:          s.run,
			client:      s.run.client,
		}
	}
	return ids{}
}

// setIn are the ids that were set in ctx since it entered the run that it is in, nil when none were.
func setIn(ctx context.Context) (*ids, *scope) {
	s := scopeOf(ctx)
	set, _ := ctx.Value(idsKey{}).(*ids)
	if set == nil || (s == nil && set.in != nil) || (s != nil && set.in != s.run) {
		return nil, s
	}
	return set, s
}

// with returns ctx with these ids. It leaves the run around unless the ids are of that run: what happens from now on
// belongs to the run that they name.
func (i ids) with(ctx context.Context) context.Context {
	s := scopeOf(ctx)
	if s != nil && s.run.ref.id != i.run {
		ctx, s = context.WithValue(ctx, scopeKey{}, (*scope)(nil)), nil
	}
	if i.in = nil; s != nil {
		i.in = s.run
	}
	return context.WithValue(ctx, idsKey{}, &i)
}

// RunID is the id of the run that ctx is in, "" outside of any. In a context that came from another process (see
// [TraceContext]) it is the run there.
func RunID(ctx context.Context) string {
	set, s := setIn(ctx)
	switch {
	case s != nil:
		return s.run.ref.id
	case set != nil:
		return set.run
	}
	return ""
}

// Attempt is the number of the stage's attempt that ctx is in, counted from 1; 0 outside of any stage.
func Attempt(ctx context.Context) int64 {
	if s := scopeOf(ctx); s != nil {
		return s.attempt
	}
	return 0
}

// inherit fills in what the caller did not say from around ctx: the parent is the run that ctx is in, here or in the
// process that ctx came from.
func (e *RunStarted) inherit(ctx context.Context) {
	around := idsOf(ctx)
	e.RequestID = cmp.Or(e.RequestID, around.request)
	e.OrgID = cmp.Or(e.OrgID, around.org)
	e.CorrelationID = cmp.Or(e.CorrelationID, around.correlation)
	s := scopeOf(ctx)
	if s != nil {
		e.UserID = cmp.Or(e.UserID, s.run.ids.UserID)
		e.SessionID = cmp.Or(e.SessionID, s.run.ids.SessionID)
	}
	// A caller may name the run that it wants started; that run is not its own child.
	if e.ParentRunID != "" || around.run == e.RunID {
		return
	}
	e.ParentRunID = around.run
	if s != nil {
		e.ParentStage = s.stage
	}
}

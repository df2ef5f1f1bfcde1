// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// runRef is what every event of a run needs to know of it: its id, its trace, and the span above it. It never
// changes, so all events of a run say the same.
type runRef struct {
	id          string
	span        semconv.SpanID // that of the run itself
	started     time.Time      // zero when the start was not seen
	trace       trace.TraceID
	traceparent string // "" for a run without a span above it
	flags       trace.TraceFlags
	state       trace.TraceState
}

// newRunRef places a run in the trace: under the stage that ctx is in (a child run), else under the caller's
// span, else in the trace that ctx names without a span, else in a trace of its own.
func newRunRef(ctx context.Context, runID string, started time.Time) *runRef {
	above := trace.SpanContextFromContext(ctx)
	if s := scopeOf(ctx); s != nil {
		above = s.run.ref.spanContext(s.span)
	}
	r := &runRef{id: runID, span: semconv.RunSpanID(runID), started: started}
	if above.HasTraceID() {
		r.trace = above.TraceID()
		r.flags, r.state = above.TraceFlags(), above.TraceState()
		// A trace id alone is no parent, and a run is not above itself; the records still tell the trace.
		if parent := semconv.SpanID(above.SpanID()); above.HasSpanID() && parent != r.span {
			r.traceparent = semconv.FormatTraceParent(semconv.TraceID(r.trace), parent)
		}
		return r
	}
	r.trace = trace.TraceID(semconv.RunTraceID(runID))
	// The receiver's spans are always there, so spans below them are worth keeping.
	r.flags = trace.FlagsSampled
	return r
}

func (r *runRef) spanContext(span semconv.SpanID) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    r.trace,
		SpanID:     trace.SpanID(span),
		TraceFlags: r.flags,
		TraceState: r.state,
		Remote:     true,
	})
}

// under returns ctx with the span that the receiver will make, so that the caller's spans and logs hang under it.
func (r *runRef) under(ctx context.Context, span semconv.SpanID) context.Context {
	return trace.ContextWithRemoteSpanContext(ctx, r.spanContext(span))
}

// known finds a run that this client has seen start, in ctx or by its id, or that ctx came from.
func (c *Client) known(ctx context.Context, runID string) *runRef {
	if s := scopeOf(ctx); s != nil && (runID == "" || s.run.ref.id == runID) {
		return s.run.ref
	}
	if runID == "" {
		return nil
	}
	if r, ok := c.runs.get(runID); ok {
		return r
	}
	return elsewhere(ctx, runID)
}

// elsewhere is the run of another process that ctx came from; nil when it is not that run, or of no known trace. What
// is above that run, ctx does not tell.
func elsewhere(ctx context.Context, runID string) *runRef {
	from := idsOf(ctx)
	if from.run != runID || !from.span.HasTraceID() {
		return nil
	}
	return &runRef{id: runID, span: semconv.RunSpanID(runID), trace: from.span.TraceID(), flags: from.span.TraceFlags(), state: from.span.TraceState()}
}

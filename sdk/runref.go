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
// span, else in a trace of its own.
func newRunRef(ctx context.Context, runID string, started time.Time) *runRef {
	above := trace.SpanContextFromContext(ctx)
	if s := scopeOf(ctx); s != nil {
		above = s.run.ref.spanContext(s.span)
	}
	r := &runRef{id: runID, span: semconv.RunSpanID(runID), started: started}
	if above.IsValid() {
		r.trace = above.TraceID()
		r.flags, r.state = above.TraceFlags(), above.TraceState()
		r.traceparent = semconv.FormatTraceParent(semconv.TraceID(r.trace), semconv.SpanID(above.SpanID()))
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

// known finds a run that this client has seen start, in ctx or by its id.
func (c *Client) known(ctx context.Context, runID string) *runRef {
	if s := scopeOf(ctx); s != nil && (runID == "" || s.run.ref.id == runID) {
		return s.run.ref
	}
	if runID == "" {
		return nil
	}
	r, _ := c.runs.get(runID)
	return r
}

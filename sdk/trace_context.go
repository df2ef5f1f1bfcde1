// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"encoding/hex"
	"maps"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// maxID bounds the ids that are taken from another process, in bytes; a longer one is no id of ours.
const maxID = 256

// TraceContext is where in a trace and in a pipeline something happens, in a form that can leave the process: as
// headers ([TraceContext.ToHeaders]), or in a message ([TraceContext.ToMap], or its JSON). Ids are lower-case hex, ""
// when absent; the others are opaque. What is invalid counts as absent wherever a TraceContext is used.
//
// What comes from another process is that process's word: strip these headers where callers are not trusted.
type TraceContext struct {
	TraceID string `json:"trace_id,omitempty"`
	// SpanID is the span that was current. In what was read from headers it is "": the sender's span is
	// ParentSpanID, and nothing here has begun under it.
	SpanID       string `json:"span_id,omitempty"`
	ParentSpanID string `json:"parent_span_id,omitempty"`
	// Sampled says that the trace is kept.
	Sampled bool `json:"sampled,omitempty"`
	// TraceState is the W3C tracestate.
	TraceState string `json:"trace_state,omitempty"`

	CorrelationID string `json:"correlation_id,omitempty"`
	PipelineRunID string `json:"pipeline_run_id,omitempty"`
	RequestID     string `json:"request_id,omitempty"`
	OrgID         string `json:"org_id,omitempty"`

	// Baggage is at most 64 members and 8192 bytes as a W3C header; the last in the order of their names go first.
	Baggage map[string]string `json:"baggage,omitempty"`

	// CreatedAt is when the context was captured; zero when unknown, as in what was read from headers.
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// CaptureTraceContext is the trace context of ctx (API: TraceContext.capture): the current span, which in a [Stage]
// is the one that the collector will make of it unless the application began its own, OpenTelemetry's baggage, and the
// ids of the run.
func CaptureTraceContext(ctx context.Context) TraceContext {
	tc := placeOf(ctx)
	tc.Baggage = baggageMap(sortedMembers(baggage.FromContext(ctx).Members()))
	tc.CreatedAt = time.Now().UTC().Round(0)
	return tc
}

// placeOf is the trace context of ctx without its baggage and time.
func placeOf(ctx context.Context) TraceContext {
	here := idsOf(ctx)
	tc := TraceContext{
		CorrelationID: here.correlation,
		PipelineRunID: here.run,
		RequestID:     here.request,
		OrgID:         here.org,
	}
	sc := trace.SpanContextFromContext(ctx)
	if !sc.HasTraceID() {
		return tc
	}
	tc.TraceID, tc.Sampled, tc.TraceState = sc.TraceID().String(), sc.IsSampled(), sc.TraceState().String()
	span, parent := here.spanID, here.parent
	if !sameSpan(sc, here.span) {
		span, parent = sc.SpanID(), parentOf(ctx, sc)
	}
	tc.SpanID, tc.ParentSpanID = hexOrNone(span), hexOrNone(parent)
	return tc
}

// parentOf is the span above the current one, zero when that is not known.
func parentOf(ctx context.Context, current trace.SpanContext) trace.SpanID {
	// The SDK's own spans know.
	if s, ok := trace.SpanFromContext(ctx).(interface{ Parent() trace.SpanContext }); ok {
		return s.Parent().SpanID()
	}
	s := scopeOf(ctx)
	if s == nil || trace.SpanID(s.span) != current.SpanID() {
		return trace.SpanID{}
	}
	if s.above != nil {
		return trace.SpanID(s.above.span)
	}
	_, parent, _ := semconv.ParseTraceParent(s.run.ref.traceparent)
	return trace.SpanID(parent)
}

// Activate returns ctx with this trace context in place of its own (API: TraceContext.activate): captured again it is
// the same but for its time, spans and runs that start in it hang under its span, and runs are children of its run.
// What the TraceContext does not say is cleared, so an empty one leaves ctx's run, trace, baggage and ids behind.
//
// The stages of a run are counted where it runs, so [Stage] in a run of another process sends nothing; start a [Run].
func (tc TraceContext) Activate(ctx context.Context) context.Context {
	tc, members := tc.valid()
	sc := tc.spanContext()
	set := ids{
		run:         tc.PipelineRunID,
		request:     tc.RequestID,
		org:         tc.OrgID,
		correlation: tc.CorrelationID,
		client:      idsOf(ctx).client,
		span:        sc,
		spanID:      spanIDOf(tc.SpanID),
		parent:      spanIDOf(tc.ParentSpanID),
	}
	// What ctx has already may be more than its ids: a span that records, baggage with properties.
	if now := trace.SpanContextFromContext(ctx); !sameSpan(now, sc) || now.IsSampled() != sc.IsSampled() ||
		now.TraceState().String() != tc.TraceState {
		ctx = trace.ContextWithRemoteSpanContext(ctx, sc)
	}
	if !maps.Equal(baggageMap(baggage.FromContext(ctx).Members()), tc.Baggage) {
		b, _ := baggage.New(members...) // within its limits, so there is no error
		ctx = baggage.ContextWithBaggage(ctx, b)
	}
	return set.with(ctx)
}

// spanContext is what runs and spans hang under: the span, else the one above it, else the trace alone.
func (tc TraceContext) spanContext() trace.SpanContext {
	cfg := trace.SpanContextConfig{SpanID: spanIDOf(tc.SpanID), Remote: true}
	id, ok := semconv.ParseTraceID(tc.TraceID)
	if !ok {
		return trace.SpanContext{}
	}
	cfg.TraceID = trace.TraceID(id)
	if !cfg.SpanID.IsValid() {
		cfg.SpanID = spanIDOf(tc.ParentSpanID)
	}
	if tc.Sampled {
		cfg.TraceFlags = trace.FlagsSampled
	}
	cfg.TraceState, _ = trace.ParseTraceState(tc.TraceState)
	return trace.NewSpanContext(cfg)
}

// valid is tc without its invalid parts. The members are its baggage.
func (tc TraceContext) valid() (TraceContext, []baggage.Member) {
	if _, ok := semconv.ParseTraceID(tc.TraceID); !ok {
		tc.TraceID, tc.SpanID, tc.ParentSpanID, tc.TraceState, tc.Sampled = "", "", "", "", false
	}
	tc.SpanID, tc.ParentSpanID = hexOrNone(spanIDOf(tc.SpanID)), hexOrNone(spanIDOf(tc.ParentSpanID))
	state, _ := trace.ParseTraceState(tc.TraceState)
	tc.TraceState = state.String()
	for _, id := range [...]*string{&tc.CorrelationID, &tc.PipelineRunID, &tc.RequestID, &tc.OrgID} {
		if len(*id) > maxID || !utf8.ValidString(*id) {
			*id = ""
		}
	}
	members := membersOf(tc.Baggage)
	tc.Baggage = baggageMap(members)
	return tc, members
}

func sameSpan(a, b trace.SpanContext) bool {
	return a.TraceID() == b.TraceID() && a.SpanID() == b.SpanID()
}

// spanIDOf reads a span id as W3C trace context writes it, zero for anything else.
func spanIDOf(s string) (id trace.SpanID) {
	if len(s) != 2*len(id) {
		return id
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return id
		}
	}
	_, _ = hex.Decode(id[:], []byte(s))
	return id
}

func hexOrNone(id trace.SpanID) string {
	if !id.IsValid() {
		return ""
	}
	return id.String()
}

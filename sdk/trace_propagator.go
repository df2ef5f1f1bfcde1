// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// NewPropagator carries runs, and not only traces, from process to process: a run that starts in the server is a child
// of the run that the client's request was made in. Give it to otel.SetTextMapPropagator, and OpenTelemetry's
// instrumentation of HTTP, gRPC and queues does the rest.
//
// The headers are those of [TraceContext.ToHeaders]. They include what OpenTelemetry's own TraceContext and Baggage
// propagators write, so it stands in for both.
func NewPropagator() propagation.TextMapPropagator { return propagator{} }

type propagator struct{}

// Inject writes what ctx carries.
func (propagator) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	members := sortedMembers(baggage.FromContext(ctx).Members())
	writeHeaders(carrier.Set, trace.SpanContextFromContext(ctx), idsOf(ctx), members)
}

// Extract returns ctx with what the carrier tells. What it does not tell stays as it is in ctx, unlike in
// [TraceContext.Activate], as other propagators may have read the rest.
func (propagator) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	in := readHeaders(carrierHeaders(carrier))
	if in.span.HasTraceID() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, in.span)
	}
	if len(in.members) > 0 {
		b, _ := baggage.New(in.members...) // within its limits, so there is no error
		ctx = baggage.ContextWithBaggage(ctx, b)
	}
	told := in.ids.run != "" || in.ids.request != "" || in.ids.org != "" || in.ids.correlation != ""
	if !told && !in.span.HasTraceID() {
		return ctx
	}
	set := idsOf(ctx)
	set.run = cmp.Or(in.ids.run, set.run)
	set.request = cmp.Or(in.ids.request, set.request)
	set.org = cmp.Or(in.ids.org, set.org)
	set.correlation = cmp.Or(in.ids.correlation, set.correlation)
	if in.span.HasTraceID() {
		set.span, set.spanID, set.parent = in.span, trace.SpanID{}, in.span.SpanID()
	}
	return set.with(ctx)
}

// Fields are the headers that Inject may write; those of baggage in the framework's form have no fixed names.
func (propagator) Fields() []string { return slices.Clone(headerNames[:]) }

// carrierHeaders are the headers in a carrier that are read here, by their lower-case names. Several headers of one name are
// one list, where the header is a list.
func carrierHeaders(carrier propagation.TextMapCarrier) map[string]string {
	headers := map[string]string{}
	for _, name := range carrier.Keys() {
		headers[name] = carrier.Get(name)
	}
	out := knownHeaders(headers)
	for _, name := range headerNames {
		value := carrier.Get(name)
		if list, ok := carrier.(propagation.ValuesGetter); ok && (name == headerBaggage || name == headerTraceState) {
			value = strings.Join(list.Values(name), ",")
		}
		if value != "" {
			out[name] = value
		}
	}
	return out
}

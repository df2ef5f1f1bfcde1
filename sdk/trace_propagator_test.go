// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

func TestPropagatorCarriesWhatATraceContextHolds(t *testing.T) {
	p := NewPropagator()
	sender := fullContext().Activate(context.Background())
	for _, carrier := range []propagation.TextMapCarrier{propagation.MapCarrier{}, propagation.HeaderCarrier{}} {
		p.Inject(sender, carrier)
		assert.Equal(t, fullContext(), capture(p.Extract(context.Background(), carrier)), "%T", carrier)
		for _, field := range p.Fields() {
			assert.NotEmpty(t, carrier.Get(field), field)
		}
	}

	headers := propagation.MapCarrier{}
	p.Inject(sender, headers)
	assert.Equal(t, fullContext().ToHeaders(), map[string]string(headers), "the same headers")
}

func TestPropagatorInjectsNothingOfNothing(t *testing.T) {
	carrier := propagation.MapCarrier{}
	NewPropagator().Inject(context.Background(), carrier)
	assert.Empty(t, carrier)
}

// Another propagator may have read the rest.
func TestPropagatorExtractLeavesWhatTheCarrierDoesNotTell(t *testing.T) {
	p := NewPropagator()
	ctx := fullContext().Activate(context.Background())
	assert.Equal(t, ctx, p.Extract(ctx, propagation.MapCarrier{"content-type": "text/plain"}))
	assert.Equal(t, ctx, p.Extract(ctx, propagation.MapCarrier{"traceparent": "garbage", "x-baggage-": "x"}))

	want := fullContext()
	want.RequestID = "r-2"
	assert.Equal(t, want, capture(p.Extract(ctx, propagation.MapCarrier{"x-request-id": "r-2"})))
	want.TraceID, want.ParentSpanID, want.Sampled, want.TraceState = "aa010000000000000000000000000000", "bb02000000000000", false, ""
	assert.Equal(t, want, capture(p.Extract(ctx, propagation.MapCarrier{
		"x-request-id": "r-2", "traceparent": "00-aa010000000000000000000000000000-bb02000000000000-00",
	})))
}

// It stands in for OpenTelemetry's own propagators, so what those carry gets through it.
func TestPropagatorLosesNothingOfW3C(t *testing.T) {
	p := NewPropagator()
	in := propagation.HeaderCarrier(http.Header{
		"Traceparent": {someParent[:53] + "03"}, "Tracestate": {"a=1", "b=2"}, "Baggage": {"k=v;p=1", "n=%C3%AB"},
	})
	ctx := p.Extract(context.Background(), in)
	sc := trace.SpanContextFromContext(ctx)
	assert.True(t, sc.IsRemote())
	assert.Equal(t, trace.FlagsSampled|trace.FlagsRandom, sc.TraceFlags())
	require.Len(t, baggage.FromContext(ctx).Member("k").Properties(), 1)

	out := propagation.HeaderCarrier{}
	p.Inject(ctx, out)
	assert.Equal(t, someParent[:53]+"03", out.Get("traceparent"))
	assert.Equal(t, "a=1,b=2", out.Get("tracestate"))
	assert.Equal(t, "k=v;p=1,n=%C3%AB", out.Get("baggage"))
}

func TestPropagatorReadsMapsInAnyCase(t *testing.T) {
	ctx := NewPropagator().Extract(context.Background(), propagation.MapCarrier{"Traceparent": someParent, "X-Org-ID": "o"})
	assert.Equal(t, TraceContext{TraceID: someTrace, ParentSpanID: someSpan, Sampled: true, OrgID: "o"}, capture(ctx))
}

// A consumer inside a run of its own may read a message of another run.
func TestPropagatorExtractInsideARun(t *testing.T) {
	c, s, _ := newTestClient(t)
	_ = Run(context.Background(), "consumer", func(ctx context.Context) error {
		ctx = NewPropagator().Extract(ctx, propagation.MapCarrier(fullContext().ToHeaders()))
		assert.Equal(t, remoteRun, RunID(ctx))
		return Run(ctx, "message", func(context.Context) error { return nil }, WithRunID("message"))
	}, WithClient(c), WithRunID("consumer"))
	for _, e := range s.all() {
		if e.data[fieldRunID] == "message" {
			assert.Equal(t, remoteRun, e.data[fieldParentRunID])
			assert.Equal(t, someParent, e.traceparent)
			return
		}
	}
	t.Fatal("the run was not sent, or not by the client of the run around")
}

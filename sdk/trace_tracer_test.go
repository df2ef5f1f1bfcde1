// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// withProvider installs a tracer provider for the test. OpenTelemetry's placeholder delegates for ever to the first
// real one, so it is not put back: a no-op is.
func withProvider(t *testing.T, p trace.TracerProvider) {
	t.Helper()
	otel.SetTracerProvider(p)
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
}

func recording(t *testing.T, opts ...sdktrace.TracerProviderOption) (*sdktrace.TracerProvider, *tracetest.SpanRecorder) {
	t.Helper()
	r := tracetest.NewSpanRecorder()
	return sdktrace.NewTracerProvider(append(opts, sdktrace.WithSpanProcessor(r))...), r
}

// inStage calls f in an attempt of a stage of a run with known ids.
func inStage(t *testing.T, f func(ctx context.Context)) {
	t.Helper()
	c, _, _ := newTestClient(t)
	require.NoError(t, Run(context.Background(), "p", func(ctx context.Context) error {
		return Stage(ctx, "llm", KindAgent, func(ctx context.Context) error {
			f(ctx)
			return nil
		})
	}, WithClient(c), WithRunID(remoteRun), WithCorrelationID("c")))
}

var stageAttributes = []attribute.KeyValue{
	attribute.String(semconv.RunIDKey, remoteRun),
	attribute.String(semconv.StageNameKey, "llm"),
	attribute.Int64(semconv.StageAttemptKey, 1),
	attribute.String(semconv.CorrelationIDKey, "c"),
}

func TestTracerSpansHangUnderTheStage(t *testing.T) {
	p, recorded := recording(t)
	withProvider(t, p)
	inStage(t, func(ctx context.Context) {
		ctx, span := NewTracer("").Start(ctx, "own", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			attribute.String("k", "v"), attribute.String(semconv.CorrelationIDKey, "the caller's")))
		assert.Equal(t, span, trace.SpanFromContext(ctx))
		span.End()
	})
	require.Len(t, recorded.Ended(), 1)
	span := recorded.Ended()[0]
	assert.Equal(t, "stageflow", span.InstrumentationScope().Name)
	assert.Equal(t, trace.SpanKindClient, span.SpanKind())
	assert.Equal(t, semconv.StageSpanID(remoteRun, "llm", 1).String(), span.Parent().SpanID().String())
	want := append([]attribute.KeyValue{attribute.String("k", "v")}, stageAttributes[:3]...)
	assert.ElementsMatch(t, append(want, attribute.String(semconv.CorrelationIDKey, "the caller's")), span.Attributes())
}

func TestTracerOutsideOfARun(t *testing.T) {
	p, recorded := recording(t)
	withProvider(t, p)
	for _, ctx := range []context.Context{
		context.Background(), SetCorrelationID(context.Background(), "c"), fullContext().Activate(context.Background()),
	} {
		_, span := NewTracer("app").Start(ctx, "own")
		span.End()
	}
	spans := recorded.Ended()
	assert.Empty(t, spans[0].Attributes())
	assert.Equal(t, []attribute.KeyValue{attribute.String(semconv.CorrelationIDKey, "c")}, spans[1].Attributes())
	assert.Equal(t, []attribute.KeyValue{
		attribute.String(semconv.RunIDKey, remoteRun), attribute.String(semconv.CorrelationIDKey, "c-1"),
	}, spans[2].Attributes(), "a run in another process")
	assert.Equal(t, someSpan, spans[2].Parent().SpanID().String())
}

// Without an SDK spans do nothing, but ids go on.
func TestTracerWithoutOTel(t *testing.T) {
	withProvider(t, noop.NewTracerProvider())
	assert.False(t, OTelAvailable())
	inStage(t, func(ctx context.Context) {
		before := capture(ctx)
		ctx, span := NewTracer("").Start(ctx, "own")
		span.SetAttributes(attribute.Bool("k", true))
		span.End()
		assert.False(t, span.IsRecording())
		assert.Equal(t, before, capture(ctx))
	})
}

// Only before any test has installed a provider is there OpenTelemetry's placeholder to be seen.
var availableAtStart = OTelAvailable()

func TestOTelAvailable(t *testing.T) {
	assert.False(t, availableAtStart, "nobody had installed one")

	p, recorded := recording(t)
	withProvider(t, p)
	assert.True(t, OTelAvailable())
	assert.Empty(t, recorded.Started(), "no span is started to find out")
	withProvider(t, noop.TracerProvider{})
	assert.False(t, OTelAvailable())
	withProvider(t, wrapped{p})
	assert.True(t, OTelAvailable(), "other vendors' providers count")
}

type wrapped struct{ trace.TracerProvider }

func TestTracerInjectAndExtractContext(t *testing.T) {
	otel.SetTextMapPropagator(foreign{})
	t.Cleanup(func() { otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator()) })
	tracer := NewTracer("")
	carrier := map[string]string{"content-type": "text/plain"}
	tracer.InjectContext(fullContext().Activate(context.Background()), carrier)
	assert.Equal(t, fullContext(), tracer.ExtractContext(carrier))
	assert.Equal(t, "text/plain", carrier["content-type"])
	assert.Equal(t, "1", carrier["x-foreign"], "the application's propagator has its say")

	tracer.InjectContext(context.Background(), nil)
	assert.Empty(t, tracer.ExtractContext(nil))
}

type foreign struct{ propagation.TraceContext }

func (foreign) Inject(_ context.Context, c propagation.TextMapCarrier) { c.Set("x-foreign", "1") }

func TestSpanProcessorReachesEverySpan(t *testing.T) {
	p, recorded := recording(t, sdktrace.WithSpanProcessor(NewSpanProcessor()))
	inStage(t, func(ctx context.Context) {
		_, bare := p.Tracer("a library").Start(ctx, "bare")
		bare.End()
		_, given := p.Tracer("a library").Start(ctx, "given", trace.WithAttributes(attribute.String(semconv.RunIDKey, "the caller's")))
		given.End()
	})
	_, outside := p.Tracer("a library").Start(context.Background(), "outside")
	outside.End()

	spans := recorded.Ended()
	require.Len(t, spans, 3)
	assert.ElementsMatch(t, stageAttributes, spans[0].Attributes())
	assert.ElementsMatch(t, append([]attribute.KeyValue{attribute.String(semconv.RunIDKey, "the caller's")}, stageAttributes[1:]...), spans[1].Attributes())
	assert.Empty(t, spans[2].Attributes())
	assert.NoError(t, p.ForceFlush(context.Background()))
	assert.NoError(t, p.Shutdown(context.Background()))
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"cmp"
	"context"
	"maps"
	"reflect"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// defaultTracerName is the framework's own.
const defaultTracerName = "stageflow"

// Tracer starts spans of the application's own (API: StageflowTracer). It is a thin layer over OpenTelemetry, for
// applications that may run without: then the spans are no-ops, and trace, run and correlation ids are carried on
// all the same. Applications that use OpenTelemetry directly lose nothing; see [NewSpanProcessor].
type Tracer struct{ name string }

// NewTracer returns a tracer of that name; "" means "stageflow".
func NewTracer(name string) *Tracer { return &Tracer{name: cmp.Or(name, defaultTracerName)} }

// Start starts a span under the current one, in a [Stage] under the span that the collector will make of it (API:
// start_span). The span says which run, stage and attempt it is of; attributes of the caller's win.
func (t *Tracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	if attrs := spanAttributes(ctx); len(attrs) > 0 {
		opts = append([]trace.SpanStartOption{trace.WithAttributes(attrs...)}, opts...)
	}
	return otel.GetTracerProvider().Tracer(t.name).Start(ctx, name, opts...)
}

// InjectContext writes the trace context of ctx into carrier as headers, and what the application's global propagator
// writes beside them (API: inject_context).
func (t *Tracer) InjectContext(ctx context.Context, carrier map[string]string) {
	if carrier == nil {
		return
	}
	otel.GetTextMapPropagator().Inject(ctx, propagation.MapCarrier(carrier))
	maps.Copy(carrier, CaptureTraceContext(ctx).ToHeaders())
}

// ExtractContext is [TraceContextFromHeaders] (API: extract_context).
func (t *Tracer) ExtractContext(carrier map[string]string) TraceContext {
	return TraceContextFromHeaders(carrier)
}

// OTelAvailable tells whether spans of the application's own are recorded: whether a tracer provider was installed by
// otel.SetTracerProvider that is not a no-op (API: OTEL_AVAILABLE). It starts no span to find out.
func OTelAvailable() bool {
	t := reflect.TypeOf(otel.GetTracerProvider())
	if t == nil {
		return false
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	// OpenTelemetry has no question for this. The provider before any is installed is of its own internal package.
	switch path, _ := strings.CutPrefix(t.PkgPath(), "go.opentelemetry.io/otel/"); path {
	case "internal/global", "trace/noop", "trace":
		return false
	}
	return true
}

// spanAttributes say where in a pipeline ctx is, nil when nowhere.
func spanAttributes(ctx context.Context) []attribute.KeyValue {
	run, correlation := RunID(ctx), GetCorrelationID(ctx)
	if run == "" && correlation == "" {
		return nil
	}
	attrs := make([]attribute.KeyValue, 0, 4)
	if run != "" {
		attrs = append(attrs, attribute.String(semconv.RunIDKey, text(run)))
	}
	if s := scopeOf(ctx); s != nil && s.stage != "" {
		attrs = append(attrs, attribute.String(semconv.StageNameKey, text(s.stage)),
			attribute.Int64(semconv.StageAttemptKey, s.attempt))
	}
	if correlation != "" {
		attrs = append(attrs, attribute.String(semconv.CorrelationIDKey, text(correlation)))
	}
	return attrs
}

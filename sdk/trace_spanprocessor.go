// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// NewSpanProcessor puts the run, the stage, its attempt and the correlation id on every span that starts in them,
// whoever starts it. Give it to the application's tracer provider, before the processor that exports:
//
//	sdktrace.NewTracerProvider(
//		sdktrace.WithSpanProcessor(stageflow.NewSpanProcessor()),
//		sdktrace.WithBatcher(exporter),
//	)
func NewSpanProcessor() sdktrace.SpanProcessor { return spanProcessor{} }

type spanProcessor struct{}

// OnStart adds the attributes that the span does not have yet.
func (spanProcessor) OnStart(ctx context.Context, span sdktrace.ReadWriteSpan) {
	attrs := spanAttributes(ctx)
	if len(attrs) == 0 {
		return
	}
	if given := span.Attributes(); len(given) > 0 {
		attrs = slices.DeleteFunc(attrs, func(a attribute.KeyValue) bool {
			return slices.ContainsFunc(given, func(g attribute.KeyValue) bool { return g.Key == a.Key })
		})
	}
	span.SetAttributes(attrs...)
}

// OnEnd does nothing.
func (spanProcessor) OnEnd(sdktrace.ReadOnlySpan) {}

// Shutdown does nothing.
func (spanProcessor) Shutdown(context.Context) error { return nil }

// ForceFlush does nothing.
func (spanProcessor) ForceFlush(context.Context) error { return nil }

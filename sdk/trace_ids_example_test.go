// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace/noop"

	stageflow "github.com/stageflow/otelcol-stageflow/sdk"
)

func ExampleSetCorrelationID() {
	ctx := stageflow.SetCorrelationID(context.Background(), "order-12")
	fmt.Println(stageflow.GetCorrelationID(ctx))
	fmt.Println(stageflow.TraceContextDict(ctx))

	_, same := stageflow.EnsureCorrelationID(ctx)
	ctx, made := stageflow.EnsureCorrelationID(stageflow.ClearCorrelationID(ctx))
	fmt.Println(same, len(made), stageflow.GetCorrelationID(ctx) == made)
	// Output:
	// order-12
	// map[correlation_id:order-12]
	// order-12 36 true
}

func ExampleTracer() {
	tracer := stageflow.NewTracer("shop")
	_ = stageflow.Run(context.Background(), "order", func(ctx context.Context) error {
		return stageflow.Stage(ctx, "charge", stageflow.KindWork, func(ctx context.Context) error {
			ctx, span := tracer.Start(ctx, "POST /charges") // hangs under the stage
			defer span.End()

			headers := map[string]string{}
			tracer.InjectContext(ctx, headers)
			received := tracer.ExtractContext(headers) // in the other process
			fmt.Println(received.PipelineRunID, received.ParentSpanID == span.SpanContext().SpanID().String())
			return nil
		})
	}, stageflow.WithRunID("order-12"))
	// Output:
	// order-12 true
}

func ExampleOTelAvailable() {
	fmt.Println(stageflow.OTelAvailable())
	otel.SetTracerProvider(sdktrace.NewTracerProvider()) // an OpenTelemetry SDK
	defer otel.SetTracerProvider(noop.NewTracerProvider())
	fmt.Println(stageflow.OTelAvailable())
	// Output:
	// false
	// true
}

func ExampleTraceContext() {
	_ = stageflow.Run(context.Background(), "order", func(ctx context.Context) error {
		captured := stageflow.CaptureTraceContext(ctx)
		headers := captured.ToHeaders()
		for _, name := range []string{"traceparent", "x-pipeline-run-id", "x-correlation-id"} {
			fmt.Println(name+":", headers[name])
		}

		// In another process, or in a worker that outlives the run:
		worker := stageflow.TraceContextFromHeaders(headers).Activate(context.Background())
		fmt.Println(stageflow.RunID(worker), stageflow.GetCorrelationID(worker))
		return nil
	}, stageflow.WithRunID("0190d0b2-7a3c-7000-8000-00000000abcd"), stageflow.WithCorrelationID("order-12"))
	// Output:
	// traceparent: 00-0190d0b27a3c7000800000000000abcd-bffab7b43fa5d06e-01
	// x-pipeline-run-id: 0190d0b2-7a3c-7000-8000-00000000abcd
	// x-correlation-id: order-12
	// 0190d0b2-7a3c-7000-8000-00000000abcd order-12
}

func ExampleNewSlogHandler() {
	withoutTime := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "trace_id" || a.Key == "span_id" {
			return slog.Attr{}
		}
		return a
	}}
	log := slog.New(stageflow.NewSlogHandler(slog.NewTextHandler(os.Stdout, withoutTime)))
	_ = stageflow.Run(context.Background(), "order", func(ctx context.Context) error {
		return stageflow.Stage(ctx, "charge", stageflow.KindWork, func(ctx context.Context) error {
			log.InfoContext(ctx, "charged", "cents", 1200)
			return nil
		})
	}, stageflow.WithRunID("order-12"))
	// Output:
	// level=INFO msg=charged cents=1200 stageflow.run.id=order-12 stageflow.stage.name=charge stageflow.stage.attempt=1
}

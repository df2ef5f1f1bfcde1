// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// throwAway is an exporter without a network.
type throwAway struct{}

func (throwAway) Export(context.Context, []sdklog.Record) error { return nil }
func (throwAway) ForceFlush(context.Context) error              { return nil }
func (throwAway) Shutdown(context.Context) error                { return nil }

type throwAwaySpans struct{}

func (throwAwaySpans) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (throwAwaySpans) Shutdown(context.Context) error                             { return nil }

// silence is a collector that takes connections and never answers.
type silence struct{ throwAway }

func (silence) Export(ctx context.Context, _ []sdklog.Record) error {
	<-ctx.Done()
	return ctx.Err()
}

// benchClient is wired as by Setup, up to the network.
func benchClient(b *testing.B, network sdklog.Exporter) *Client {
	b.Helper()
	guarded := newGuardedExporter(network)
	guarded.report = func(int64, int64) {}
	provider := sdklog.NewLoggerProvider(
		sdklog.WithProcessor(sdklog.NewBatchProcessor(guarded, batching()...)),
		sdklog.WithAllowKeyDuplication(),
	)
	b.Cleanup(func() {
		guarded.end()
		_ = provider.Shutdown(context.Background())
	})
	return NewClient(provider)
}

// turns runs ours and the peer's by turns in rounds of a hundred and reports what each takes, and how many times longer
// ours does.
func turns(b *testing.B, ours, peers func()) {
	b.Helper()
	const round = 100
	var took [2]time.Duration
	n := 0
	for b.Loop() {
		for turn := range 2 { // neither always comes second
			which := (n + turn) % 2
			run := []func(){ours, peers}[which]
			begin := time.Now()
			for range round {
				run()
			}
			took[which] += time.Since(begin)
		}
		n++
	}
	per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(n*round) }
	b.ReportMetric(per(took[0]), "ns")
	b.ReportMetric(per(took[1]), "peer-ns")
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "times")
	b.ReportMetric(testing.AllocsPerRun(round, ours), "allocs")
	b.ReportMetric(testing.AllocsPerRun(round, peers), "peer-allocs")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkEvent is the end of a run, against the same record written straight to the same log pipeline.
func BenchmarkEvent(b *testing.B) {
	ctx := b.Context()
	c := benchClient(b, throwAway{})
	l := NewPipelineRunLogger(c)
	l.LogRunStarted(ctx, RunStarted{RunID: runID})
	e := RunCompleted{RunID: runID, PipelineName: "chat", Duration: 12345678}
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	turns(b, func() {
		l.LogRunCompleted(ctx, e)
	}, func() {
		var r log.Record
		now := time.Now()
		r.SetEventName(string(semconv.EventRunEnded))
		r.SetTimestamp(now)
		r.SetObservedTimestamp(now)
		r.AddAttributes(
			attribute.String(semconv.EventTypeKey, semconv.TypeRunCompleted),
			attribute.Map(semconv.EventDataKey,
				attribute.String(fieldRunID, e.RunID),
				attribute.String(fieldPipelineName, e.PipelineName),
				attribute.Int64(fieldDuration, e.Duration.Milliseconds()),
				attribute.String(fieldStatus, "completed"),
			),
			attribute.String(semconv.EventSinkIDKey, c.sinkID),
			attribute.Int64(semconv.EventSeqKey, 7),
		)
		c.logger.Emit(trace.ContextWithSpanContext(ctx, span), r)
	})
}

// BenchmarkRun is a run of one stage with one call, six events, against three nested spans of OpenTelemetry with the same
// attributes, batched alike.
func BenchmarkRun(b *testing.B) {
	ctx := b.Context()
	c := benchClient(b, throwAway{})
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(throwAwaySpans{}, sdktrace.WithMaxExportBatchSize(maxBatch)))
	b.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	tracer := provider.Tracer("bench")
	turns(b, func() {
		_ = Run(ctx, "chat", func(ctx context.Context) error {
			return Stage(ctx, "llm", KindAgent, func(ctx context.Context) error {
				return Call(ctx, "chat", "openai", "gpt", func(context.Context) (Usage, error) {
					return Usage{InputTokens: 10, OutputTokens: 20}, nil
				})
			})
		}, WithClient(c))
	}, func() {
		ctx, run := tracer.Start(ctx, "invoke_workflow chat", trace.WithAttributes(
			attribute.String(semconv.RunIDKey, uuid.NewString()), attribute.String(semconv.GenAIWorkflowNameKey, "chat")))
		ctx, stage := tracer.Start(ctx, "stage llm", trace.WithAttributes(
			attribute.String(semconv.StageNameKey, "llm"), attribute.String(semconv.StageKindKey, "agent"), attribute.Int64(semconv.StageAttemptKey, 1)))
		_, call := tracer.Start(ctx, "chat gpt", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			attribute.String(semconv.CallIDKey, uuid.NewString()), attribute.String(semconv.GenAIOperationNameKey, "chat"),
			attribute.String(semconv.GenAIProviderNameKey, "openai"), attribute.String(semconv.GenAIRequestModelKey, "gpt")))
		call.SetAttributes(attribute.Int64(semconv.GenAIInputTokensKey, 10), attribute.Int64(semconv.GenAIOutputTokensKey, 20))
		call.End()
		stage.End()
		run.End()
	})
}

// BenchmarkDeadCollector is 32 goroutines that run pipelines of one stage with one call, with a collector that never
// answers, against one that takes everything: how long the slowest of a hundred runs takes.
func BenchmarkDeadCollector(b *testing.B) {
	const goroutines, runs = 32, 100
	clients := []*Client{benchClient(b, silence{}), benchClient(b, throwAway{})}
	var slowest [2][]time.Duration
	n := 0
	for b.Loop() {
		for turn := range clients {
			which := (n + turn) % 2
			took := make([]time.Duration, goroutines*runs)
			var all sync.WaitGroup
			for g := range goroutines {
				all.Go(func() {
					for i := range runs {
						begin := time.Now()
						_ = Run(b.Context(), "chat", func(ctx context.Context) error {
							return Stage(ctx, "llm", KindAgent, func(ctx context.Context) error {
								return Call(ctx, "chat", "openai", "gpt", func(context.Context) (Usage, error) {
									return Usage{InputTokens: 10, OutputTokens: 20}, nil
								})
							})
						}, WithClient(clients[which]))
						took[g*runs+i] = time.Since(begin)
					}
				})
			}
			all.Wait()
			slices.Sort(took)
			slowest[which] = append(slowest[which], took[len(took)*99/100], took[len(took)/2])
		}
		n++
	}
	var sum [2][2]time.Duration // by client: the 99th percentile, the median
	for which := range clients {
		for i, d := range slowest[which] {
			sum[which][i%2] += d
		}
	}
	b.ReportMetric(float64(sum[0][1].Nanoseconds())/float64(n), "dead-p50-ns")
	b.ReportMetric(float64(sum[1][1].Nanoseconds())/float64(n), "alive-p50-ns")
	b.ReportMetric(float64(sum[0][0].Nanoseconds())/float64(n), "dead-p99-ns")
	b.ReportMetric(float64(sum[1][0].Nanoseconds())/float64(n), "alive-p99-ns")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkDiscarded is an event without a collector set up.
func BenchmarkDiscarded(b *testing.B) {
	l := NewPipelineRunLogger(NewClient(nil))
	ctx := b.Context()
	e := RunCompleted{RunID: runID, PipelineName: "chat", Duration: 12345678}
	b.ReportAllocs()
	for b.Loop() {
		l.LogRunCompleted(ctx, e)
	}
}

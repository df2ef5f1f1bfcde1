// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"testing"

	sdklog "go.opentelemetry.io/otel/sdk/log"
)

// throwAway is an exporter without a network.
type throwAway struct{}

func (throwAway) Export(context.Context, []sdklog.Record) error { return nil }
func (throwAway) ForceFlush(context.Context) error              { return nil }
func (throwAway) Shutdown(context.Context) error                { return nil }

// benchClient is wired as by Setup, up to the network.
func benchClient(b *testing.B) *Client {
	b.Helper()
	provider := sdklog.NewLoggerProvider(
		sdklog.WithProcessor(sdklog.NewBatchProcessor(throwAway{}, batching()...)),
		sdklog.WithAllowKeyDuplication(),
	)
	b.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return NewClient(provider)
}

func BenchmarkOneEvent(b *testing.B) {
	for _, bench := range []struct {
		name   string
		client func(*testing.B) *Client
	}{
		{"sent", benchClient},
		{"discarded", func(*testing.B) *Client { return NewClient(nil) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			l := NewPipelineRunLogger(bench.client(b))
			ctx := b.Context()
			e := RunCompleted{RunID: runID, PipelineName: "chat", Duration: 12345678}
			b.ReportAllocs()
			for b.Loop() {
				l.LogRunCompleted(ctx, e)
			}
		})
	}
}

// BenchmarkRun is a run of one stage with one call: six events.
func BenchmarkRun(b *testing.B) {
	c := benchClient(b)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_ = Run(ctx, "chat", func(ctx context.Context) error {
			return Stage(ctx, "llm", KindAgent, func(ctx context.Context) error {
				return Call(ctx, "chat", "openai", "gpt", func(context.Context) (Usage, error) {
					return Usage{InputTokens: 10, OutputTokens: 20}, nil
				})
			})
		}, WithClient(c))
	}
}

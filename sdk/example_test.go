// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	stageflow "github.com/stageflow/otelcol-stageflow/sdk"
	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// printer prints the type of every event, where a real program would use Setup.
type printer struct{}

func (printer) Export(_ context.Context, records []sdklog.Record) error {
	for _, r := range records {
		r.WalkAttributes(func(kv attribute.KeyValue) bool {
			if kv.Key == semconv.EventTypeKey {
				fmt.Println(kv.Value.AsString())
			}
			return true
		})
	}
	return nil
}
func (printer) ForceFlush(context.Context) error { return nil }
func (printer) Shutdown(context.Context) error   { return nil }

func printing() *stageflow.Client {
	return stageflow.NewClient(sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(printer{}))))
}

func ExampleRun() {
	err := stageflow.Run(context.Background(), "chat", func(ctx context.Context) error {
		err := stageflow.Stage(ctx, "guard", stageflow.KindGuard, func(context.Context) error {
			return nil // or stageflow.Cancel("blocked by policy")
		})
		if err != nil {
			return err
		}
		return stageflow.Stage(ctx, "llm", stageflow.KindAgent, func(ctx context.Context) error {
			return stageflow.Call(ctx, "chat", "openai", "gpt-4o-mini", func(context.Context) (stageflow.Usage, error) {
				return stageflow.Usage{InputTokens: 120, OutputTokens: 40}, nil
			})
		})
	}, stageflow.WithUserID("u-17"), stageflow.WithClient(printing()))
	fmt.Println("error:", err)
	// Output:
	// pipeline.started
	// stage.guard.started
	// stage.guard.completed
	// stage.llm.started
	// provider_call.started
	// provider_call.ended
	// stage.llm.completed
	// pipeline.completed
	// error: <nil>
}

func ExamplePipelineRunLogger() {
	ctx := context.Background()
	logger := stageflow.NewPipelineRunLogger(printing())

	logger.LogRunStarted(ctx, stageflow.RunStarted{RunID: "run-1", PipelineName: "chat", Topology: "linear"})
	logger.LogRunFailed(ctx, stageflow.RunFailed{
		RunID: "run-1", PipelineName: "chat", Stage: "llm", Err: errors.New("model not found"),
		Duration: 1200 * time.Millisecond,
	})
	logger.LogRunStarted(ctx, stageflow.RunStarted{RunID: "run-2", PipelineName: "chat"})
	logger.LogRunCompleted(ctx, stageflow.RunCompleted{RunID: "run-2", StageResults: map[string]any{"llm": "completed"}})
	// Output:
	// pipeline.started
	// pipeline.failed
	// pipeline.started
	// pipeline.completed
}

func ExampleProviderCallLogger() {
	ctx := context.Background()
	logger := stageflow.NewProviderCallLogger(printing())

	id := logger.LogCallStart(ctx, stageflow.CallStart{Operation: "stt", Provider: "deepgram", ModelID: "nova-3", RunID: "run-1"})
	logger.LogCallEnd(ctx, id, stageflow.CallEnd{
		Success: true,
		Latency: 340 * time.Millisecond,
		Usage:   stageflow.Usage{AudioSeconds: 4.2},
	})
	// Output:
	// provider_call.started
	// provider_call.ended
}

func ExampleCircuitBreaker() {
	ctx := context.Background()
	stageflow.SetCircuitBreaker(stageflow.NewCircuitBreaker(printing(), breaker.Settings{ConsecutiveFailures: 2}))
	defer stageflow.SetCircuitBreaker(nil)

	b := stageflow.GetCircuitBreaker()
	b.RecordSuccess(ctx, "chat", "openai")
	for range 2 {
		b.RecordFailure(ctx, "chat", "openai", "timeout")
	}
	fmt.Println(b.IsOpen(ctx, "chat", "openai"))
	err := stageflow.Call(ctx, "chat", "openai", "gpt-4o-mini", func(context.Context) (stageflow.Usage, error) {
		return stageflow.Usage{}, nil
	})
	var open *stageflow.CircuitBreakerOpenError
	fmt.Println(errors.As(err, &open), err)
	// Output:
	// breaker.transition
	// true
	// true Circuit breaker open for chat/openai
}

func ExampleSummarizePipelineError() {
	summary := stageflow.SummarizePipelineError(fmt.Errorf("llm: %w", context.DeadlineExceeded))
	fmt.Println(summary, summary.Retryable)
	fmt.Println(summary.StagesPatch())
	// Output:
	// TIMEOUT: llm: context deadline exceeded true
	// map[failure:map[error:map[code:TIMEOUT message:llm: context deadline exceeded retryable:true type:context.deadlineExceededError]]]
}

func ExampleMultiPipelineRunLogger() {
	ctx := context.Background()
	audit := stageflow.NoOpPipelineRunLogger{} // an application's own
	logger := stageflow.MultiPipelineRunLogger(stageflow.NewPipelineRunLogger(printing()), audit)

	logger.LogRunStarted(ctx, stageflow.RunStarted{RunID: "run-1", PipelineName: "chat"})
	logger.LogRunCancelled(ctx, stageflow.RunCancelled{RunID: "run-1", Reason: "the user hung up"})
	// Output:
	// pipeline.started
	// pipeline.cancelled
}

func ExampleNoOpPipelineRunLogger() {
	// For tests of what takes loggers.
	engine := struct {
		Runs  stageflow.PipelineRunLogger
		Calls stageflow.ProviderCallLogger
	}{stageflow.NoOpPipelineRunLogger{}, stageflow.NoOpProviderCallLogger{}}

	engine.Runs.LogRunStarted(context.Background(), stageflow.RunStarted{PipelineName: "chat"})
	fmt.Println(engine.Calls.LogCallStart(context.Background(), stageflow.CallStart{Operation: "chat"}))
	// Output:
	// 00000000-0000-0000-0000-000000000000
}

func ExampleStageValue() {
	answer, err := stageflow.RunValue(context.Background(), "chat", func(ctx context.Context) (string, error) {
		return stageflow.StageValue(ctx, "llm", stageflow.KindAgent, func(ctx context.Context) (string, error) {
			return stageflow.CallValue(ctx, "chat", "groq", "llama-4", func(context.Context) (string, stageflow.Usage, error) {
				return "hello", stageflow.Usage{OutputTokens: 1}, nil
			})
		})
	})
	fmt.Println(answer, err)
	// Output:
	// hello <nil>
}

func ExampleQueueSink() {
	ctx := context.Background()
	sink := stageflow.NewQueueSink(printing(), 100) // or before a sink of the application's own that is slow
	sink.TryEmit(ctx, "route.chosen", map[string]any{"route": "billing"})
	if err := sink.Close(ctx); err != nil {
		fmt.Println(err)
	}
	m := sink.Metrics()
	fmt.Println(m.Sent, "sent,", m.Dropped, "dropped")
	// Output:
	// route.chosen
	// 1 sent, 0 dropped
}

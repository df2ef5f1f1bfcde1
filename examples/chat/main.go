// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command chat is a small voice pipeline, guard → stt → llm → tts → persist, that shows how an application tells a
// collector what it does. Its providers are HTTP servers inside the process, so it runs anywhere:
//
//	go run ./examples/chat
//
// It runs a few scenarios, one after another, and prints a line for each run: run id, scenario, outcome. The events go
// to OTEL_EXPORTER_OTLP_ENDPOINT, by default http://localhost:4317; without a collector there everything works the
// same.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"

	stageflow "github.com/stageflow/otelcol-stageflow/sdk"
	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	// Once per process: where events go, and a circuit breaker that stageflow.Call asks.
	shutdown, err := stageflow.Setup(ctx, stageflow.WithServiceName("chat-example"))
	if err != nil {
		return err
	}
	defer func() {
		if err := shutdown(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "chat:", err) // telemetry that is lost fails nothing
		}
	}()
	stageflow.SetCircuitBreaker(stageflow.NewCircuitBreaker(nil, breaker.DefaultSettings()))
	// Every line that is logged inside of a run or a stage says which.
	slog.SetDefault(slog.New(stageflow.NewSlogHandler(slog.NewTextHandler(os.Stderr, nil))))

	return scenarios(ctx)
}

func scenarios(ctx context.Context) error {
	providers, err := startProviders(ctx)
	if err != nil {
		return err
	}
	defer providers.stop()

	// What the providers do is told by their names: openai is at its rate limit, assemblyai is too slow. The breaker
	// for chat/openai is open after its scenario, so the others use another provider.
	for _, s := range []scenario{
		{name: "success", stt: "deepgram", chat: "groq", prompt: "What is the weather like?"},
		{name: "rate_limited", stt: "deepgram", chat: "openai", prompt: "What is the weather like?"},
		{name: "timeout", stt: "assemblyai", chat: "groq", prompt: "What is the weather like?"},
		{name: "cancelled", stt: "deepgram", chat: "groq", prompt: "How do I pick a lock?"},
		{name: "parent", stt: "deepgram", chat: "groq", prompt: "Tell me a story.", summarise: true},
	} {
		s.run(ctx, providers)
	}
	return nil
}

// scenario is one request to the pipeline.
type scenario struct {
	name      string
	stt, chat string // providers
	prompt    string
	summarise bool // run a child pipeline at the end
}

func (s scenario) run(ctx context.Context, p *providers) {
	var id string
	err := stageflow.Run(ctx, "chat", func(ctx context.Context) error {
		id = stageflow.RunID(ctx)
		return chat(ctx, p, s)
	},
		stageflow.WithTopology("guard-stt-llm-tts-persist"),
		stageflow.WithExecutionMode("voice"),
		stageflow.WithUserID("user-17"),
		stageflow.WithSessionID("session-4"),
		stageflow.WithCorrelationID("conversation-9"), // on every event, span and line of the run and its children
		stageflow.WithAttributes(map[string]any{"scenario": s.name}),
	)
	report(id, s.name, err)
}

func report(runID, scenario string, err error) {
	outcome := "completed"
	switch {
	case errors.Is(err, context.Canceled): // stageflow.Cancel too
		outcome = "cancelled"
	case err != nil:
		outcome = "failed"
	}
	fmt.Println(runID, scenario, outcome)
}

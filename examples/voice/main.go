// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command voice is a voice assistant under load: a microphone that goes on whether anybody listens or not, a model that
// answers faster than its words can be spoken, and a loudspeaker that wants 20 ms of audio every 20 ms. It shows how
// bounded queues tell a collector where a pipeline cannot keep up:
//
//	go run ./examples/voice
//
// It runs one conversation with enough time and one under overload, and prints for each its run id and what was lost.
// The events go to OTEL_EXPORTER_OTLP_ENDPOINT, by default http://localhost:4317; without a collector there everything
// works the same.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"time"

	stageflow "github.com/stageflow/otelcol-stageflow/sdk"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "voice:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	shutdown, err := stageflow.Setup(ctx, stageflow.WithServiceName("voice-example"))
	if err != nil {
		return err
	}
	defer func() {
		if err := shutdown(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "voice:", err) // telemetry that is lost fails nothing
		}
	}()
	// Every line that is logged inside of a run or a stage says which.
	slog.SetDefault(slog.New(stageflow.NewSlogHandler(slog.NewTextHandler(os.Stderr, nil))))

	for _, l := range []load{calm, overload} {
		result, err := converse(ctx, l)
		if err != nil {
			return err
		}
		fmt.Println(result)
	}
	return nil
}

// load is how long each part takes for its piece of work.
type load struct {
	name string
	// recognise is for 20 ms of audio heard, think for a word of the answer, synthesise for a word spoken.
	recognise, think, synthesise time.Duration
	// hiccup is how long the synthesis stops in the middle of the answer.
	hiccup time.Duration
}

var (
	calm     = load{name: "calm", recognise: 10 * time.Millisecond, think: 100 * time.Millisecond, synthesise: 60 * time.Millisecond}
	overload = load{name: "overload", recognise: 60 * time.Millisecond, think: 5 * time.Millisecond, synthesise: 15 * time.Millisecond, hiccup: time.Second}
)

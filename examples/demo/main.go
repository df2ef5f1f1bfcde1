// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command demo shows the whole way in half a minute: it starts the collector on free ports, runs examples/chat
// against it, replays events captured from a Python application, and prints the run log. `make demo` builds what it
// needs and runs it from the root of the repository.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/stageflow/otelcol-stageflow/internal/testbed"
)

const (
	collectorBinary = "bin/otelcol-stageflow"
	chatBinary      = "bin/chat"
	config          = "config/default.yaml"
	pythonStream    = "testdata/captures/protocol_calls__run_and_provider_logger.ndjson"
	dataDir         = "data/demo"
)

func main() {
	if err := demo(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", strings.Join(strings.Fields(err.Error()), " ")) // one line, whatever is in it
		os.Exit(1)
	}
}

func demo() (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	// Every demo begins with an empty run log.
	if err := errors.Join(os.RemoveAll(dataDir), os.MkdirAll(dataDir, 0o750)); err != nil {
		return fmt.Errorf("clearing %s: %w", dataDir, err)
	}

	c, err := testbed.Start(ctx, testbed.Options{Binary: collectorBinary, Config: config, Dir: dataDir})
	if err != nil {
		return fmt.Errorf("starting the collector: %w", err)
	}
	defer func() {
		if stopErr := c.Stop(); stopErr != nil {
			err = errors.Join(err, fmt.Errorf("stopping the collector (see %s): %w", c.Log, stopErr))
		}
	}()
	fmt.Printf("collector:  OTLP gRPC on %s, HTTP on %s, events on http://%s/v1/events\n", c.GRPC, c.HTTP, c.Events)

	fmt.Println("Go:         examples/chat, whose OTEL_EXPORTER_OTLP_ENDPOINT is the collector")
	chat := exec.CommandContext(ctx, chatBinary)
	chat.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+c.GRPC)
	if out, err := chat.CombinedOutput(); err != nil {
		return fmt.Errorf("running %s: %w: %s", chatBinary, err, out)
	}

	fmt.Printf("Python:     %s, posted to the collector\n", filepath.Base(pythonStream))
	if err := replay(ctx, c); err != nil {
		return fmt.Errorf("replaying %s: %w", pythonStream, err)
	}

	if err := c.Settled(ctx); err != nil {
		return err
	}
	fmt.Println()
	if err := printRuns(ctx, c.Database); err != nil {
		return fmt.Errorf("reading the run log: %w", err)
	}
	fmt.Printf("\nrun log:    %s (SQLite; views runs, stages, provider_calls)\ncollector's log: %s\n", c.Database, c.Log)
	return nil
}

func replay(ctx context.Context, c *testbed.Collector) error {
	body, err := os.ReadFile(pythonStream)
	if err != nil {
		return err
	}
	code, answer, err := c.Post(ctx, body)
	if err != nil {
		return err
	}
	if code != http.StatusOK {
		return fmt.Errorf("the collector answers %d: %s", code, answer)
	}
	return nil
}

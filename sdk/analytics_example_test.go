// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	stageflow "github.com/stageflow/otelcol-stageflow/sdk"
)

func ExampleBufferedExporter() {
	exporter, err := stageflow.NewBufferedExporter(
		stageflow.NewConsoleExporter(os.Stdout, stageflow.WithoutColor()),
		stageflow.WithMaxBufferSize(5),
		stageflow.WithOnOverflow(func(dropped, size int) {
			if dropped == -1 { // the high-water mark, 0.8 of 5
				fmt.Println("analytics_overflow: buffer", size)
			}
		}),
	)
	if err != nil {
		log.Fatal(err)
	}
	for _, stage := range []string{"guard", "enrich", "llm", "tts"} {
		_ = exporter.Export(context.Background(), stageflow.AnalyticsEvent{
			EventType: "stage." + stage + ".completed",
			Timestamp: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
			Duration:  new(340 * time.Millisecond),
		})
	}
	if err := exporter.Close(context.Background()); err != nil {
		log.Fatal(err)
	}
	stats := exporter.Stats()
	fmt.Println("exported", stats.Exported, "dropped", stats.Dropped)
	// Output:
	// analytics_overflow: buffer 4
	// [12:00:00.000] stage.guard.completed
	//   duration: 340.0ms
	// [12:00:00.000] stage.enrich.completed
	//   duration: 340.0ms
	// [12:00:00.000] stage.llm.completed
	//   duration: 340.0ms
	// [12:00:00.000] stage.tts.completed
	//   duration: 340.0ms
	// exported 4 dropped 0
}

func ExampleJSONFileExporter() {
	folder, err := os.MkdirTemp("", "analytics")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "events.jsonl")

	exporter, err := stageflow.NewJSONFileExporter(path)
	if err != nil {
		log.Print(err)
		return
	}
	sink := stageflow.NewAnalyticsSink(exporter, stageflow.WithExclude("heartbeat"))
	sink.TryEmit(context.Background(), "app.heartbeat", nil)
	err = exporter.Export(context.Background(), stageflow.AnalyticsEvent{
		EventType: "stage.completed",
		Timestamp: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		StageName: "llm",
		Duration:  new(150 * time.Millisecond),
		Data:      map[string]any{"tokens": 500},
	})
	if err != nil {
		log.Print(err)
	}
	_ = exporter.Close(context.Background())

	lines, _ := os.ReadFile(path)
	fmt.Print(string(lines))
	// Output:
	// {"event_type":"stage.completed","timestamp":"2026-11-22T12:00:00+00:00","data":{"tokens":500},"stage_name":"llm","duration_ms":150}
}

func ExampleConsoleExporter() {
	console := stageflow.NewConsoleExporter(os.Stdout, stageflow.WithoutColor())
	_ = console.Export(context.Background(), stageflow.AnalyticsEvent{
		EventType: "stage.llm.completed",
		Timestamp: time.Date(2026, 11, 22, 12, 0, 0, 250_000_000, time.UTC),
		StageName: "llm",
	})
	// Output:
	// [12:00:00.250] stage.llm.completed
	//   stage: llm
}

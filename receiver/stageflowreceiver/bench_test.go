// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/stageflow/otelcol-stageflow/internal/captures"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadata"
)

func newNopReceiver(b *testing.B, change ...func(*testReceiver)) (*core, *eventsServer) {
	c, err := newCore(createDefaultConfig().(*Config), receivertest.NewNopSettings(metadata.Type))
	require.NoError(b, err)
	c.logs, c.traces = consumertest.NewNop(), consumertest.NewNop()
	host := &testReceiver{core: c}
	for _, change := range change {
		change(host)
	}
	require.NoError(b, c.Start(b.Context(), host))
	b.Cleanup(func() { require.NoError(b, c.Shutdown(context.Background())) })
	c.settler.end()
	obs, err := c.obsReport("http")
	require.NoError(b, err)
	return c, newEventsServer(c.cfg.Events.GetOrInsertDefault(), c.intake, obs, c.telemetry, c.set)
}

// One request of 100 captured lines: read, understood, passed on and taken into the assembly, without a journal and
// with one in a file. Duplicates are forgotten between requests, so that each is taken whole; runs are let go outside
// of the measurement.
func BenchmarkIntake(b *testing.B) {
	all, err := captures.Load(capturesDir)
	require.NoError(b, err)
	var body []byte
	for _, c := range all {
		if c.Name == "batch100__unified_wide" {
			body = bytes.Join(bytes.SplitN(c.Body, []byte("\n"), 101)[:100], []byte("\n"))
		}
	}
	b.Run("memory", func(b *testing.B) { benchmarkIntake(b, body) })
	b.Run("file_storage", func(b *testing.B) { benchmarkIntake(b, body, inFiles(b, b.TempDir(), 0)) })
}

func benchmarkIntake(b *testing.B, body []byte, change ...func(*testReceiver)) {
	c, server := newNopReceiver(b, change...)
	clock := time.Now()
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for i := 0; b.Loop(); i++ {
		c.intake.seen = newSeen(seenPerGeneration)
		records, _ := server.decode(b.Context(), body, true, event.Request{})
		if err := c.intake.take(b.Context(), records); err != nil {
			b.Fatal(err)
		}
		if i%10 == 9 { // or runs would gather the facts of all requests
			b.StopTimer()
			clock = clock.Add(time.Hour)
			c.settler.now = func() time.Time { return clock }
			c.settler.sweep(b.Context(), false)
			clock = clock.Add(time.Hour)
			c.settler.sweep(b.Context(), false) // and are no longer remembered
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(b.N)*100/b.Elapsed().Seconds(), "events/s")
}

// A thousand runs of six stages, from their facts to their spans.
func BenchmarkSettle(b *testing.B) {
	var lines []string
	for run := range 1000 {
		id := fmt.Sprintf("run-%04d", run)
		for stage := range 6 {
			lines = append(lines, line("stage.wide", id, 10*stage+9, fmt.Sprintf(
				`"stage":"stage-%d","status":"completed","started_at":"2026-11-22T12:00:00.%03dZ","ended_at":"2026-11-22T12:00:00.%03dZ","duration_ms":8,"data_keys":["text"],"user_id":"u"`,
				stage, 10*stage+1, 10*stage+9)))
		}
		lines = append(lines, line("pipeline.wide", id, 70, `"pipeline_name":"chat","status":"completed","duration_ms":70,"service":"chat"`))
	}
	body := []byte(strings.Join(lines, "\n"))
	c, server := newNopReceiver(b)
	read, _ := server.decode(b.Context(), body, true, event.Request{})
	clock := time.Now()
	c.settler.now = func() time.Time { return clock }
	c.intake.now = c.settler.now
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		c.intake.seen = newSeen(seenPerGeneration)
		clock = clock.Add(time.Hour)
		c.settler.sweep(b.Context(), false) // the runs of the time before are no longer remembered
		records := plog.NewLogs()
		read.CopyTo(records)
		if err := c.intake.take(b.Context(), records); err != nil {
			b.Fatal(err)
		}
		clock = clock.Add(time.Minute)
		b.StartTimer()
		c.settler.sweep(b.Context(), false)
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "runs/s")
}

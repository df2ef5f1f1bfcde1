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
	if c.settler != nil {
		c.settler.end()
	}
	obs, err := c.obsReport("http")
	require.NoError(b, err)
	return c, newEventsServer(c.cfg.Events.GetOrInsertDefault(), c.intake, obs, c.telemetry, c.set)
}

// captured is n lines of a captured stream.
func captured(b *testing.B, n int) []byte {
	all, err := captures.Load(capturesDir)
	require.NoError(b, err)
	for _, c := range all {
		if c.Name == "batch100__unified_wide" {
			return bytes.Join(bytes.SplitN(c.Body, []byte("\n"), n+1)[:n], []byte("\n"))
		}
	}
	b.Fatal("no such capture")
	return nil
}

func eachBatch(b *testing.B, run func(b *testing.B, events int, body []byte)) {
	for _, n := range []int{100, 500} {
		body := captured(b, n)
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) { run(b, n, body) })
	}
}

// Requests read into events, and nothing else.
func BenchmarkDecode(b *testing.B) {
	eachBatch(b, func(b *testing.B, events int, body []byte) {
		_, server := newNopReceiver(b)
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			decoder := server.decoders.Get().(*event.Decoder)
			server.decode(b.Context(), decoder, body, true)
			if len(decoder.Events) != events {
				b.Fatal("not all are events")
			}
			server.release(decoder)
		}
		reportEvents(b, events)
	})
}

func reportEvents(b *testing.B, events int) {
	b.ReportMetric(float64(b.N)*float64(events)/b.Elapsed().Seconds(), "events/s")
}

// Requests read, understood and passed on: to a logs pipeline alone; and taken into the assembly as well, without a journal
// and with one in a file. Duplicates are forgotten between requests, so that each is taken whole; runs are let go outside
// of the measurement.
func BenchmarkIntake(b *testing.B) {
	for name, change := range map[string]func(*testing.B) []func(*testReceiver){
		"logs": func(*testing.B) []func(*testReceiver) {
			return []func(*testReceiver){func(r *testReceiver) { r.traces = nil }}
		},
		"traces": func(*testing.B) []func(*testReceiver) {
			return []func(*testReceiver){func(r *testReceiver) { r.logs = nil }}
		},
		"memory": func(*testing.B) []func(*testReceiver) { return nil },
		"file_storage": func(b *testing.B) []func(*testReceiver) {
			return []func(*testReceiver){inFiles(b, b.TempDir(), 0)}
		},
	} {
		b.Run(name, func(b *testing.B) {
			eachBatch(b, func(b *testing.B, events int, body []byte) { benchmarkIntake(b, events, body, change(b)...) })
		})
	}
}

func benchmarkIntake(b *testing.B, events int, body []byte, change ...func(*testReceiver)) {
	c, server := newNopReceiver(b, change...)
	clock := time.Now()
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for i := 0; b.Loop(); i++ {
		c.intake.seen = newSeen(seenPerGeneration)
		decoder := server.decoders.Get().(*event.Decoder)
		server.decode(b.Context(), decoder, body, true)
		if err := c.intake.takeDecoded(b.Context(), decoder.Events); err != nil {
			b.Fatal(err)
		}
		server.release(decoder)
		if i%10 == 9 && c.settler != nil { // or runs would gather the facts of all requests
			b.StopTimer()
			clock = clock.Add(time.Hour)
			c.settler.now = func() time.Time { return clock }
			c.settler.sweep(b.Context(), false)
			clock = clock.Add(time.Hour)
			c.settler.sweep(b.Context(), false) // and are no longer remembered
			b.StartTimer()
		}
	}
	reportEvents(b, events)
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
	var decoder event.Decoder
	server.decode(b.Context(), &decoder, body, true)
	clock := time.Now()
	c.settler.now = func() time.Time { return clock }
	c.intake.now = c.settler.now
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		c.intake.seen = newSeen(seenPerGeneration)
		clock = clock.Add(time.Hour)
		c.settler.sweep(b.Context(), false) // the runs of the time before are no longer remembered
		if err := c.intake.takeDecoded(b.Context(), decoder.Events); err != nil {
			b.Fatal(err)
		}
		clock = clock.Add(time.Minute)
		b.StartTimer()
		c.settler.sweep(b.Context(), false)
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "runs/s")
}

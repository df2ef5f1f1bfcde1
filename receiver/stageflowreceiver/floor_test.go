// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package stageflowreceiver

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/internal/captures"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
)

// callingRuns are the events that bench/collector sends, of so many runs: one stage calls one provider.
func callingRuns(b *testing.B, runs int) (lines [][]byte) {
	all, err := captures.Load(capturesDir)
	require.NoError(b, err)
	for _, c := range all {
		if c.Name != "protocol_calls__run_and_provider_logger" {
			continue
		}
		first := string(bytes.Join(bytes.SplitN(c.Body, []byte("\n"), 7)[:6], []byte("\n")))
		for i := range runs {
			fresh := strings.NewReplacer("e7b75008-", fmt.Sprintf("%08x-", i), "cbd8f33b-", fmt.Sprintf("%08x-", i), "ec17d43d-", fmt.Sprintf("%08x-", i))
			lines = append(lines, bytes.Split([]byte(fresh.Replace(first)), []byte("\n"))...)
		}
	}
	require.Len(b, lines, 6*runs)
	return lines
}

// BenchmarkFloor is what no receiver can do without that reads these events and hands on the same as this one: their JSON
// read, by the fastest decoder that was found, and what is handed on written into new pdata, as a copy of what was
// written before: nothing looked up, nothing understood, no HTTP. What it tells is processor time, as bench/collector does,
// with what the garbage collector takes.
func BenchmarkFloor(b *testing.B) {
	const runs = 100
	lines := callingRuns(b, runs)
	logs, traces := new(consumertest.LogsSink), new(consumertest.TracesSink)
	c, server := newNopReceiver(b, func(r *testReceiver) { r.logs, r.traces = logs, traces })
	var decoder event.Decoder
	server.decode(b.Context(), &decoder, bytes.Join(lines, []byte("\n")), true)
	require.NoError(b, c.intake.takeDecoded(b.Context(), decoder.Events))
	c.settler.now = func() time.Time { return time.Now().Add(time.Hour) }
	c.settler.sweep(context.Background(), false)
	require.Equal(b, len(lines), logs.LogRecordCount())
	require.Equal(b, 3*runs, traces.SpanCount())

	var parsers fastjson.ParserPool
	parse := func() {
		parser := parsers.Get()
		defer parsers.Put(parser)
		for _, line := range lines {
			if _, err := parser.ParseBytes(line); err != nil {
				b.Fatal(err)
			}
		}
	}
	writeLogs := func() {
		for _, ld := range logs.AllLogs() {
			ld.CopyTo(plog.NewLogs())
		}
	}
	writeSpans := func() {
		for _, td := range traces.AllTraces() {
			td.CopyTo(ptrace.NewTraces())
		}
	}
	for _, part := range []struct {
		name string
		does func()
	}{
		{"read", parse}, {"log-records", writeLogs}, {"spans", writeSpans},
		{"all", func() { parse(); writeLogs(); writeSpans() }},
	} {
		b.Run(part.name, func(b *testing.B) {
			b.ReportAllocs()
			before := processorTime(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					part.does()
				}
			})
			b.ReportMetric((processorTime(b)-before).Seconds()/float64(b.N*len(lines))*1e6, "cpu-s/M-events")
		})
	}
}

// processorTime is that of the process until now.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

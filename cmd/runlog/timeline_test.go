// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
)

// Whatever the log holds, at whatever width, a picture is drawn, and no line of it is wider than the terminal.
func FuzzDraw(f *testing.F) {
	f.Add(80, int64(0), int64(1_000_000), 1000.0, true, true, "llm", "", int64(500), "running")
	f.Add(0, int64(math.MinInt64), int64(math.MaxInt64), math.Inf(1), true, true, "\x1b", "llm", int64(-1), "failed")
	f.Add(7, int64(5), int64(5), 0.0, true, false, "語", "שלום", int64(0), "completed")
	f.Add(200, int64(9), int64(3), -7.5, false, true, "", "", int64(math.MaxInt64), "?")
	f.Fuzz(func(t *testing.T, width int, start, end int64, ms float64, hasStart, hasEnd bool, name, stage string, call int64, status string) {
		width = max(1, min(width, 1000))
		at := func(n int64, has bool) any {
			if !has {
				return nil
			}
			return time.UnixMicro(n).UTC()
		}
		d := &reader.Detail{
			Run: reader.NewRecord([]string{"run_id", "status", "started_at", "ended_at", "duration_ms", "error_code", "error_message"},
				[]any{name, status, at(start, hasStart), at(end, hasEnd), ms, stage, name}),
			Stages: []reader.Record{
				reader.NewRecord([]string{"name", "attempt", "status", "started_at", "ended_at", "duration_ms", "error_message"},
					[]any{name, int64(1), status, at(start, hasStart), at(end, hasEnd), ms, stage}),
				reader.NewRecord([]string{"name", "attempt", "status", "started_at"}, []any{name, int64(2), "running", at(end, hasEnd)}),
			},
			ProviderCalls: []reader.Record{
				reader.NewRecord([]string{"stage", "provider", "success", "started_at", "ended_at", "latency_ms"},
					[]any{stage, name, hasEnd, at(call, hasStart), at(end, hasEnd), ms}),
				reader.NewRecord([]string{"stage", "provider", "latency_ms"}, []any{name, stage, nil}),
			},
			ToolCalls: []reader.Record{reader.NewRecord([]string{"tool_name", "status", "ended_at", "duration_ms"}, []any{name, status, at(call, hasEnd), ms})},
			BreakerTransitions: []reader.Record{
				reader.NewRecord([]string{"key", "from_state", "to_state", "at", "reason"}, []any{name, stage, status, at(call, hasStart), name}),
			},
			Children: []reader.Record{reader.NewRecord([]string{"run_id", "status", "started_at"}, []any{stage, status, at(call, hasStart)})},
		}
		for _, line := range picture(d, width, false, time.UnixMicro(end), time.UTC) {
			if w := lineWidth(line); w > width && width >= 10 {
				t.Errorf("%d cells at width %d: %q", w, width, line)
			}
		}
		for _, i := range timeline(d) {
			for bars := range 20 {
				before, bar := columns{total: 80, bars: bars + 1}.bar(i, axisOf(d))
				assert.LessOrEqual(t, lineWidth(before+bar), bars+1)
			}
		}
	})
}

func lineWidth(s string) int { return width(s) }

func TestText(t *testing.T) {
	assert.Equal(t, "␛[31mred", clean("\x1b[31mred"))
	assert.Equal(t, "a b  c", clean("a\nb \tc\n"))
	assert.Equal(t, "\u2068שלום\u2069", clean("שלום"))
	assert.Equal(t, "\u2068של…\u2069", cut(clean("שלום"), 3))
	assert.Equal(t, 8, width("语音助手"))
	assert.Equal(t, "语…", cut("语音助手", 4))
	assert.Equal(t, "语音…", pad("语音助手", 5, false))
	assert.Equal(t, "语… ", pad("语音助手", 4, false))
	assert.Equal(t, " ab", pad("ab", 3, true))
	assert.Equal(t, []string{"one two", "three"}, wrap("one two three", 8))
	assert.Equal(t, []string{"abcd", "efgh", "i j"}, wrap("abcdefghi j", 4))
	for ms, want := range map[float64]string{
		0: "0 ms", 0.01: "<0.1 ms", 0.44: "0.4 ms", 9.96: "10 ms", 87.2: "87 ms", 999.6: "1.00 s", 1240.5: "1.24 s",
		59_996: "1m00s", 125_000: "2m05s", 3_599_600: "1h00m", 11_520_000: "3h12m", 1e12: "11574d", -5: "-5.0 ms",
	} {
		assert.Equal(t, want, duration(ms))
	}
}

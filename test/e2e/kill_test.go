// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/internal/testbed"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

var kills = flag.Int("kills", 50, "how often TestKilled kills the collector")

// killable keeps the spans beside the run log: a run's own events tell its row much, so only its spans show that
// it was assembled. With a rotation the exporter writes at once; without, a kill would take what it has in its buffer.
const killable = `
receivers:
  stageflow:
    runs: {settle: 200ms, flush_after: %s}
exporters:
  file/spans: {path: %q, rotation: {max_megabytes: 10000}}
service:
  pipelines:
    traces: {exporters: [runlog, file/spans]}
`

// Killed again and again, at any moment, the collector loses nothing that it has acknowledged and makes nothing of it
// twice: every run is in the run log with its stages and calls, as told, and has left as spans.
func TestKilled(t *testing.T) {
	k := newKiller(t, fmt.Sprint("-kills ", *kills))
	path := filepath.Join(k.dir, "spans.json")
	k.overrides = func() string { return fmt.Sprintf(killable, k.flushAfter(), path) }
	for range *kills {
		k.start(t)
		k.round(t, path)
	}

	c := k.start(t)
	k.send(t.Context(), t, false, endless, func() {})
	settled(t, c)
	size := sizeOf(path)
	require.NoError(t, c.Stop())
	c = k.start(t)
	settled(t, c)
	require.NoError(t, c.Stop())
	assert.Equal(t, size, sizeOf(path), "nothing was left in the journal")

	rows, spans := k.told()
	assertLines(t, "row", rows, rowsOf(func(text string) []map[string]any { return query(t, c.Database, text) }))
	got, copies, torn := spansOf(t, path)
	assertLines(t, "span", spans, got)
	assert.Positive(t, k.restored, "there were runs in flight when it was killed")
	t.Logf("%d kills with %.0f runs in flight, %d requests acknowledged, %d runs, %d rows; %d spans were sent twice, %d writes were cut off",
		*kills, k.restored, k.acked.Load(), len(k.runs()), len(rows), copies, torn)
}

// round lets the senders send and kills the collector at a moment of its choice.
func (k *killer) round(t *testing.T, spans string) {
	random := k.random
	n, ctx := int64(1+random.IntN(60)), t.Context()
	switch random.IntN(3) {
	case 0: // right after an acknowledgement; the requests of others are under way
		k.send(ctx, t, true, endless, after(n, k.kill))
	case 1: // while a request is being worked on
		sent := after(n, k.kill)
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sent() }})
		k.send(ctx, t, true, endless, func() {})
	case 2: // while runs leave
		before := sizeOf(spans)
		k.send(ctx, t, true, n, func() {})
		ctx, cancel := context.WithTimeout(ctx, time.Duration(random.IntN(1000))*time.Millisecond)
		defer cancel()
		_ = testbed.Poll(ctx, func() (bool, error) { return sizeOf(spans) > before, nil }) // or when the time is over: any moment does
		k.kill()
	}
}

// after calls f at the nth call.
func after(n int64, f func()) func() {
	var count atomic.Int64
	return func() {
		if count.Add(1) == n {
			f()
		}
	}
}

// spansOf are the spans in the file, each once, how many were there more than once, and how many writes a kill had cut
// off. Copies must agree.
func spansOf(t *testing.T, path string) (lines []string, copies, torn int) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	seen := map[string]string{}
	const beginning = `{"resourceSpans"` // where a line is cut off the next one follows at once
	for _, doc := range strings.Split(string(raw), beginning)[1:] {
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(beginning + strings.TrimSpace(doc)))
		if err != nil {
			torn++
			continue
		}
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					runID, _ := span.Attributes().Get(semconv.RunIDKey)
					id := span.SpanID().String()
					line := fmt.Sprintf("%s %s %s %s", id, runID.AsString(), span.StartTimestamp().AsTime().Format(storedTime), span.EndTimestamp().AsTime().Format(storedTime))
					if old, ok := seen[id]; ok {
						copies++
						assert.Equal(t, old, line, "a copy")
						continue
					}
					seen[id] = line
					lines = append(lines, line)
				}
			}
		}
	}
	return lines, copies, torn
}

// sizeOf is the size of a file, 0 when there is none.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

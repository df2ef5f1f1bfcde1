// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/internal/captures"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal/journaltest"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadatatest"
)

// life is a receiver that may be killed and started again; its pipelines and its storage stay.
type life struct {
	*testReceiver
	storage    *journaltest.Memory
	flushAfter time.Duration
	decoder    event.Decoder
}

func newLife(t require.TestingT, flushAfter time.Duration) *life {
	l := &life{flushAfter: flushAfter, storage: journaltest.New(), testReceiver: &testReceiver{
		clock: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), telemetry: componenttest.NewTelemetry(),
		tracesSink: new(consumertest.TracesSink), logsSink: new(consumertest.LogsSink),
	}}
	l.begin(t)
	return l
}

func (l *life) begin(t require.TestingT) {
	c, err := newCore(createDefaultConfig().(*Config), metadatatest.NewSettings(l.telemetry))
	require.NoError(t, err)
	l.core = c
	c.now = func() time.Time { return l.clock }
	c.traces, c.logs = l.tracesSink, l.logsSink
	c.cfg.Runs.FlushAfter = l.flushAfter
	stored(l.storage)(l.testReceiver)
	require.NoError(t, c.Start(context.Background(), l))
	c.settler.end()
}

// kill ends it without a word, or with a clean shutdown, and starts it again.
func (l *life) kill(t require.TestingT, clean bool) {
	if clean {
		require.NoError(t, l.Shutdown(context.Background()))
	} else {
		l.core.telemetry.Shutdown()
		l.storage = l.storage.Copy()
	}
	l.begin(t)
}

func (l *life) take(t require.TestingT, lines []string) {
	l.decoder.Reset()
	l.decoder.Decode([]byte(strings.Join(lines, "\n")), true)
	if len(lines)%2 == 0 {
		require.NoError(t, l.intake.takeDecoded(context.Background(), l.decoder.Events))
		return
	}
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range l.decoder.Events {
		l.decoder.Events[i].Record(records.AppendEmpty(), 0)
	}
	require.NoError(t, l.intake.take(context.Background(), ld))
}

func (l *life) pass(d time.Duration) {
	l.clock = l.clock.Add(d)
	l.settler.sweep(context.Background(), false)
}

// Killing the receiver between any two requests, or shutting it down, changes no span: neither what it says nor
// that it is sent once. Runs are interleaved, events come in any order, twice, and in any batches; some come after
// their run has settled.
func TestRestartsChangeNothing(t *testing.T) {
	recorded, err := captures.Small("../../testdata/captures")
	require.NoError(t, err)
	require.Greater(t, len(recorded), 30)
	rapid.Check(t, func(t *rapid.T) {
		var lines []string
		for i := range rapid.IntRange(1, 3).Draw(t, "captures") {
			for _, l := range rapid.SampledFrom(recorded).Draw(t, "capture") {
				// The same stream may be drawn twice: those are two streams of other runs then.
				lines = append(lines, strings.ReplaceAll(l, `run_id":"`, fmt.Sprintf(`run_id":"%d-`, i)))
			}
		}
		lines = append(lines, rapid.SliceOfN(rapid.SampledFrom(lines), 0, 10).Draw(t, "twice")...)
		lines = rapid.Permutation(lines).Draw(t, "order")
		flushAfter := rapid.SampledFrom([]time.Duration{time.Second, time.Hour}).Draw(t, "flush after")
		steady, killed := newLife(t, flushAfter), newLife(t, flushAfter)
		for len(lines) > 0 {
			n := rapid.IntRange(1, min(len(lines), 12)).Draw(t, "batch")
			steady.take(t, lines[:n])
			killed.take(t, lines[:n])
			lines = lines[n:]
			switch rapid.SampledFrom([]string{"", "killed", "shut down", "pass"}).Draw(t, "then") {
			case "killed":
				killed.kill(t, false)
			case "shut down":
				// What has ended is sent at once then, and what comes after it is late.
				steady.settler.sweep(context.Background(), true)
				killed.kill(t, true)
			case "pass":
				steady.pass(time.Second)
				killed.pass(time.Second)
			}
		}
		for _, l := range []*life{steady, killed} {
			for range 3 {
				l.pass(16 * time.Minute)
			}
		}
		want, got := steady.canonicalSpans(t), killed.canonicalSpans(t)
		require.Equal(t, strings.Join(want, "\n"), strings.Join(got, "\n"))
		require.LessOrEqual(t, len(killed.storage.Keys()), 1, "the journal is empty again")
	})
}

var _ component.Host = (*testReceiver)(nil)

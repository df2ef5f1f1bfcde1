// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConsoleIsThePythonOne(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	v := readAnalyticsVectors(t)
	written := func(e AnalyticsEvent, opts ...ConsoleOption) string {
		var out bytes.Buffer
		require.NoError(t, NewConsoleExporter(&out, opts...).Export(t.Context(), e))
		return out.String()
	}
	for i, want := range v.Events {
		e := v.event(i)
		assert.Equal(t, want.ConsoleColor, written(e))
		assert.Equal(t, want.Console, written(e, WithoutColor()))

		// The data's JSON has other spaces and escapes.
		gotLines, gotData, gotAny := strings.Cut(written(e, WithoutColor(), WithVerbose()), "  data: ")
		wantLines, wantData, wantAny := strings.Cut(want.ConsoleVerbose, "  data: ")
		assert.Equal(t, wantLines, gotLines)
		assert.Equal(t, wantAny, gotAny)
		if wantAny {
			assert.JSONEq(t, wantData, gotData)
		}
	}
}

func TestConsoleHeedsNoColor(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	var out bytes.Buffer
	require.NoError(t, NewConsoleExporter(&out).Export(t.Context(), AnalyticsEvent{EventType: "x.failed", Timestamp: noon}))
	assert.Equal(t, "[12:00:00.000] x.failed\n", out.String())
}

func TestConsoleLetsNoEventMoveTheCursor(t *testing.T) {
	var out bytes.Buffer
	c := NewConsoleExporter(&out, WithoutColor(), WithVerbose())
	c.now = (&clock{now: noon}).Now
	require.NoError(t, c.Export(t.Context(), AnalyticsEvent{
		EventType: "a\x1b[2Jb\n\xffc", StageName: "s\r\x7f", Data: map[string]any{"k\u009b": "v\u009b\x1b\n"},
	}))
	assert.Equal(t, "[12:00:00.000] a�[2Jb��c\n  stage: s��\n  data: {\"k�\":\"v�\\u001b\\n\"}\n", out.String())
}

func TestConsoleWritesABatchAtOnce(t *testing.T) {
	var out lockedBuffer
	c := NewConsoleExporter(&out, WithoutColor())
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			e := AnalyticsEvent{EventType: strconv.Itoa(i), Timestamp: noon}
			assert.NoError(t, c.ExportBatch(context.Background(), []AnalyticsEvent{e, e}))
		})
	}
	all.Wait()
	assert.Equal(t, 8, out.writes)
	for pair := range strings.SplitSeq(strings.TrimSpace(out.String()), "\n[12:00:00.000] ") {
		assert.Len(t, strings.TrimPrefix(pair, "[12:00:00.000] "), 1)
	}
	require.NoError(t, c.Close(t.Context()))
}

type lockedBuffer struct {
	bytes.Buffer
	writes int // the exporter's lock is what guards it
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.writes++
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) WriteString(s string) (int, error) { return b.Write([]byte(s)) }

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestConsoleTellsOfTheWritersError(t *testing.T) {
	err := NewConsoleExporter(brokenWriter{io.ErrClosedPipe}).Export(t.Context(), AnalyticsEvent{})
	assert.ErrorIs(t, err, io.ErrClosedPipe)
}

func TestConsoleWithoutAWriterIsStandardOutput(t *testing.T) {
	assert.NotPanics(t, func() { _ = NewConsoleExporter(nil, WithoutColor()).ExportBatch(t.Context(), nil) })
	assert.WithinDuration(t, time.Now(), NewConsoleExporter(nil).now(), time.Minute)
}

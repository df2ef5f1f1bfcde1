// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func openJSONFile(t *testing.T, path string, opts ...JSONFileOption) *JSONFileExporter {
	t.Helper()
	j, err := NewJSONFileExporter(path, opts...)
	require.NoError(t, err)
	j.now = (&clock{now: noon}).Now
	t.Cleanup(func() { _ = j.Close(context.Background()) })
	return j
}

func linesOf(t *testing.T, path string) []string {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	return strings.SplitAfter(strings.TrimSuffix(string(raw), "\n"), "\n")
}

func lineOf(eventType string) string {
	return `{"event_type":"` + eventType + `","timestamp":"2026-11-22T12:00:00+00:00","data":{}}` + "\n"
}

func TestJSONFileAppendsOrOverwrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "folders", "events.jsonl")
	read := func() string {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(raw)
	}
	j := openJSONFile(t, path)
	require.NoError(t, j.Export(t.Context(), AnalyticsEvent{EventType: "a"}))
	assert.Equal(t, lineOf("a"), read(), "before it is closed")
	require.NoError(t, j.ExportBatch(t.Context(), nil))
	require.NoError(t, j.Close(t.Context()))
	require.NoError(t, j.Close(t.Context()), "again")
	require.ErrorIs(t, j.Export(t.Context(), AnalyticsEvent{}), ErrExporterClosed)

	j = openJSONFile(t, path)
	require.NoError(t, j.ExportBatch(t.Context(), []AnalyticsEvent{{EventType: "b"}, {EventType: "c"}}))
	assert.Equal(t, lineOf("a")+lineOf("b")+lineOf("c"), read())

	j = openJSONFile(t, path, WithOverwrite())
	require.NoError(t, j.Export(t.Context(), AnalyticsEvent{EventType: "d"}))
	assert.Equal(t, lineOf("d"), read())

	if runtime.GOOS != "windows" {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

func TestJSONFileIsThePythonOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	v := readAnalyticsVectors(t)
	j := openJSONFile(t, path)
	for i := range v.Events {
		require.NoError(t, j.Export(t.Context(), v.event(i)))
	}
	lines := linesOf(t, path)
	require.Len(t, lines, len(v.Events))
	for i, line := range lines {
		assert.JSONEq(t, v.Events[i].Line, line)
	}
}

func TestJSONFileGoesOnAfterATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(lineOf("a")+`{"event_ty`), 0o600))
	j := openJSONFile(t, path)
	require.NoError(t, j.Export(t.Context(), AnalyticsEvent{EventType: "b"}))
	require.NoError(t, j.Export(t.Context(), AnalyticsEvent{EventType: "c"}))
	assert.Equal(t, []string{lineOf("a"), `{"event_ty` + "\n", lineOf("b"), strings.TrimSuffix(lineOf("c"), "\n")}, linesOf(t, path))
}

func TestJSONFileByManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	j := openJSONFile(t, path)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				e := AnalyticsEvent{EventType: strings.Repeat("x", 300)}
				assert.NoError(t, j.ExportBatch(t.Context(), []AnalyticsEvent{e, e}))
			}
		})
	}
	all.Wait()
	lines := linesOf(t, path)
	assert.Len(t, lines, 800)
	for _, line := range lines {
		require.True(t, json.Valid(bytes.TrimSpace([]byte(line))))
	}
}

func TestJSONFileThatCannotBeOpened(t *testing.T) {
	folder := t.TempDir()
	_, err := NewJSONFileExporter(folder)
	require.ErrorContains(t, err, "analytics file")
	file := filepath.Join(folder, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = NewJSONFileExporter(filepath.Join(file, "below.jsonl"))
	require.ErrorContains(t, err, "analytics file")
	_, err = NewJSONFileExporter("")
	require.Error(t, err)
}

func TestJSONFileTellsOfWriteErrors(t *testing.T) {
	j := openJSONFile(t, filepath.Join(t.TempDir(), "events.jsonl"))
	require.NoError(t, j.file.Close())
	require.ErrorIs(t, j.Export(t.Context(), AnalyticsEvent{}), os.ErrClosed)
	j.torn = true
	require.ErrorIs(t, j.Export(t.Context(), AnalyticsEvent{}), os.ErrClosed)
	assert.True(t, j.torn, "still is")
}

func TestJSONFileOnAFullDevice(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	b := startBuffered(t, openJSONFile(t, "/dev/full"), WithMaxAttempts(1))
	numbered(t, b, 1, 3)
	require.ErrorContains(t, b.Flush(t.Context()), "no space")
	assert.Equal(t, int64(3), b.Stats().Failed)
	require.NoError(t, b.Close(t.Context()))
}

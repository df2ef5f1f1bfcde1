// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/runlogtest"
)

// onSmallDisk has the run log elsewhere than the queues, and soon tries again what could not be written.
const onSmallDisk = `
receivers:
  stageflow:
    runs: {settle: 200ms}
exporters:
  runlog:
    sqlite: {path: %q}
    retry_on_failure: {initial_interval: 100ms, max_interval: 500ms}
`

// While the disk of the run log is full the collector says so, and what was written stays whole and is read; nothing is
// lost, not even when the collector is killed and started again. When there is room, everything is there, once.
func TestDiskFull(t *testing.T) {
	disk := runlogtest.SmallDisk(t, "16m")
	database, ballast := filepath.Join(disk, "runlog.db"), filepath.Join(disk, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 15<<20), 0o600))
	k := newKiller(t, "")
	k.overrides = func() string { return fmt.Sprintf(onSmallDisk, database) }
	fill := func() {
		for before := len(failures(t, k.Log)); len(failures(t, k.Log)) == before; {
			k.send(t.Context(), t, true, 10, func() {})
			require.Less(t, k.acked.Load(), int64(20_000), "the disk is full some time")
		}
		k.send(t.Context(), t, true, 50, func() {}) // all is taken, although the disk is full
		assertWhole(t, database)
	}
	k.start(t)
	fill()
	k.kill()
	k.start(t)
	fill()
	for _, line := range failures(t, k.Log) {
		assert.Contains(t, line, fmt.Sprintf("cannot write to the run log %q: database or disk is full", database))
		assert.Contains(t, line, "make room on the disk")
	}

	require.NoError(t, os.Remove(ballast))
	k.send(t.Context(), t, false, endless, func() {})
	settled(t, k.Collector)
	require.NoError(t, k.Stop())

	rows, _ := k.told()
	assertLines(t, "row", rows, rowsOf(func(text string) []map[string]any { return query(t, database, text) }))
	assertWhole(t, database)
	t.Logf("%d writes failed, %d requests acknowledged, %d runs, %d rows", len(failures(t, k.Log)), k.acked.Load(), len(k.runs()), len(rows))
}

// failures are the lines in which the collector's log tells of writes that failed, with quotes as they were written.
func failures(t *testing.T, path string) []string {
	t.Helper()
	log, err := os.ReadFile(path)
	require.NoError(t, err)
	var lines []string
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "Exporting failed") {
			lines = append(lines, strings.ReplaceAll(line, `\"`, `"`))
		}
	}
	return lines
}

// assertWhole reads a run log as others do while the collector runs.
func assertWhole(t *testing.T, database string) {
	t.Helper()
	assert.Equal(t, []map[string]any{{"integrity_check": "ok"}}, query(t, database, "PRAGMA integrity_check"))
	assert.NotEmpty(t, query(t, database, "SELECT run_id FROM runs"))
}

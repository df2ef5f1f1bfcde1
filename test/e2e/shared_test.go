// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// twice runs every component in four pipelines.
const twice = `
receivers:
  stageflow:
    runs: {settle: 300ms, idle_timeout: 1s, abandon_after: 2s}
service:
  pipelines:
    logs/again: {receivers: [stageflow], processors: [memory_limiter, errorsummary, breaker], exporters: [runlog]}
    traces/again: {receivers: [stageflow], processors: [memory_limiter, errorsummary, breaker], exporters: [runlog]}
`

// Pipelines that name one component id share one listener, one breaker and one writer of the database.
func TestPipelinesShareOneInstance(t *testing.T) {
	c := start(t, t.TempDir(), twice) // a second listener could not have the port
	var body strings.Builder
	for i := range 5 {
		fmt.Fprintf(&body, `{"type":"provider_call.started","data":{"call_id":"c%d","operation":"chat","provider":"openai","pipeline_run_id":"r"},"emitted_at":"2026-11-22T12:00:%02dZ"}`+"\n", i, 2*i)
		fmt.Fprintf(&body, `{"type":"provider_call.ended","data":{"call_id":"c%d","success":false,"latency_ms":1000,"error":"503 Service Unavailable"},"emitted_at":"2026-11-22T12:00:%02dZ"}`+"\n", i, 2*i+1)
	}
	code, answer, err := c.Post(t.Context(), []byte(body.String()))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, code, "%s", answer)
	settled(t, c)

	failures, err := c.Metric(t.Context(), "otelcol_processor_breaker_outcomes", `result="failure"`)
	require.NoError(t, err)
	assert.InDelta(t, 5, failures, 0, "each call counts once, though four pipelines see it")
	transitions, err := c.Metric(t.Context(), "otelcol_processor_breaker_transitions")
	require.NoError(t, err)
	assert.InDelta(t, 1, transitions, 0)
	assert.Len(t, query(t, c.Database, "SELECT * FROM runs"), 1)
	assert.Len(t, query(t, c.Database, "SELECT * FROM provider_calls WHERE error_code = 'UNAVAILABLE'"), 5)
	assert.Equal(t, 1, openFiles(t, c.PID(), c.Database), "one connection to the database")
	require.NoError(t, c.Stop())
}

// openFiles counts how often a process has a file open.
func openFiles(t *testing.T, pid int, path string) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	require.NoError(t, err)
	n := 0
	for _, entry := range entries {
		if target, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "fd", entry.Name())); err == nil && target == path {
			n++
		}
	}
	return n
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A configuration with mistakes in every component is answered with all of them at once: the keys that there are not,
// each with those that there are, and the values that cannot be.
func TestWrongConfigurationIsToldAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		config string
		want   []string
	}{
		"keys": {`
receivers: {stageflow: {evnts: {}, runs: {setle: 1s}, protocols: {grpc: {endpont: x}}}}
processors: {breaker: {overrides: [{openduration: 1s}], shared: {redis: {addr: x}}}}
exporters: {runlog: {sqlite: {file: x}}}
`, []string{
			"evnts is no key: want events, files, protocols, redact, runs, storage",
			"runs::setle is no key: want abandon_after, flush_after, idle_timeout, max_active, settle",
			"protocols::grpc::endpont is no key: want ",
			"overrides::0::openduration is no key: want ",
			"shared::redis::addr is no key: want ",
			"sqlite::file is no key: want ",
		}},
		"keys of another processor": {"processors: {errorsummary: {rule: []}}", []string{"rule is no key: want "}},
		"values": {`
receivers: {stageflow: {runs: {settle: 0s, max_active: 0}, redact: {keys: [""]}}}
processors: {breaker: {window: 0s, shared: {redis: {interval: 1ms}}}}
exporters: {runlog: {store: mysql}}
`, []string{
			"runs::settle is 0s: it must be above 0",
			"runs::max_active is 0: it must be above 0",
			`redact::keys has ""`,
			"window is 0s; it must be between 1s and 1h0m0s",
			"shared::redis::interval is 1ms; it must be between 100ms and 1m0s",
			`store: "mysql" is none of: sqlite, postgres`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), binary, "validate", "--config", defaultConfig, "--config", "yaml:"+tt.config).CombinedOutput()
			require.Error(t, err)
			for _, want := range tt.want {
				assert.Contains(t, string(out), want)
			}
		})
	}
}

// aRun is the events of a run that a client calls id, one a line.
func aRun(id string) []string {
	event := func(second int, typ, fields string) string {
		return fmt.Sprintf(`{"type":%q,"data":{"pipeline_run_id":%q%s},"emitted_at":"2026-11-22T12:00:%02dZ"}`+"\n", typ, id, fields, second)
	}
	return []string{
		event(0, "pipeline.started", `,"pipeline_name":"chat","service":"shop"`),
		event(1, "stage.llm.started", `,"stage":"llm"`),
		event(4, "stage.llm.completed", `,"stage":"llm","duration_ms":3000`),
		event(5, "pipeline.completed", `,"pipeline_name":"chat","duration_ms":5000`),
	}
}

// Two receivers in one collector, one of them reading files: each has its own listeners, offsets and runs.
func TestTwoReceiversInOneCollector(t *testing.T) {
	dir, events := t.TempDir(), freeAddress(t)
	input := filepath.Join(dir, "events.jsonl")
	require.NoError(t, os.WriteFile(input, []byte(strings.Join(aRun("of-a-file"), "")), 0o600))
	second := fmt.Sprintf(`
receivers:
  stageflow/second:
    events: {endpoint: %q}
    files: {include: [%q]}
    storage: file_storage
    redact: {keys: [pipeline_name]}
service:
  pipelines:
    logs: {receivers: [stageflow, stageflow/second]}
    traces: {receivers: [stageflow, stageflow/second]}
`, events, input)
	c := start(t, dir, second)
	code, answer, err := c.Post(t.Context(), []byte(strings.Join(aRun("of-the-first"), "")))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, code, "%s", answer)
	resp, err := http.Post("http://"+events+"/v1/events", "application/x-ndjson", strings.NewReader(strings.Join(aRun("of-the-second"), "")))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	done := func(n int) func() bool {
		return func() bool {
			return len(query(t, c.Database, "SELECT run_id FROM runs WHERE status = 'completed'")) == n
		}
	}
	eventually(t, "the runs of all inputs are there", done(3))
	settled(t, c)
	rows := query(t, c.Database, "SELECT run_id, pipeline_name, duration_ms FROM runs ORDER BY run_id")
	assert.Equal(t, []map[string]any{
		{"run_id": "of-a-file", "pipeline_name": "[redacted]", "duration_ms": 5000.0},
		{"run_id": "of-the-first", "pipeline_name": "chat", "duration_ms": 5000.0},
		{"run_id": "of-the-second", "pipeline_name": "[redacted]", "duration_ms": 5000.0},
	}, rows)
	before := everything(t, c.Database)
	require.NoError(t, c.Stop())

	// What was read is not read again, what was written meanwhile is.
	more, err := os.OpenFile(input, os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = more.WriteString(strings.Join(aRun("written-meanwhile"), ""))
	require.NoError(t, err)
	require.NoError(t, more.Close())
	c = start(t, dir, second)
	eventually(t, "the new run is there", done(4))
	settled(t, c)
	accepted, err := c.Metric(t.Context(), "otelcol_receiver_accepted_log_records", `receiver="stageflow/second"`)
	require.NoError(t, err)
	assert.InDelta(t, 4, accepted, 0)
	assert.Subset(t, everything(t, c.Database), before)
	require.NoError(t, c.Stop())
}

// A reload in the middle of a run changes nothing of it.
func TestReload(t *testing.T) {
	c := start(t, t.TempDir(), "")
	run := aRun("over-a-reload")
	post := func(lines ...string) bool {
		code, _, err := c.Post(t.Context(), []byte(strings.Join(lines, "")))
		return err == nil && code == http.StatusOK
	}
	require.True(t, post(run[:2]...))
	require.NoError(t, syscall.Kill(c.PID(), syscall.SIGHUP))
	reloaded := func() bool {
		log, err := os.ReadFile(c.Log)
		require.NoError(t, err)
		return strings.Count(string(log), "Everything is ready") == 2
	}
	eventually(t, "the collector has reloaded", reloaded)
	eventually(t, "the end of the run is taken", func() bool { return post(run[2:]...) })
	settled(t, c)
	require.NoError(t, c.Stop())
	rows := query(t, c.Database, "SELECT status, duration_ms, started_at FROM runs")
	assert.Equal(t, []map[string]any{{"status": "completed", "duration_ms": 5000.0, "started_at": "2026-11-22T12:00:00.000000Z"}}, rows)
	stages := query(t, c.Database, "SELECT name, status, duration_ms FROM stages")
	assert.Equal(t, []map[string]any{{"name": "llm", "status": "completed", "duration_ms": 3000.0}}, stages)
}

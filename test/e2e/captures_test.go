// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/captures"
	"github.com/stageflow/otelcol-stageflow/internal/testbed"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Every captured stream becomes the rows that its truth tells; sent again, to the same collector or to one that has
// been restarted and remembers nothing, it changes not one row.
func TestCaptures(t *testing.T) {
	all, err := captures.Load(capturesDir)
	require.NoError(t, err)
	dir := t.TempDir()
	c := start(t, dir, quick)
	for _, capture := range all {
		postAll(t, c, capture)
	}
	settled(t, c)

	known := 0
	for _, capture := range all {
		t.Run(capture.Name, func(t *testing.T) {
			for _, run := range capture.Runs {
				if run.Emitted {
					known++
					compare(t, c.Database, run)
				}
			}
		})
	}
	assert.Greater(t, known, 150, "the captures tell of this many runs at least")

	before := everything(t, c.Database)
	for _, capture := range all {
		postAll(t, c, capture)
	}
	settled(t, c)
	assert.Equal(t, before, everything(t, c.Database), "sent again")

	require.NoError(t, c.Stop())
	c = start(t, dir, quick)
	for _, capture := range all {
		postAll(t, c, capture)
	}
	settled(t, c)
	assert.Equal(t, before, everything(t, c.Database), "sent again after a restart")
	require.NoError(t, c.Stop())
}

// postAll sends a stream and checks that every line was accepted or answered for.
func postAll(t *testing.T, c *testbed.Collector, capture captures.Capture) {
	t.Helper()
	code, body, err := c.Post(t.Context(), capture.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, code, "%s: %s", capture.Name, body)
	var answer struct {
		Accepted int
		Rejected []struct{ Line int }
	}
	require.NoError(t, json.Unmarshal(body, &answer))
	lines := 0
	for _, line := range bytes.Split(capture.Body, []byte("\n")) {
		if len(bytes.TrimSpace(line)) > 0 {
			lines++
		}
	}
	assert.Equal(t, lines, answer.Accepted, capture.Name)
	assert.Empty(t, answer.Rejected, capture.Name)
}

func compare(t *testing.T, database string, want captures.Run) {
	t.Helper()
	what := fmt.Sprintf("run %s %q %s", want.ID, want.Label, want.Unknowable)
	rows := query(t, database, "SELECT * FROM runs WHERE run_id = ?", want.ID)
	require.Len(t, rows, 1, what)
	run := rows[0]
	assert.Equal(t, string(want.Status), run["status"], what)
	assert.NotEqual(t, string(semconv.EndNone), run["end_kind"], what)
	assert.NotNil(t, run["started_at"], what)
	assert.NotNil(t, run["ended_at"], what)
	assert.GreaterOrEqual(t, run["ended_at"], run["started_at"], what)

	if blamed := run["failed_stage"]; blamed != nil && want.FailedStage != "" {
		assert.Equal(t, want.FailedStage, blamed, what)
	}

	// The last attempt of each stage; earlier ones failed or were repeated by a guard.
	stages := map[string]any{}
	for _, stage := range query(t, database, "SELECT name, status FROM stages WHERE run_id = ? ORDER BY attempt", want.ID) {
		stages[stage["name"].(string)] = stage["status"]
	}
	for name := range want.Told {
		assert.Contains(t, stages, name, "%s: a stage that was told of has no row", what)
	}
	for name, got := range stages {
		assert.True(t, want.Told[name], "%s: stage %s has a row and no event", what, name)
		if status, known := want.Stages[name]; known && want.Unknowable == "" {
			assert.Equal(t, string(status), got, "%s stage %s", what, name)
		}
	}
}

// The streams that a reader could choke on: the collector takes every line, says what it cannot take, and goes on.
func TestHostileStreams(t *testing.T) {
	c := start(t, t.TempDir(), quick)
	for _, name := range []string{"hostile_payloads", "no_ids__unified_wide", "streaming_raw_emitter"} {
		body, err := os.ReadFile(filepath.Join(capturesDir, name+".ndjson"))
		require.NoError(t, err)
		broken := append([]byte("not json\n{\"data\":1}\n"+strings.Repeat("[", 5000)+"\n"), body...)
		code, answer, err := c.Post(t.Context(), broken)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, code, "%s", answer)
		var got struct {
			Accepted int
			Rejected []struct{ Line int }
		}
		require.NoError(t, json.Unmarshal(answer, &got))
		assert.Equal(t, bytes.Count(bytes.TrimSpace(body), []byte("\n"))+1, got.Accepted, name)
		assert.Len(t, got.Rejected, 3, name)
	}
	settled(t, c)

	assert.Len(t, query(t, c.Database, "SELECT * FROM runs WHERE run_id LIKE 'anonymous-%' AND status = 'completed'"), 2,
		"two runs without ids are two runs")
	hostile := query(t, c.Database, "SELECT * FROM runs WHERE run_id = '8442c146-7d6e-54ee-8a41-711517c38878'")
	require.Len(t, hostile, 1)
	assert.Equal(t, "abandoned", hostile[0]["status"], "it was started and fell silent")

	code, _, err := c.Post(t.Context(), []byte("nothing of this is an event\n{}\n"))
	require.NoError(t, err)
	assert.Equal(t, http.StatusBadRequest, code)
	require.NoError(t, c.Stop())
}

// Lines as other sinks of the framework write them.
func TestOtherFormats(t *testing.T) {
	// Both files record the same run ids, so each gets a collector of its own.
	for name, want := range map[string][]map[string]any{
		"analytics_jsonfile": {
			{"run_id": "8c1cf165-fa06-505f-9ea5-32727a7c1b6d", "status": "completed", "failed_stage": nil, "stages": int64(3)},
			{"run_id": "b45d7775-15d3-5cce-ab1a-1573d0e9467b", "status": "failed", "failed_stage": "llm", "stages": int64(1)},
		},
		"observable_event_sink": {
			{"run_id": "8c1cf165-fa06-505f-9ea5-32727a7c1b6d", "status": "completed", "failed_stage": nil, "stages": int64(3)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, t.TempDir(), quick)
			body, err := os.ReadFile(filepath.Join(capturesDir, "formats", name+".jsonl"))
			require.NoError(t, err)
			code, answer, err := c.Post(t.Context(), body)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, code, "%s", answer)
			assert.Contains(t, string(answer), `"rejected":[]`)
			settled(t, c)
			assert.Equal(t, want, query(t, c.Database, `SELECT run_id, status, failed_stage,
				(SELECT count(*) FROM stages s WHERE s.run_id = r.run_id) AS stages FROM runs r ORDER BY run_id`))
			require.NoError(t, c.Stop())
		})
	}
}

// A run is in the run log before it ends.
func TestARunIsThereWhileItRuns(t *testing.T) {
	c := start(t, t.TempDir(), "")
	body := `{"type":"pipeline.started","data":{"pipeline_run_id":"r-1","pipeline_name":"chat","user_id":"u"},"emitted_at":"2026-11-22T12:00:00Z"}
{"type":"stage.llm.started","data":{"pipeline_run_id":"r-1","stage":"llm","status":"started","timestamp":"2026-11-22T12:00:01Z"}}`
	code, answer, err := c.Post(t.Context(), []byte(body))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, code, "%s", answer)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(t, testbed.Poll(ctx, func() (bool, error) {
		return len(query(t, c.Database, "SELECT 1 FROM stages WHERE run_id = 'r-1'")) == 1, nil
	}))
	row := query(t, c.Database, "SELECT * FROM runs")[0]
	assert.Equal(t, "running", row["status"])
	assert.Equal(t, "none", row["end_kind"])
	assert.Equal(t, "chat", row["pipeline_name"])
	assert.Equal(t, "2026-11-22T12:00:00.000000Z", row["started_at"])
	assert.Nil(t, row["ended_at"])
	require.NoError(t, c.Stop())
}

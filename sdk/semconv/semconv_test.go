// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package semconv

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The vectors are shared with every other implementation of the ids; they may not change.
func TestIDsMeetTheVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/id-vectors.json")
	require.NoError(t, err)
	var file struct {
		Vectors []struct {
			RunID     string `json:"run_id"`
			TraceID   string `json:"trace_id"`
			RunSpanID string `json:"run_span_id"`
			Stages    []struct {
				Name    string `json:"name"`
				Attempt int64  `json:"attempt"`
				SpanID  string `json:"span_id"`
			} `json:"stages"`
			Calls []struct {
				CallID string `json:"call_id"`
				SpanID string `json:"span_id"`
			} `json:"calls"`
			Tools []struct {
				ActionID string `json:"action_id"`
				SpanID   string `json:"span_id"`
			} `json:"tools"`
		} `json:"vectors"`
	}
	require.NoError(t, json.Unmarshal(raw, &file))
	require.NotEmpty(t, file.Vectors)
	for _, v := range file.Vectors {
		t.Run(v.RunID, func(t *testing.T) {
			assert.Equal(t, v.TraceID, RunTraceID(v.RunID).String())
			assert.Equal(t, v.RunSpanID, RunSpanID(v.RunID).String())
			for _, s := range v.Stages {
				assert.Equal(t, s.SpanID, StageSpanID(v.RunID, s.Name, s.Attempt).String(), "stage %q attempt %d", s.Name, s.Attempt)
			}
			for _, c := range v.Calls {
				assert.Equal(t, c.SpanID, CallSpanID(v.RunID, c.CallID).String())
			}
			for _, a := range v.Tools {
				assert.Equal(t, a.SpanID, ToolSpanID(v.RunID, a.ActionID).String())
			}
		})
	}
}

func TestEventNameOf(t *testing.T) {
	tests := []struct {
		eventType, status string
		wide              bool
		want              EventName
	}{
		{"stage.llm.started", "started", false, EventStageStarted},
		{"stage.a.b c/ü.failed", "failed", false, EventStageEnded},
		{"stage..started", "started", false, EventStageStarted},
		{"stage.started", "", false, EventStageStarted},
		{"stage.cancelled", "", false, EventStageEnded},
		{"stage.x.skipped", "", false, EventStageEnded},
		{"stage.progress", "progress", false, EventStageOther},
		{"stage.wide", "completed", true, EventWideStage},
		{"stage.wide.llm", "completed", true, EventWideStage},
		{"stage.wide.started", "started", false, EventStageStarted},
		{"stage.wide.started", "completed", true, EventWideStage},
		{"stage.retry_scheduled", "", false, "stageflow.stage.retry_scheduled"},
		{"stage.retry_scheduled.completed", "completed", false, EventStageEnded},
		{"pipeline.wide.chat", "failed", false, EventWideRun},
		{"pipeline.canceled", "", false, EventRunCancelRequested},
		{"pipeline.cancelled", "", false, EventRunEnded},
		{"custom.thing", "started", false, EventOther},
		{"", "", false, EventOther},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, EventNameOf(tt.eventType, tt.status, tt.wide), "%s status=%q wide=%t", tt.eventType, tt.status, tt.wide)
	}
	for eventType, name := range EventTypes {
		assert.True(t, strings.HasPrefix(string(name), EventNamePrefix), eventType)
	}
}

func TestStageOfType(t *testing.T) {
	for eventType, want := range map[string]string{
		"stage.llm.started": "llm", "stage.a.b.failed": "a.b", "stage..started": "", "stage.started": "", "pipeline.started": "",
	} {
		assert.Equal(t, want, StageOfType(eventType), eventType)
	}
}

func TestParseTraceParent(t *testing.T) {
	const valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	trace, parent, ok := ParseTraceParent(valid)
	require.True(t, ok)
	assert.Equal(t, valid, FormatTraceParent(trace, parent))

	_, parent, ok = ParseTraceParent("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01")
	assert.True(t, ok, "upstream writes a zero span id; the trace id is still good")
	assert.True(t, parent.IsZero())

	for _, bad := range []string{
		"", "00", valid[:54], valid + "x", "ff" + valid[2:],
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
		"00-zzf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	} {
		_, _, ok := ParseTraceParent(bad)
		assert.False(t, ok, bad)
	}
	_, _, ok = ParseTraceParent("01" + valid[2:] + "-more")
	assert.True(t, ok, "later versions may append fields")
}

func TestParseTraceID(t *testing.T) {
	id, ok := ParseTraceID("4bf92f3577b34da6a3ce929d0e0e4736")
	assert.True(t, ok)
	assert.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", id.String())
	for _, bad := range []string{
		"", "4bf92f3577b34da6a3ce929d0e0e473", "4BF92F3577B34DA6A3CE929D0E0E4736", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
		"00000000000000000000000000000000", "zzf92f3577b34da6a3ce929d0e0e4736",
	} {
		_, ok := ParseTraceID(bad)
		assert.False(t, ok, bad)
	}
}

func TestParseStatus(t *testing.T) {
	for in, want := range map[string]Status{
		"completed": StatusCompleted, "OK": StatusCompleted, "Canceled": StatusCancelled, "cancelled": StatusCancelled,
		"skip": StatusSkipped, "retry": StatusRetried, "started": StatusRunning, "fail": StatusFailed,
	} {
		got, ok := ParseStatus(in)
		assert.True(t, ok, in)
		assert.Equal(t, want, got, in)
	}
	_, ok := ParseStatus("degraded")
	assert.False(t, ok)
}

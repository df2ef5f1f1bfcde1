// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOTLPSendsAnEventWithItsOwnTime(t *testing.T) {
	c, s, _ := newTestClient(t)
	o := NewOTLPExporter(c)
	given := map[string]any{"tokens": 500}
	require.NoError(t, o.ExportBatch(t.Context(), []AnalyticsEvent{
		{
			EventType: "app.scored", Timestamp: noon.Add(-time.Hour), Data: given, PipelineRunID: runID, StageName: "llm",
			Duration: new(1500 * time.Microsecond), Metadata: map[string]any{"tenant": "blue"},
		},
		{
			EventType: "app.scored", PipelineRunID: "not this", StageName: "not this", Duration: new(time.Hour), Metadata: map[string]any{"not": "this"},
			Data: map[string]any{"pipeline_run_id": runID, "stage": "tts", "duration_ms": 7, "metadata": "mine"},
		},
		{EventType: "app.heartbeat"},
	}))
	require.NoError(t, o.Close(t.Context()))

	e := s.all()
	require.Equal(t, []string{"app.scored", "app.scored", "app.heartbeat"}, s.types())
	assert.Equal(t, noon.Add(-time.Hour), e[0].at)
	assert.Equal(t, map[string]any{
		"tokens": int64(500), "pipeline_run_id": runID, "stage": "llm", "duration_ms": 1.5, "metadata": map[string]any{"tenant": "blue"},
	}, e[0].data)
	assert.Equal(t, map[string]any{"tokens": 500}, given, "the caller's map is the caller's")
	assert.Equal(t, noon, e[1].at, "the client's time")
	assert.Equal(t, map[string]any{"pipeline_run_id": runID, "stage": "tts", "duration_ms": int64(7), "metadata": "mine"}, e[1].data)
	assert.Equal(t, map[string]any{}, e[2].data)
}

func TestOTLPTakesRunAndStageFromItsContextOnlyForTheSameRun(t *testing.T) {
	c, s, _ := newTestClient(t)
	o := NewOTLPExporter(c)
	require.NoError(t, Run(t.Context(), "p", func(ctx context.Context) error {
		return Stage(ctx, "llm", KindWork, func(ctx context.Context) error {
			for _, run := range []string{"", runID, "another"} {
				require.NoError(t, o.Export(ctx, AnalyticsEvent{EventType: "app." + run, PipelineRunID: run}))
			}
			return nil
		})
	}, WithClient(c), WithRunID(runID)))
	here := map[string]any{"pipeline_run_id": runID, "stage": "llm", "stage_attempt": int64(1)}
	assert.Equal(t, here, s.only(t, "app.").data)
	assert.Equal(t, here, s.only(t, "app."+runID).data)
	other := s.only(t, "app.another")
	assert.Equal(t, map[string]any{"pipeline_run_id": "another"}, other.data)
	assert.False(t, other.traceID.IsValid())
}

func TestOTLPWithoutAClientUsesTheDefault(t *testing.T) {
	o := NewOTLPExporter(nil)
	require.NoError(t, o.Export(t.Context(), AnalyticsEvent{EventType: "discarded"}))
	c, s, _ := newTestClient(t)
	SetDefault(c)
	defer SetDefault(nil)
	require.NoError(t, o.Export(t.Context(), AnalyticsEvent{EventType: "sent"}))
	assert.Equal(t, []string{"sent"}, s.types())
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// keeper is an exporter that keeps whole events.
type keeper struct {
	shelf
	events []AnalyticsEvent
}

func (k *keeper) Export(_ context.Context, e AnalyticsEvent) error {
	k.events = append(k.events, e)
	return nil
}

func TestAnalyticsSinkSaysWhatTheDataSays(t *testing.T) {
	ms := func(n time.Duration) *time.Duration { return new(n * time.Millisecond) }
	for name, tt := range map[string]struct {
		data map[string]any
		want AnalyticsEvent
	}{
		"nothing":     {nil, AnalyticsEvent{}},
		"all":         {map[string]any{"pipeline_run_id": runID, "stage": "llm", "duration_ms": 12.5}, AnalyticsEvent{PipelineRunID: runID, StageName: "llm", Duration: new(12500 * time.Microsecond)}},
		"zero":        {map[string]any{"duration_ms": 0}, AnalyticsEvent{Duration: ms(0)}},
		"null":        {map[string]any{"pipeline_run_id": nil, "stage": nil, "duration_ms": nil}, AnalyticsEvent{}},
		"other types": {map[string]any{"pipeline_run_id": uuid.MustParse(runID), "stage": 42, "duration_ms": int32(3)}, AnalyticsEvent{PipelineRunID: runID, StageName: "42", Duration: ms(3)}},
		"no number":   {map[string]any{"duration_ms": "soon"}, AnalyticsEvent{}},
		"NaN":         {map[string]any{"duration_ms": math.NaN()}, AnalyticsEvent{}},
		"endless":     {map[string]any{"duration_ms": math.Inf(1)}, AnalyticsEvent{}},
		"too long":    {map[string]any{"duration_ms": 1e300}, AnalyticsEvent{}},
		"negative":    {map[string]any{"duration_ms": -1}, AnalyticsEvent{Duration: ms(-1)}},
	} {
		t.Run(name, func(t *testing.T) {
			k := &keeper{}
			s := NewAnalyticsSink(k)
			s.now = (&clock{now: noon}).Now
			require.True(t, s.TryEmit(t.Context(), "x", tt.data))
			require.NoError(t, s.Emit(t.Context(), "x", tt.data))
			require.Len(t, k.events, 2)
			got := k.events[1]
			assert.Len(t, got.Data, len(tt.data))
			got.Data = nil
			tt.want.EventType, tt.want.Timestamp = "x", noon
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestAnalyticsSinkFiltersBySubstring(t *testing.T) {
	types := []string{"stage.llm.started", "stage.llm.completed", "pipeline.started", "tool.failed"}
	for name, tt := range map[string]struct {
		opts []AnalyticsSinkOption
		want []string
	}{
		"all":           {nil, types},
		"include":       {[]AnalyticsSinkOption{WithInclude("stage.", "fail")}, []string{"stage.llm.started", "stage.llm.completed", "tool.failed"}},
		"exclude":       {[]AnalyticsSinkOption{WithExclude("start")}, []string{"stage.llm.completed", "tool.failed"}},
		"exclude first": {[]AnalyticsSinkOption{WithInclude("stage."), WithExclude("llm.c"), WithExclude("tool")}, []string{"stage.llm.started"}},
		"include twice": {[]AnalyticsSinkOption{WithInclude("tool"), WithInclude("pipeline")}, []string{"pipeline.started", "tool.failed"}},
		"exclude any":   {[]AnalyticsSinkOption{WithExclude("")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			k := &keeper{}
			s := NewAnalyticsSink(k, tt.opts...)
			for _, each := range types {
				assert.True(t, s.TryEmit(t.Context(), each, nil), "what is filtered out is dealt with")
			}
			assert.Equal(t, tt.want, typesOf(k.events))
		})
	}
}

func TestAnalyticsSinkTellsTheRunAndStageOfItsContext(t *testing.T) {
	c, _, _ := newTestClient(t)
	k := &keeper{}
	s := NewAnalyticsSink(k)
	require.NoError(t, Run(t.Context(), "p", func(ctx context.Context) error {
		return Stage(ctx, "llm", KindWork, func(ctx context.Context) error {
			s.TryEmit(ctx, "here", nil)
			s.TryEmit(ctx, "elsewhere", map[string]any{"pipeline_run_id": "another"})
			return nil
		})
	}, WithClient(c), WithRunID(runID)))
	assert.Equal(t, []string{runID, "llm"}, []string{k.events[0].PipelineRunID, k.events[0].StageName})
	assert.Equal(t, []string{"another", ""}, []string{k.events[1].PipelineRunID, k.events[1].StageName})
}

func TestAnalyticsSinkKeepsNothingOfTheCallers(t *testing.T) {
	k := &keeper{}
	inner := map[string]any{"a": 1}
	data := map[string]any{"inner": inner}
	NewAnalyticsSink(k).TryEmit(t.Context(), "x", data)
	inner["a"], data["b"] = 2, 3
	assert.Equal(t, map[string]any{"inner": map[string]any{"a": int64(1)}}, k.events[0].Data)
}

func TestAnalyticsSinkTellsOfRefusal(t *testing.T) {
	down := NewAnalyticsSink(&shelf{on: func(context.Context, []AnalyticsEvent) error { return errDown }})
	assert.False(t, down.TryEmit(t.Context(), "x", nil))
	require.ErrorIs(t, down.Emit(t.Context(), "x", nil), errDown)
	none := NewAnalyticsSink(nil)
	assert.False(t, none.TryEmit(t.Context(), "x", nil))
	require.ErrorContains(t, none.Emit(t.Context(), "x", nil), "panicked")
}

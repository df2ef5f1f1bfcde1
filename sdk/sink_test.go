// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnApplicationsOwnEventsTellWhereTheyBelong(t *testing.T) {
	c, got, _ := newTestClient(t)
	require.NoError(t, Run(t.Context(), "chat", func(ctx context.Context) error {
		EmitEvent(ctx, "in.run", nil)
		return Stage(ctx, "llm", KindAgent, func(ctx context.Context) error {
			assert.True(t, c.TryEmit(ctx, "in.stage", map[string]any{"n": 1}))
			assert.NoError(t, c.Emit(ctx, "about.another", map[string]any{"stage": "other", "pipeline_run_id": "r9"}))
			return nil
		})
	}, WithClient(c), WithRunID("r1")))

	assert.Equal(t, map[string]any{"pipeline_run_id": "r1"}, got.only(t, "in.run").data)
	e := got.only(t, "in.stage")
	assert.Equal(t, map[string]any{"pipeline_run_id": "r1", "stage": "llm", "stage_attempt": int64(1), "n": int64(1)}, e.data)
	assert.Equal(t, "stageflow.event", e.name)
	assert.Equal(t, map[string]any{"pipeline_run_id": "r9", "stage": "other"}, got.only(t, "about.another").data)
}

func TestAKnownTypeGetsItsEventName(t *testing.T) {
	c, got, _ := newTestClient(t)
	c.TryEmit(t.Context(), "stream.queue_closed", nil)
	assert.Equal(t, "stageflow.stream.queue_closed", got.only(t, "stream.queue_closed").name)
}

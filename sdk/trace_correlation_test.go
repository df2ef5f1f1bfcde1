// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func TestCorrelationID(t *testing.T) {
	bare := context.Background()
	assert.Empty(t, GetCorrelationID(bare))

	ctx := SetCorrelationID(bare, "outer")
	inner := SetCorrelationID(ctx, "inner")
	assert.Equal(t, "outer", GetCorrelationID(ctx))
	assert.Equal(t, "inner", GetCorrelationID(inner))
	assert.Empty(t, GetCorrelationID(ClearCorrelationID(inner)), "an outer one is hidden too")
	assert.Equal(t, "inner", GetCorrelationID(inner), "contexts do not change")

	same, id := EnsureCorrelationID(ctx)
	assert.Equal(t, ctx, same)
	assert.Equal(t, "outer", id)

	made, id := EnsureCorrelationID(bare)
	assert.Equal(t, id, GetCorrelationID(made))
	assert.NoError(t, uuid.Validate(id))
}

// The innermost id holds: of what was set, the run's, and what came with a request.
func TestCorrelationIDOfTheInnermost(t *testing.T) {
	c, s, _ := newTestClient(t)
	ctx := TraceContext{CorrelationID: "remote", RequestID: "r"}.Activate(context.Background())
	assert.Equal(t, "remote", GetCorrelationID(ctx))
	ctx = SetCorrelationID(ctx, "set")
	assert.Equal(t, "r", capture(ctx).RequestID, "the other ids stay")

	_ = Run(ctx, "parent", func(ctx context.Context) error {
		assert.Equal(t, "set", GetCorrelationID(ctx), "the run inherits it")
		assert.Empty(t, GetCorrelationID(ClearCorrelationID(ctx)))

		ctx = SetCorrelationID(ctx, "within")
		return Stage(ctx, "s", KindWork, func(ctx context.Context) error {
			assert.Equal(t, "within", GetCorrelationID(ctx))
			_ = Run(ctx, "heir", func(ctx context.Context) error {
				assert.Equal(t, "within", GetCorrelationID(ctx))
				return nil
			}, WithRunID("heir"))
			return Run(ctx, "child", func(ctx context.Context) error {
				assert.Equal(t, "given", GetCorrelationID(ctx))
				return nil
			}, WithRunID("child"), WithCorrelationID("given"))
		})
	}, WithClient(c), WithRunID("parent"))

	got := map[string]any{}
	for _, e := range s.all() {
		got[e.eventType+" "+e.data[fieldRunID].(string)] = e.data[fieldCorrelationID]
	}
	assert.Equal(t, map[string]any{
		semconv.TypeRunStarted + " parent":   "set",
		"stage.s.started parent":             "within",
		semconv.TypeRunStarted + " heir":     "within",
		semconv.TypeRunCompleted + " heir":   "within",
		semconv.TypeRunStarted + " child":    "given",
		semconv.TypeRunCompleted + " child":  "given",
		"stage.s.completed parent":           "within",
		semconv.TypeRunCompleted + " parent": "set",
	}, got)
}

func TestCorrelationIDIsReadWithoutAllocating(t *testing.T) {
	bare := context.Background()
	set := SetCorrelationID(bare, "c")
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_ = GetCorrelationID(bare)
		_ = GetCorrelationID(set)
	}))
}

func TestTraceContextDict(t *testing.T) {
	assert.Empty(t, TraceContextDict(context.Background()))
	assert.Equal(t, map[string]string{"correlation_id": "c"}, TraceContextDict(SetCorrelationID(context.Background(), "c")))

	c, _, _ := newTestClient(t)
	err := Run(context.Background(), "p", func(ctx context.Context) error {
		return Stage(ctx, "s", KindWork, func(ctx context.Context) error {
			assert.Equal(t, map[string]string{
				"trace_id":       "0190d0b27a3c7000800000000000cafe",
				"span_id":        semconv.StageSpanID(remoteRun, "s", 1).String(),
				"parent_span_id": semconv.RunSpanID(remoteRun).String(),
				"correlation_id": "c",
			}, TraceContextDict(ctx))
			return nil
		})
	}, WithClient(c), WithRunID(remoteRun), WithCorrelationID("c"))
	require.NoError(t, err)
}

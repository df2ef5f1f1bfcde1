// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/examples/internal/recorder"
	stageflow "github.com/stageflow/otelcol-stageflow/sdk"
	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
)

func TestScenarios(t *testing.T) {
	var got recorder.Events
	stageflow.SetDefault(got.Client())
	stageflow.SetCircuitBreaker(stageflow.NewCircuitBreaker(nil, breaker.DefaultSettings()))
	t.Cleanup(func() {
		stageflow.SetDefault(nil)
		stageflow.SetCircuitBreaker(nil)
	})
	require.NoError(t, scenarios(t.Context()))

	assert.Len(t, got.Of("pipeline.started"), 6)
	assert.Len(t, got.Of("pipeline.completed"), 3)

	failed := got.Of("pipeline.failed")
	require.Len(t, failed, 2)
	assert.Equal(t, "RATE_LIMITED", failed[0]["error_code"])
	assert.Equal(t, "llm", failed[0]["stage"])
	assert.Equal(t, "*main.apiError", failed[0]["error_type"])
	assert.Equal(t, "TIMEOUT", failed[1]["error_code"])
	assert.Equal(t, "stt", failed[1]["stage"])

	cancelled := got.Of("pipeline.cancelled")
	require.Len(t, cancelled, 1)
	assert.Equal(t, "blocked by policy: burglary", cancelled[0]["reason"])

	var calls int
	for _, call := range got.Of("provider_call.ended") {
		if call["provider"] == "openai" {
			calls++
			assert.Equal(t, "429", call["http_status"])
		}
	}
	assert.Equal(t, 5, calls)
	opened := got.Of("breaker.transition")
	require.Len(t, opened, 1)
	assert.Equal(t, "openai", opened[0]["provider"])
	assert.Equal(t, "open", opened[0]["to_state"])

	started := got.Of("pipeline.started")
	assert.Equal(t, started[4]["pipeline_run_id"], started[5]["parent_run_id"])
	assert.Equal(t, "persist", started[5]["parent_stage_id"])
}

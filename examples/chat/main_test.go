// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	stageflow "github.com/stageflow/otelcol-stageflow/sdk"
	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// events keeps the data of every event, with its type.
type events []map[string]string

func (e *events) Export(_ context.Context, records []sdklog.Record) error {
	for _, r := range records {
		fields := map[string]string{}
		r.WalkAttributes(func(kv attribute.KeyValue) bool {
			switch kv.Key {
			case semconv.EventTypeKey:
				fields["type"] = kv.Value.AsString()
			case semconv.EventDataKey:
				for _, field := range kv.Value.AsMap() {
					fields[string(field.Key)] = field.Value.String()
				}
			}
			return true
		})
		*e = append(*e, fields)
	}
	return nil
}
func (*events) ForceFlush(context.Context) error { return nil }
func (*events) Shutdown(context.Context) error   { return nil }

func (e *events) of(eventType string) (out []map[string]string) {
	for _, fields := range *e {
		if fields["type"] == eventType {
			out = append(out, fields)
		}
	}
	return out
}

func TestScenarios(t *testing.T) {
	var got events
	stageflow.SetDefault(stageflow.NewClient(sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(&got)))))
	stageflow.SetCircuitBreaker(stageflow.NewCircuitBreaker(nil, breaker.DefaultSettings()))
	t.Cleanup(func() {
		stageflow.SetDefault(nil)
		stageflow.SetCircuitBreaker(nil)
	})
	require.NoError(t, scenarios(t.Context()))

	assert.Len(t, got.of("pipeline.started"), 6)
	assert.Len(t, got.of("pipeline.completed"), 3)

	failed := got.of("pipeline.failed")
	require.Len(t, failed, 2)
	assert.Equal(t, "RATE_LIMITED", failed[0]["error_code"])
	assert.Equal(t, "llm", failed[0]["stage"])
	assert.Equal(t, "*main.apiError", failed[0]["error_type"])
	assert.Equal(t, "TIMEOUT", failed[1]["error_code"])
	assert.Equal(t, "stt", failed[1]["stage"])

	cancelled := got.of("pipeline.cancelled")
	require.Len(t, cancelled, 1)
	assert.Equal(t, "blocked by policy: burglary", cancelled[0]["reason"])

	var calls int
	for _, call := range got.of("provider_call.ended") {
		if call["provider"] == "openai" {
			calls++
			assert.Equal(t, "429", call["http_status"])
		}
	}
	assert.Equal(t, 5, calls)
	opened := got.of("breaker.transition")
	require.Len(t, opened, 1)
	assert.Equal(t, "openai", opened[0]["provider"])
	assert.Equal(t, "open", opened[0]["to_state"])

	started := got.of("pipeline.started")
	assert.Equal(t, started[4]["pipeline_run_id"], started[5]["parent_run_id"])
	assert.Equal(t, "persist", started[5]["parent_stage_id"])
}

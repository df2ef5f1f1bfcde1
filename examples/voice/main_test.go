// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	stageflow "github.com/stageflow/otelcol-stageflow/sdk"
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

// streams are the stream events by type and queue, each with run and stage.
func (e *events) streams(t *testing.T) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, fields := range *e {
		if kind, ok := strings.CutPrefix(fields["type"], "stream."); ok {
			out[kind+" "+fields["queue"]]++
			assert.NotEmpty(t, fields["pipeline_run_id"])
			assert.Contains(t, []string{"hear", "answer"}, fields["stage"])
		}
	}
	return out
}

func conversation(t *testing.T, l load) (r result, got events) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		stageflow.SetDefault(stageflow.NewClient(sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(&got)))))
		defer stageflow.SetDefault(nil)
		var err error
		r, err = converse(t.Context(), l)
		require.NoError(t, err)
	})
	return r, got
}

func TestCalm(t *testing.T) {
	r, got := conversation(t, calm)
	assert.Zero(t, r.heard.DroppedItems+r.words.BlockedPuts)
	assert.Zero(t, r.speaker.BytesDropped)
	streams := got.streams(t)
	assert.Equal(t, 1, streams["queue_closed microphone"])
	assert.Equal(t, 1, streams["queue_closed words"])
	for kind := range streams {
		assert.NotContains(t, kind, "dropped")
		assert.NotContains(t, kind, "blocked")
		assert.NotContains(t, kind, "overflow")
	}
}

// Under overload every part says what it could not do.
func TestOverload(t *testing.T) {
	r, got := conversation(t, overload)
	assert.Positive(t, r.heard.DroppedItems)
	assert.Positive(t, r.words.BlockedPuts)
	assert.Positive(t, r.speaker.BytesDropped)
	streams := got.streams(t)
	assert.Equal(t, r.heard.DroppedItems, streams["chunk_dropped microphone"])
	for _, kind := range []string{
		"throttle_started microphone", "throttle_ended microphone", "queue_closed microphone",
		"producer_blocked words", "throttle_started words", "throttle_ended words", "queue_closed words",
		"buffer_overflow speaker", "buffer_underrun speaker", "buffer_recovered speaker",
	} {
		assert.Positive(t, streams[kind], kind)
	}
	assert.Equal(t, streams["throttle_started words"], streams["throttle_ended words"], "every window ends")
}

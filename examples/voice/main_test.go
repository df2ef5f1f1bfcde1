// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/examples/internal/recorder"
	stageflow "github.com/stageflow/otelcol-stageflow/sdk"
)

// streams are the stream events by type and queue, each with run and stage.
func streams(t *testing.T, got recorder.Events) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, fields := range got {
		if kind, ok := strings.CutPrefix(fields["type"], "stream."); ok {
			out[kind+" "+fields["queue"]]++
			assert.NotEmpty(t, fields["pipeline_run_id"])
			assert.Contains(t, []string{"hear", "answer"}, fields["stage"])
		}
	}
	return out
}

func conversation(t *testing.T, l load) (r result, got recorder.Events) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		stageflow.SetDefault(got.Client())
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
	told := streams(t, got)
	assert.Equal(t, 1, told["queue_closed microphone"])
	assert.Equal(t, 1, told["queue_closed words"])
	for kind := range told {
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
	told := streams(t, got)
	assert.Equal(t, r.heard.DroppedItems, told["chunk_dropped microphone"])
	for _, kind := range []string{
		"throttle_started microphone", "throttle_ended microphone", "queue_closed microphone",
		"producer_blocked words", "throttle_started words", "throttle_ended words", "queue_closed words",
		"buffer_overflow speaker", "buffer_underrun speaker", "buffer_recovered speaker",
	} {
		assert.Positive(t, told[kind], kind)
	}
	assert.Equal(t, told["throttle_started words"], told["throttle_ended words"], "every window ends")
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMultiRunLoggerTellsEveryOne(t *testing.T) {
	one, first, _ := newTestClient(t)
	two, second, _ := newTestClient(t)
	l := MultiPipelineRunLogger(NewPipelineRunLogger(one), nil, NoOpPipelineRunLogger{}, NewPipelineRunLogger(two))
	l.LogRunStarted(t.Context(), RunStarted{RunID: "r1", PipelineName: "chat"})
	l.LogRunCompleted(t.Context(), RunCompleted{RunID: "r1"})
	l.LogRunFailed(t.Context(), RunFailed{RunID: "r1", Err: errors.New("boom")})
	l.LogRunCancelled(t.Context(), RunCancelled{RunID: "r1"})

	want := []string{"pipeline.started", "pipeline.completed", "pipeline.failed", "pipeline.cancelled"}
	assert.Equal(t, want, first.types())
	assert.Equal(t, want, second.types())
}

func TestMultiCallLoggerKeepsTheIDsApart(t *testing.T) {
	one, first, _ := newTestClient(t)
	two, second, _ := newTestClient(t)
	l := MultiProviderCallLogger(NewProviderCallLogger(one), nil, NoOpProviderCallLogger{}, NewProviderCallLogger(two))
	a := l.LogCallStart(t.Context(), CallStart{Operation: "chat", Provider: "openai"})
	b := l.LogCallStart(t.Context(), CallStart{Operation: "stt", Provider: "deepgram"})
	assert.NotEqual(t, a, b)
	l.LogCallEnd(t.Context(), b, CallEnd{Success: true})
	l.LogCallEnd(t.Context(), a, CallEnd{Err: errors.New("boom")})
	l.LogCallEnd(t.Context(), a, CallEnd{Err: errors.New("told twice")})
	l.LogCallEnd(t.Context(), "unknown", CallEnd{})

	for _, got := range []*sink{first, second} {
		events := got.all()
		assert.Equal(t, []string{"provider_call.started", "provider_call.started", "provider_call.ended", "provider_call.ended"}, got.types())
		assert.Equal(t, events[1].data["call_id"], events[2].data["call_id"])
		assert.Equal(t, "deepgram", events[2].data["provider"])
		assert.Equal(t, events[0].data["call_id"], events[3].data["call_id"])
		assert.Equal(t, "openai", events[3].data["provider"])
	}
	assert.NotEqual(t, first.all()[0].data["call_id"], second.all()[0].data["call_id"])
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal/journaltest"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// foreignSpan is what another instrumentation sends of a call.
func foreignSpan(callID string) ptrace.Traces {
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("theirs")
	span.Attributes().PutStr(semconv.CallIDKey, callID)
	return td
}

func callEvents(id string, from, to int) string {
	return line("provider_call.started", "r", from, `"call_id":"`+id+`","operation":"chat","provider":"p","model_id":"`+id+`"`) + "\n" +
		line("provider_call.ended", "r", to, `"call_id":"`+id+`","success":true`)
}

// Of a call that another instrumentation has a span of, the receiver makes none, whichever comes first; before and
// after a restart.
func TestForeignSpanReplacesOurs(t *testing.T) {
	m := journaltest.New()
	r := newTestReceiver(t, stored(m))
	require.NoError(t, r.passSpans(t.Context(), foreignSpan("before")))
	r.post(t, callEvents("before", 1, 2)+"\n"+callEvents("after", 3, 4)+"\n"+callEvents("ours", 5, 6))
	require.NoError(t, r.passSpans(t.Context(), foreignSpan("after")))
	require.NoError(t, r.passSpans(t.Context(), foreignSpan("nobody's")))
	require.NoError(t, r.passSpans(t.Context(), ptrace.NewTraces()))
	r.post(t, line("pipeline.completed", "r", 9, ""))

	again, left := restart(t, m)
	for _, one := range []*testReceiver{r, again} {
		one.wait(t, time.Second)
		assert.Subset(t, names(one), []string{"invoke_workflow completed", "chat ours completed"})
		assert.NotContains(t, names(one), "chat before completed")
		assert.NotContains(t, names(one), "chat after completed")
	}
	assert.Contains(t, names(r), "theirs ", "passed on as it is")

	// What was said of them left the journal with the run.
	third, _ := restart(t, left)
	third.post(t, callEvents("before", 11, 12))
	third.wait(t, time.Second)
	assert.Equal(t, []string{"chat before completed"}, names(third))
}

func TestForeignSpanReplacesOursOfALongRun(t *testing.T) {
	r := newTestReceiver(t)
	r.post(t, line("stage.a.started", "r", 1, `"stage":"a","status":"started"`)+"\n"+callEvents("c", 2, 3)+"\n"+line("stage.a.completed", "r", 4, `"stage":"a","status":"completed"`)+
		"\n"+line("pipeline.started", "r", 1, ""))
	require.NoError(t, r.passSpans(t.Context(), foreignSpan("c")))
	r.wait(t, time.Minute)
	r.post(t, line("pipeline.completed", "r", 9, ""))
	r.wait(t, time.Second)
	assert.Equal(t, []string{"theirs ", "stage a completed", "invoke_workflow completed"}, names(r))
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// A duration that no clock could have measured tells no start: neither on the record nor on the span.
func TestImpossibleDurationsTellNoStart(t *testing.T) {
	for _, duration := range []string{"-1", "1e300", "1e18", "9223372036854775807", `"a while"`, `"NaN"`} {
		r := newTestReceiver(t)
		for _, event := range []string{
			line("pipeline.completed", "r", 5, `"duration_ms":`+duration),
			line("provider_call.ended", "r", 5, `"call_id":"c","success":true,"latency_ms":`+duration),
			line("tool.completed", "r", 5, `"action_id":"a","duration_ms":`+duration),
		} {
			require.Equal(t, http.StatusOK, r.post(t, event).Code)
		}
		for _, ld := range r.logsSink.AllLogs() {
			lr := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
			assert.NotContains(t, lr.Attributes().AsRaw(), semconv.StartTimeKey, "%s %s", lr.EventName(), duration)
		}
	}
	r := newTestReceiver(t)
	r.post(t, line("pipeline.completed", "r", 5, `"duration_ms":3`))
	lr := r.logsSink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	start, _ := lr.Attributes().Get(semconv.StartTimeKey)
	assert.True(t, strings.HasSuffix(start.AsString(), "12:00:00.002Z"), start.AsString())
}

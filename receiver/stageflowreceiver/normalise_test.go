// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadatatest"
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

// A time that cannot be right is kept and flagged, on the record and on the spans; a zero span id is no parent.
func TestTimesAndParentsThatCannotBeRight(t *testing.T) {
	r := newTestReceiver(t)
	const zero = "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"
	require.Equal(t, http.StatusOK, r.post(t, strings.Join([]string{
		line("pipeline.started", "r", 0, ""),
		line("stage.a.started", "r", 3_600_000, `"stage":"a","status":"started","attempt":1`),
		line("stage.a.completed", "r", -8*24*3_600_000, `"stage":"a","status":"completed","attempt":1`),
		`{"type":"pipeline.completed","data":{"pipeline_run_id":"r"},"traceparent":"` + zero + `"}`,
	}, "\n")).Code)
	clocks := map[string]any{}
	for _, lr := range r.logsSink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		attrs := lr.Attributes().AsRaw()
		clocks[attrs[semconv.EventTypeKey].(string)] = attrs[semconv.ClockKey]
	}
	assert.Equal(t, map[string]any{
		"pipeline.started": nil, "stage.a.started": "future", "stage.a.completed": "past", "pipeline.completed": nil,
	}, clocks)
	r.wait(t, time.Second)
	spans := r.spans()
	require.Len(t, spans, 2)
	for _, span := range spans {
		assert.Equal(t, "0af7651916cd43dd8448eb211c80319c", span.TraceID().String())
		assert.GreaterOrEqual(t, span.EndTimestamp(), span.StartTimestamp())
		assert.Equal(t, "future", attr(span, semconv.ClockKey), "the later of two")
	}
	assert.True(t, spans[0].ParentSpanID().IsEmpty())
	metadatatest.AssertEqualReceiverStageflowZeroParents(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
}

// What began after its own end, by another host's clock, began with it.
func TestNoRecordTellsAStartAfterItsEnd(t *testing.T) {
	r := newTestReceiver(t)
	r.post(t, line("stage.wide", "r", 9, `"stage":"a","status":"completed","started_at":"2026-11-22T12:00:08Z","ended_at":"2026-11-22T12:00:05Z"`))
	lr := r.logsSink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	start, _ := lr.Attributes().Get(semconv.StartTimeKey)
	assert.Equal(t, "2026-11-22T12:00:05Z", start.AsString())
}

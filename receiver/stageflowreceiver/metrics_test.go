// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// points are the data points of the last metrics handed on, one line each.
func (r *testReceiver) points(t *testing.T) []string {
	all := r.metricsSink.AllMetrics()
	require.NotEmpty(t, all)
	out := []string{}
	for _, rm := range all[len(all)-1].ResourceMetrics().All() {
		service, _ := rm.Resource().Attributes().Get(semconv.ServiceNameKey)
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			var points pmetric.NumberDataPointSlice
			switch m.Type() {
			case pmetric.MetricTypeSum:
				points = m.Sum().DataPoints()
			case pmetric.MetricTypeGauge:
				points = m.Gauge().DataPoints()
			case pmetric.MetricTypeHistogram:
				for _, p := range m.Histogram().DataPoints().All() {
					out = append(out, fmt.Sprintf("%s %s %v %d of %g", service.Str(), m.Name(), p.Attributes().AsRaw(), p.Count(), p.Sum()))
				}
				continue
			}
			for _, p := range points.All() {
				value := fmt.Sprint(p.IntValue())
				if p.ValueType() == pmetric.NumberDataPointValueTypeDouble {
					value = fmt.Sprint(p.DoubleValue())
				}
				out = append(out, fmt.Sprintf("%s %s %v %s", service.Str(), m.Name(), p.Attributes().AsRaw(), value))
			}
		}
	}
	slices.Sort(out)
	return out
}

const (
	byCall  = "map[gen_ai.operation.name:chat gen_ai.provider.name:openai]"
	byToken = "map[gen_ai.operation.name:chat gen_ai.provider.name:openai gen_ai.request.model:m gen_ai.token.type:%s]"
)

// A call that hangs shows by its age while it hangs, a run that hangs when it is given up.
func TestMetricsOfWhatIsInFlight(t *testing.T) {
	r := newTestReceiver(t)
	at := func(seconds int) int { return seconds * 1000 }
	r.post(t, line("stage.a.started", "r", at(0), `"stage":"a","status":"started","service":"voice"`)+"\n"+
		line("provider_call.started", "r", at(1), `"call_id":"1","operation":"chat","provider":"openai","model_id":"m"`)+"\n"+
		line("provider_call.started", "r", at(2), `"call_id":"2","operation":"chat","provider":"openai","model_id":"m"`))
	r.clock = r.clock.Add(10 * time.Second)
	r.collector.collect(t.Context())
	assert.Equal(t, []string{
		"voice stageflow.provider_call.in_flight " + byCall + " 2",
		"voice stageflow.provider_call.oldest.age " + byCall + " 9",
		"voice stageflow.run.active map[] 1",
	}, r.points(t))

	r.post(t, `{"type":"provider_call.ended","emitted_at":"2026-11-22T12:00:03Z","data":{"call_id":"1","success":true,"tokens_in":12,"tokens_out":3}}`)
	r.collector.collect(t.Context())
	assert.Equal(t, []string{
		"voice gen_ai.client.token.usage " + fmt.Sprintf(byToken, "input") + " 1 of 12",
		"voice gen_ai.client.token.usage " + fmt.Sprintf(byToken, "output") + " 1 of 3",
		"voice stageflow.provider_call.in_flight " + byCall + " 1",
		"voice stageflow.provider_call.oldest.age " + byCall + " 8",
		"voice stageflow.run.active map[] 1",
	}, r.points(t))

	r.wait(t, 16*time.Minute)
	r.collector.collect(t.Context())
	assert.Subset(t, r.points(t), []string{
		"voice stageflow.provider_call.in_flight " + byCall + " 0",
		"voice stageflow.run.abandoned map[] 1",
		"voice stageflow.run.active map[] 0",
	})
}

// What is not taken is not counted: the sender sends it again.
func TestMetricsOfARefusedBatch(t *testing.T) {
	logs := &flakyLogs{err: errLater}
	r := newTestReceiver(t, func(r *testReceiver) { r.logs = logs })
	dropped := line("stream.chunk_dropped", "r", 1, `"queue_size":0,"max_size":4,"reason":"overflow"`)
	r.post(t, dropped)
	logs.err = nil
	r.post(t, dropped)
	r.post(t, dropped)
	r.collector.collect(t.Context())
	assert.Contains(t, r.points(t), "pipeline stageflow.stream.dropped map[stageflow.stream.drop_reason:overflow] 1")
}

// A receiver in metrics pipelines alone assembles, too, or it could not tell what is in flight.
func TestMetricsWithoutTraces(t *testing.T) {
	r := newTestReceiver(t, func(r *testReceiver) { r.traces, r.logs = nil, nil })
	r.post(t, line("pipeline.started", "r", 1, ""))
	r.collector.collect(t.Context())
	assert.Equal(t, []string{"pipeline stageflow.run.active map[] 1"}, r.points(t))
	r.post(t, line("pipeline.completed", "r", 2, ""))
	r.wait(t, time.Second)
	r.collector.collect(t.Context())
	assert.Equal(t, []string{"pipeline stageflow.run.active map[] 0"}, r.points(t))
}

// Metrics are handed on again and again, and once more at the end; what the pipeline refuses is told of.
func TestMetricsAreHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestReceiver(t)
		r.post(t, line("pipeline.started", "r", 1, ""))
		time.Sleep(2*collectEvery + time.Millisecond)
		synctest.Wait()
		assert.Len(t, r.metricsSink.AllMetrics(), 2)
		r.collector.next = consumertest.NewErr(errors.New("busy"))
		r.collector.stop(t.Context())
		assert.Equal(t, 1, r.log.FilterMessageSnippet("refused metrics").Len())
		r.collector.next = r.metricsSink
	})
}

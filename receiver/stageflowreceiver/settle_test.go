// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/assembly"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadatatest"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

var errLater = errors.New("queue is full")

func into(traces *flakyTraces) func(*testReceiver) {
	return func(r *testReceiver) { r.traces, r.tracesSink = traces, &traces.TracesSink }
}

func settledPoint(status, end string, n int64) metricdata.DataPoint[int64] {
	return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String(semconv.RunStatusKey, status), attribute.String(semconv.RunEndKey, end))}
}

// A busy pipeline gets the same spans again until it takes them, and takes them once.
func TestBusyPipelineIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traces := &flakyTraces{errs: []error{errLater, errLater, errLater}}
		r := newTestReceiver(t, into(traces))
		r.post(t, line("pipeline.started", "r", 1, "")+"\n"+line("pipeline.completed", "r", 2, ""))
		r.wait(t, time.Second)
		assert.Equal(t, 4, traces.tries)
		require.Len(t, r.spans(), 1)
		assert.Equal(t, "completed", attr(r.spans()[0], semconv.RunStatusKey))
		r.wait(t, time.Hour)
		assert.Len(t, r.spans(), 1)
		assert.Equal(t, 3, r.log.FilterMessageSnippet("trying again").Len())
		metadatatest.AssertEqualReceiverStageflowRunsSettled(t, r.telemetry, []metricdata.DataPoint[int64]{settledPoint("completed", "explicit", 1)}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	})
}

func TestPipelineThatRefusesForGood(t *testing.T) {
	traces := &flakyTraces{errs: []error{consumererror.NewPermanent(errors.New("never"))}}
	r := newTestReceiver(t, into(traces))
	r.post(t, line("pipeline.completed", "1", 1, ""))
	r.wait(t, time.Second)
	assert.Empty(t, r.spans())
	assert.Equal(t, 1, r.log.FilterMessageSnippet("runs are lost").Len())
	r.post(t, line("pipeline.completed", "2", 1, ""))
	r.wait(t, time.Second)
	require.Len(t, r.spans(), 1)
	assert.Equal(t, "2", attr(r.spans()[0], semconv.RunIDKey), "the next go on")
	assert.Equal(t, 2, traces.tries)
}

func TestManyRunsLeaveInBatches(t *testing.T) {
	traces := &flakyTraces{}
	r := newTestReceiver(t, into(traces))
	var lines []string
	for i := range 2*assembly.MaxDue + 1 {
		lines = append(lines, line("pipeline.completed", strconv.Itoa(i), 1, ""))
	}
	r.post(t, strings.Join(lines, "\n"))
	r.wait(t, time.Second)
	assert.Equal(t, 3, traces.tries)
	assert.Len(t, r.spans(), len(lines))
}

// The receiver's own sweeper, on the bubble's clock: runs leave by themselves, and while they may not, the bound
// fills and senders are told to wait.
func TestSweeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traces := &flakyTraces{}
		r := newTestReceiver(t, into(traces), func(r *testReceiver) { r.now, r.cfg.Runs.MaxActive = time.Now, 2 })
		r.settler.start()
		r.post(t, line("pipeline.completed", "1", 1, ""))
		time.Sleep(time.Second + sweepEvery)
		synctest.Wait()
		require.Len(t, r.spans(), 1)

		for range 100 {
			traces.errs = append(traces.errs, errLater)
		}
		r.post(t, line("pipeline.completed", "2", 1, ""))
		time.Sleep(2 * time.Second)
		r.post(t, line("pipeline.completed", "3", 1, "")+"\n"+line("pipeline.completed", "4", 1, ""))
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Len(t, r.spans(), 1)
		assert.Equal(t, http.StatusTooManyRequests, r.post(t, line("pipeline.completed", "5", 1, "")).Code)
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Len(t, r.spans(), 4)
		assert.Equal(t, http.StatusOK, r.post(t, line("pipeline.completed", "5", 1, "")).Code)
	})
}

// Shutdown while a batch is being tried again: it gets one more try, and then what had ended since.
func TestShutdownWhileThePipelineIsBusy(t *testing.T) {
	for refusals, want := range map[int]struct{ spans, lost int }{2: {2, 0}, 3: {1, 1}} {
		synctest.Test(t, func(t *testing.T) {
			traces := &flakyTraces{errs: slices.Repeat([]error{errLater}, refusals)}
			r := newTestReceiver(t, into(traces), func(r *testReceiver) { r.now = time.Now })
			r.settler.start()
			r.post(t, line("pipeline.completed", "1", 1, ""))
			time.Sleep(time.Second + sweepEvery + firstBackoff/2)
			synctest.Wait()
			require.Equal(t, 2, traces.tries)
			r.post(t, line("pipeline.completed", "2", 1, ""))
			require.NoError(t, r.Shutdown(context.Background()))
			assert.Equal(t, 4, traces.tries)
			assert.Len(t, r.spans(), want.spans)
			assert.Equal(t, want.lost, r.log.FilterMessageSnippet("runs are lost").Len())
		})
	}
}

func TestShutdownHandsOnWhatHasEnded(t *testing.T) {
	r := newTestReceiver(t)
	r.post(t, line("pipeline.completed", "ended", 1, "")+"\n"+line("pipeline.started", "open", 1, "")+"\n"+line("pipeline.canceled", "asked", 1, ""))
	metadatatest.AssertEqualReceiverStageflowRunsActive(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: 3}}, metricdatatest.IgnoreTimestamp())
	require.NoError(t, r.Shutdown(t.Context()))
	require.Len(t, r.spans(), 1)
	assert.Equal(t, "ended", attr(r.spans()[0], semconv.RunIDKey))
	lost := r.log.FilterMessageSnippet("runs that had not ended are lost").All()
	require.Len(t, lost, 1)
	assert.EqualValues(t, 2, lost[0].ContextMap()["runs"])
}

// A collector whose start failed shuts everything down that it made.
func TestPortTaken(t *testing.T) {
	holder := newTestReceiver(t, listening(t))
	for name, change := range map[string]func(*Config){
		"events": func(cfg *Config) { cfg.Events.GetOrInsertDefault().NetAddr = holder.cfg.Events.Get().NetAddr },
		"grpc": func(cfg *Config) {
			cfg.Protocols.GRPC.GetOrInsertDefault().NetAddr = holder.cfg.Protocols.GRPC.Get().NetAddr
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestReceiver(t)
			cfg := createDefaultConfig().(*Config)
			change(cfg)
			c, err := newCore(cfg, r.set)
			require.NoError(t, err)
			c.traces = r.tracesSink
			assert.ErrorContains(t, c.Start(t.Context(), componenttest.NewNopHost()), "address already in use")
			assert.NoError(t, c.Shutdown(t.Context()))
		})
	}
}

func TestSettledRunsAreCounted(t *testing.T) {
	r := newTestReceiver(t)
	r.post(t, strings.Join([]string{
		line("pipeline.completed", "1", 1, ""), line("pipeline.completed", "2", 1, ""), line("pipeline.failed", "3", 1, ""),
		line("pipeline.canceled", "4", 1, ""), line("pipeline.started", "5", 1, ""), line("stage.a.completed", "6", 1, ""),
	}, "\n"))
	r.wait(t, 15*time.Minute)
	r.post(t, line("stage.b.completed", "1", 1, "")) // a straggler is no run
	r.wait(t, time.Second)
	assert.Len(t, r.spans(), 8)
	metadatatest.AssertEqualReceiverStageflowRunsSettled(t, r.telemetry, []metricdata.DataPoint[int64]{
		settledPoint("completed", "explicit", 2), settledPoint("failed", "explicit", 1), settledPoint("cancelled", "requested", 1),
		settledPoint("abandoned", "abandoned", 1), settledPoint("completed", "inferred", 1),
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	metadatatest.AssertEqualReceiverStageflowRunsActive(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: 0}}, metricdatatest.IgnoreTimestamp())
}

func TestEventsAreCountedByKind(t *testing.T) {
	r := newTestReceiver(t, func(r *testReceiver) { r.cfg.Runs.MaxActive = 2 })
	ended := line("pipeline.completed", "1", 2, "")
	r.post(t, strings.Join([]string{line("pipeline.started", "1", 1, ""), line("custom", "1", 1, ""), ended, ended}, "\n"))
	r.wait(t, time.Second)
	late := func(n int64) {
		t.Helper()
		metadatatest.AssertEqualReceiverStageflowLateEvents(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: n}}, metricdatatest.IgnoreTimestamp())
	}
	late(0)
	r.post(t, line("stage.a.completed", "1", 1, ""))
	late(1)
	kind := func(name semconv.EventName, n int64) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String("event_name", string(name)))}
	}
	metadatatest.AssertEqualReceiverStageflowEvents(t, r.telemetry, []metricdata.DataPoint[int64]{
		kind(semconv.EventRunStarted, 1), kind(semconv.EventOther, 1), kind(semconv.EventRunEnded, 1), kind(semconv.EventStageEnded, 1),
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())

	evicted := func(n int64) {
		t.Helper()
		metadatatest.AssertEqualReceiverStageflowRunsEvicted(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: n}}, metricdatatest.IgnoreTimestamp())
	}
	r.wait(t, time.Second)
	evicted(0)
	for _, id := range []string{"2", "3"} { // two settled runs are remembered
		r.post(t, line("pipeline.completed", id, 2, ""))
		r.wait(t, time.Second)
	}
	evicted(1)
}

func TestWhatIsLostIsCounted(t *testing.T) {
	r := newTestReceiver(t)
	for i := range 10 {
		// Contradicting ends of a call whose start nobody saw: the first eight are kept.
		r.post(t, line("provider_call.ended", "", 1, `"call_id":"never started","success":false,"error":"`+strconv.Itoa(i)+`"`))
	}
	metadatatest.AssertEqualReceiverStageflowLostFacts(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: 2}}, metricdatatest.IgnoreTimestamp())
}

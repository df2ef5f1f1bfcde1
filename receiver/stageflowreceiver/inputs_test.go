// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/plogtest"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/ptracetest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/stageflow/otelcol-stageflow/internal/captures"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func (r *testReceiver) dial(t *testing.T) *grpc.ClientConn {
	conn, err := grpc.NewClient(r.cfg.Protocols.GRPC.Get().NetAddr.Endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}

// overGRPC and overHTTP send log records as OTLP.
func (r *testReceiver) overGRPC(t *testing.T, ld plog.Logs) error {
	_, err := plogotlp.NewGRPCClient(r.dial(t)).Export(t.Context(), plogotlp.NewExportRequestFromLogs(ld))
	return err
}

func (r *testReceiver) overHTTP(t *testing.T, ld plog.Logs) *http.Response {
	body, err := plogotlp.NewExportRequestFromLogs(ld).MarshalProto()
	require.NoError(t, err)
	resp, _ := send(t, "http://"+r.cfg.Protocols.HTTP.Get().ServerConfig.NetAddr.Endpoint+"/v1/logs", "application/x-protobuf", "", body)
	return resp
}

// foreignLogs hold what a receiver of anything has to let through: records that are no events, empty resources and
// scopes, values of every type, a name that only looks like ours.
func foreignLogs() plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.SetSchemaUrl("https://opentelemetry.io/schemas/1.0.0")
	rl.Resource().Attributes().PutStr("service.name", "other")
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName("scope")
	sl.Scope().SetVersion("1")
	lr := sl.LogRecords().AppendEmpty()
	lr.Body().SetStr("text with NUL \x00")
	lr.Attributes().PutEmptyBytes("bytes").FromRaw([]byte{0, 1, 0xff})
	lr.Attributes().PutDouble("double", 0.5)
	lr.Attributes().PutEmptySlice("slice").AppendEmpty().SetBool(true)
	lr.SetTimestamp(1)
	lr.SetSpanID(pcommon.SpanID{1})
	sl.LogRecords().AppendEmpty().SetEventName("stageflow")
	named := sl.LogRecords().AppendEmpty()
	named.SetEventName("stageflow.run.started") // the name, but not the type that every event has
	named.Attributes().PutStr("x", "y")
	return ld
}

func eventLogs(t testing.TB, lines ...string) plog.Logs {
	ld := plog.NewLogs()
	appendEvents(t, ld, strings.Join(lines, "\n"))
	return ld
}

func appendEvents(t testing.TB, ld plog.Logs, body string) {
	wireForm(t, body).ResourceLogs().MoveAndAppendTo(ld.ResourceLogs())
}

// wireForm has the events of a body as records, as an agent passes them on.
func wireForm(t testing.TB, body string) plog.Logs {
	var d event.Decoder
	rejected, _ := d.Decode([]byte(body), true)
	require.Empty(t, rejected)
	ld := plog.NewLogs()
	b := &batch{intake: &intake{next: consumertest.NewNop()}}
	b.openEvents(d.Events)
	b.writeRecords(ld)
	return ld
}

func TestForeignSignalsPass(t *testing.T) {
	r := newTestReceiver(t, listening(t))
	want := foreignLogs()
	require.NoError(t, r.overGRPC(t, foreignLogs()))
	assert.Equal(t, http.StatusOK, r.overHTTP(t, foreignLogs()).StatusCode)
	require.Len(t, r.logsSink.AllLogs(), 2)
	for _, got := range r.logsSink.AllLogs() {
		assert.NoError(t, plogtest.CompareLogs(want, got))
	}

	traces := ptrace.NewTraces()
	span := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("a span of the user's")
	span.SetSpanID(pcommon.SpanID{2})
	span.SetTraceID(pcommon.TraceID{3})
	sent := ptrace.NewTraces()
	traces.CopyTo(sent)
	_, err := ptraceotlp.NewGRPCClient(r.dial(t)).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(sent))
	require.NoError(t, err)
	require.Len(t, r.tracesSink.AllTraces(), 1)
	assert.NoError(t, ptracetest.CompareTraces(traces, r.tracesSink.AllTraces()[0]))

	metrics := pmetric.NewMetrics()
	m := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("m")
	m.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(7)
	toSend := pmetric.NewMetrics()
	metrics.CopyTo(toSend)
	_, err = pmetricotlp.NewGRPCClient(r.dial(t)).Export(t.Context(), pmetricotlp.NewExportRequestFromMetrics(toSend))
	require.NoError(t, err)
	require.Len(t, r.metricsSink.AllMetrics(), 1)
	assert.NoError(t, pmetrictest.CompareMetrics(metrics, r.metricsSink.AllMetrics()[0]))
	assert.Zero(t, r.intake.assembler.Active())
}

func TestMixedRequestIsOneUnit(t *testing.T) {
	mixed := func() plog.Logs {
		ld := eventLogs(t, line("pipeline.started", "r", 1, ""), line("pipeline.completed", "r", 2, ""))
		foreignLogs().ResourceLogs().MoveAndAppendTo(ld.ResourceLogs())
		return ld
	}
	logs := &flakyLogs{err: errors.New("queue is full")}
	r := newTestReceiver(t, listening(t), func(r *testReceiver) { r.logs = logs })
	assert.Equal(t, codes.Unavailable, status.Code(r.overGRPC(t, mixed())))
	assert.Equal(t, http.StatusServiceUnavailable, r.overHTTP(t, mixed()).StatusCode)
	assert.Zero(t, logs.LogRecordCount())
	assert.Zero(t, r.intake.assembler.Active())
	logs.err = nil
	require.NoError(t, r.overGRPC(t, mixed()))
	assert.Equal(t, 5, logs.LogRecordCount())
	assert.Equal(t, http.StatusOK, r.overHTTP(t, mixed()).StatusCode)
	assert.Equal(t, 8, logs.LogRecordCount(), "the events are known, the other records are not told apart")
	r.wait(t, time.Second)
	assert.Len(t, r.spans(), 1)
}

func TestTooManyRunsOverOTLP(t *testing.T) {
	r := newTestReceiver(t, listening(t), with(func(cfg *Config) { cfg.Runs.MaxActive = 1 }))
	require.NoError(t, r.overGRPC(t, eventLogs(t, line("pipeline.started", "1", 1, ""))))
	ld := eventLogs(t, line("pipeline.started", "2", 1, ""))
	foreignLogs().ResourceLogs().MoveAndAppendTo(ld.ResourceLogs())
	err := r.overGRPC(t, ld)
	assert.Equal(t, codes.ResourceExhausted, status.Code(err))
	var delay time.Duration
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			delay = info.RetryDelay.AsDuration()
		}
	}
	assert.Equal(t, retryAfter, delay)
	resp := r.overHTTP(t, eventLogs(t, line("pipeline.started", "2", 1, "")))
	assert.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
	assert.Equal(t, "2", resp.Header.Get("Retry-After"))
	assert.Equal(t, 1, r.logsSink.LogRecordCount())
}

// Over JSON, over OTLP, or through an agent that only forwards: the same events are the same spans.
func TestEveryWayInGivesTheSameSpans(t *testing.T) {
	all, err := captures.Load(capturesDir)
	require.NoError(t, err)
	settle := func(r *testReceiver) []string {
		for range 3 {
			r.wait(t, 15*time.Minute)
		}
		require.Zero(t, r.intake.assembler.Active())
		return r.canonicalSpans(t)
	}
	gateway := newTestReceiver(t, listening(t))
	for _, c := range all {
		if len(c.Body) == 0 {
			continue
		}
		direct := newTestReceiver(t)
		require.Equal(t, http.StatusOK, direct.post(t, string(c.Body)).Code)
		want := settle(direct)

		agent := newTestReceiver(t, func(r *testReceiver) { r.traces = nil })
		agent.post(t, string(c.Body))
		gateway.tracesSink.Reset()
		for _, ld := range agent.logsSink.AllLogs() {
			require.NoError(t, gateway.overGRPC(t, ld))
		}
		assert.Equal(t, strings.Join(want, "\n"), strings.Join(settle(gateway), "\n"), c.Name)

		plain := plog.NewLogs()
		appendEvents(t, plain, string(c.Body))
		server := newTestReceiver(t)
		require.NoError(t, server.intake.take(t.Context(), plain))
		assert.Equal(t, strings.Join(want, "\n"), strings.Join(settle(server), "\n"), c.Name)
	}
}

func TestCopiesAreKnownWhicheverWayTheyCome(t *testing.T) {
	r := newTestReceiver(t, listening(t))
	events := []string{line("pipeline.started", "r", 1, ""), line("pipeline.completed", "r", 2, `"n":1.5`)}
	r.post(t, strings.Join(events, "\n"))
	require.NoError(t, r.overGRPC(t, eventLogs(t, events...)))
	assert.Equal(t, 2, r.logsSink.LogRecordCount())
}

func TestTracesOnly(t *testing.T) {
	r := newTestReceiver(t, listening(t), func(r *testReceiver) { r.logs, r.metrics = nil, nil })
	assert.Equal(t, http.StatusOK, r.post(t, line("pipeline.completed", "1", 1, "")).Code)
	require.NoError(t, r.overGRPC(t, eventLogs(t, line("pipeline.completed", "2", 1, ""))))
	r.wait(t, time.Second)
	assert.Len(t, r.spans(), 2)
}

func TestLogsOnly(t *testing.T) {
	r := newTestReceiver(t, listening(t), func(r *testReceiver) { r.traces, r.metrics = nil, nil })
	assert.Equal(t, http.StatusOK, r.post(t, line("pipeline.completed", "1", 1, "")).Code)
	require.NoError(t, r.overGRPC(t, eventLogs(t, line("pipeline.completed", "2", 1, ""))))
	assert.Equal(t, 2, r.logsSink.LogRecordCount())
	assert.Zero(t, r.intake.assembler.Active(), "nothing is assembled")
	assert.Zero(t, r.log.Len(), "and nothing can be lost")
	for _, ld := range r.logsSink.AllLogs() {
		lr := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
		id, _ := lr.Attributes().Get(semconv.RunIDKey)
		assert.EqualValues(t, semconv.RunTraceID(id.Str()), lr.TraceID())
	}
	_, err := ptraceotlp.NewGRPCClient(r.dial(t)).Export(t.Context(), ptraceotlp.NewExportRequest())
	assert.Equal(t, codes.Unimplemented, status.Code(err))
}

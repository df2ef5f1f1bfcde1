// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal/journaltest"
)

// told is an answer as it stands on the wire.
type told struct {
	// http is the code over HTTP, grpc that over gRPC and in the body of OTLP over HTTP.
	http int
	grpc codes.Code
	// after is when to come again, in seconds; 0: never.
	after int
}

// overHTTPBoth sends an OTLP request over HTTP and checks that header and body of the answer say the same.
func overHTTPBoth(t *testing.T, url, contentType string, body []byte) told {
	t.Helper()
	resp, answer := send(t, url, contentType, "", body)
	assert.Equal(t, contentType, resp.Header.Get("Content-Type"))
	var st spb.Status
	if contentType == "application/json" {
		require.NoError(t, protojson.Unmarshal([]byte(answer), &st), answer)
	} else {
		require.NoError(t, proto.Unmarshal([]byte(answer), &st))
	}
	got := toldBy(status.FromProto(&st).Err())
	got.http = resp.StatusCode
	assert.Equal(t, header(got.after), resp.Header.Get("Retry-After"))
	return got
}

func header(after int) string {
	if after == 0 {
		return ""
	}
	return fmt.Sprint(after)
}

// toldBy is what a gRPC client learns.
func toldBy(err error) told {
	st := status.Convert(err)
	got := told{grpc: st.Code()}
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			got.after = int(info.RetryDelay.AsDuration().Seconds())
		}
	}
	return got
}

func (r *testReceiver) httpURL(path string) string {
	return "http://" + r.cfg.Protocols.HTTP.Get().ServerConfig.NetAddr.Endpoint + path
}

// assertTold sends events in every way there is and compares the answers. want.http is that of OTLP; events are told 400
// instead of any other code that says never.
func (r *testReceiver) assertTold(t *testing.T, want told, body string) {
	t.Helper()
	records := func() plogotlp.ExportRequest { return plogotlp.NewExportRequestFromLogs(eventLogs(t, body)) }
	_, err := plogotlp.NewGRPCClient(r.dial(t)).Export(t.Context(), records())
	assert.Equal(t, told{0, want.grpc, want.after}, toldBy(err), "OTLP over gRPC: %v", err)

	raw, err := records().MarshalProto()
	require.NoError(t, err)
	assert.Equal(t, want, overHTTPBoth(t, r.httpURL("/v1/logs"), "application/x-protobuf", raw), "OTLP over HTTP")
	raw, err = records().MarshalJSON()
	require.NoError(t, err)
	assert.Equal(t, want, overHTTPBoth(t, r.httpURL("/v1/logs"), "application/json", raw), "OTLP over HTTP, JSON")

	code := want.http
	if want.after == 0 {
		code = http.StatusBadRequest
	}
	resp, answer := send(t, "http://"+r.cfg.Events.Get().NetAddr.Endpoint+EventsPath, ndjson, "", []byte(body))
	assert.Equal(t, code, resp.StatusCode, answer)
	assert.Equal(t, header(want.after), resp.Header.Get("Retry-After"))
	assert.Contains(t, answer, `"accepted":0,"rejected":[],"error":"`)
}

func retryInfo(code codes.Code, delay time.Duration) error {
	st, err := status.New(code, "later").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(delay)})
	if err != nil {
		panic(err)
	}
	return st.Err()
}

// What a pipeline answers, and what its senders are told.
var pipelineErrors = []struct {
	name string
	err  error
	want told
}{
	{"memory is short", errors.New("data refused due to high memory usage"), told{503, codes.Unavailable, 2}},
	{"the queue is full", exporterhelper.ErrQueueIsFull, told{503, codes.Unavailable, 2}},
	{"wrapped", fmt.Errorf("pipeline: %w", exporterhelper.ErrQueueIsFull), told{503, codes.Unavailable, 2}},
	{"the sender has waited too long", context.DeadlineExceeded, told{503, codes.Unavailable, 2}},
	{"to be sent again", consumererror.NewRetryableError(errors.New("later")), told{503, codes.Unavailable, 2}},
	{"to be sent again, over HTTP", consumererror.NewOTLPHTTPError(errors.New("later"), http.StatusTooManyRequests), told{429, codes.ResourceExhausted, 2}},
	{"a status", status.Error(codes.Unavailable, "later"), told{503, codes.Unavailable, 2}},
	{"a status without a time", status.Error(codes.ResourceExhausted, "later"), told{429, codes.ResourceExhausted, 2}},
	{"a status with a time", retryInfo(codes.ResourceExhausted, 7*time.Second), told{429, codes.ResourceExhausted, 7}},
	{"a time too short to be told", retryInfo(codes.Unavailable, 100*time.Millisecond), told{503, codes.Unavailable, 2}},
	{"a status of success", okError{}, told{503, codes.Unavailable, 2}},
	{"never", consumererror.NewPermanent(errors.New("no")), told{400, codes.InvalidArgument, 0}},
	{"never, wrapped", fmt.Errorf("pipeline: %w", consumererror.NewPermanent(errors.New("no"))), told{400, codes.InvalidArgument, 0}},
	{"never, whatever its status", consumererror.NewPermanent(status.Error(codes.ResourceExhausted, "no")), told{400, codes.InvalidArgument, 0}},
	{"never, with a time", consumererror.NewPermanent(retryInfo(codes.Unavailable, time.Second)), told{400, codes.InvalidArgument, 0}},
	{"never, for a reason", consumererror.NewPermanent(status.Error(codes.PermissionDenied, "no")), told{403, codes.PermissionDenied, 0}},
	{"a status that is for good", status.Error(codes.InvalidArgument, "no"), told{400, codes.InvalidArgument, 0}},
	{"never, over HTTP", consumererror.NewOTLPHTTPError(errors.New("no"), http.StatusBadRequest), told{400, codes.InvalidArgument, 0}},
}

// okError has a status that says that nothing is wrong.
type okError struct{}

func (okError) Error() string              { return "odd" }
func (okError) GRPCStatus() *status.Status { return status.New(codes.OK, "") }

// A request that a pipeline refuses is answered with when to come again, or that it never need, in the terms of every
// way in, and leaves nothing behind.
func TestBackPressureIsToldToSenders(t *testing.T) {
	for _, tt := range pipelineErrors {
		t.Run(tt.name, func(t *testing.T) {
			refusing := consumertest.NewErr(tt.err)
			m := journaltest.New()
			r := newTestReceiver(t, listening(t), stored(m), func(r *testReceiver) { r.logs, r.traces, r.metrics = refusing, refusing, refusing })
			r.assertTold(t, tt.want, line("pipeline.started", "r", 1, ""))
			assert.Zero(t, r.intake.assembler.Active())
			assert.Empty(t, r.intake.seen.pending)

			// Spans and metrics of others pass by; what their pipelines answer comes back alike.
			spans := ptraceotlp.NewExportRequestFromTraces(foreignSpan("c"))
			_, err := ptraceotlp.NewGRPCClient(r.dial(t)).Export(t.Context(), spans)
			assert.Equal(t, told{0, tt.want.grpc, tt.want.after}, toldBy(err))
			raw, err := ptraceotlp.NewExportRequestFromTraces(foreignSpan("c")).MarshalProto()
			require.NoError(t, err)
			assert.Equal(t, tt.want, overHTTPBoth(t, r.httpURL("/v1/traces"), "application/x-protobuf", raw))

			md := pmetric.NewMetrics()
			md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(7)
			_, err = pmetricotlp.NewGRPCClient(r.dial(t)).Export(t.Context(), pmetricotlp.NewExportRequestFromMetrics(md))
			assert.Equal(t, told{0, tt.want.grpc, tt.want.after}, toldBy(err))
			raw, err = pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
			require.NoError(t, err)
			assert.Equal(t, tt.want, overHTTPBoth(t, r.httpURL("/v1/metrics"), "application/x-protobuf", raw))
		})
	}
}

func TestTooManyRunsIsToldToSenders(t *testing.T) {
	r := newTestReceiver(t, listening(t), with(func(cfg *Config) { cfg.Runs.MaxActive = 1 }))
	require.Equal(t, http.StatusOK, r.post(t, line("pipeline.started", "first", 1, "")).Code)
	r.assertTold(t, told{429, codes.ResourceExhausted, 2}, line("pipeline.started", "second", 1, ""))
	require.NoError(t, r.overGRPC(t, eventLogs(t, line("pipeline.completed", "first", 2, ""))), "what is in flight may go on")
	r.wait(t, time.Second)
	require.NoError(t, r.overGRPC(t, eventLogs(t, line("pipeline.started", "second", 1, ""))), "and makes room")
}

func TestFullStorageIsToldToSenders(t *testing.T) {
	m := journaltest.New()
	r := newTestReceiver(t, listening(t), stored(m))
	m.Refuse(storage.ErrStorageFull)
	r.assertTold(t, told{503, codes.Unavailable, 2}, line("pipeline.started", "r", 1, ""))
	m.Refuse(nil)
	require.NoError(t, r.overGRPC(t, eventLogs(t, line("pipeline.started", "r", 1, ""))))
}

func TestRequestUnderWayIsToldToSenders(t *testing.T) {
	logs := &blockingLogs{entered: make(chan struct{}), answers: make(chan error), flakyLogs: &flakyLogs{}}
	r := newTestReceiver(t, listening(t), func(r *testReceiver) { r.logs = logs })
	body := line("pipeline.completed", "r", 1, "")
	first := make(chan error)
	records := eventLogs(t, body)
	go func() { first <- r.intake.take(context.Background(), records) }()
	<-logs.entered
	r.assertTold(t, told{503, codes.Unavailable, 2}, body)
	logs.answers <- nil
	require.NoError(t, <-first)
	require.NoError(t, r.overGRPC(t, eventLogs(t, body)), "now it is a copy of what has been taken")
}

// However much is refused, nothing of it stays: no run, no number of an event, no entry of the journal that is kept.
func TestRefusedRequestsAreNotKept(t *testing.T) {
	m := journaltest.New()
	logs := &flakyLogs{err: exporterhelper.ErrQueueIsFull}
	r := newTestReceiver(t, stored(m), func(r *testReceiver) { r.logs = logs })
	for i := range 500 {
		lines := make([]string, 20)
		for n := range lines {
			lines[n] = line("pipeline.started", fmt.Sprintf("%d-%d", i, n), n, `"text":"`+strings.Repeat("x", 1000)+`"`)
		}
		require.Equal(t, http.StatusServiceUnavailable, r.post(t, strings.Join(lines, "\n")).Code)
	}
	assert.Zero(t, r.intake.assembler.Active())
	assert.Empty(t, r.intake.seen.pending)
	r.settler.sweep(t.Context(), false)
	stored := 0
	for _, key := range m.Keys() {
		stored += len(m.Value(key))
	}
	assert.Less(t, stored, 500*100, "of ten megabytes")
	logs.err = nil
	assert.Equal(t, http.StatusOK, r.post(t, line("pipeline.started", "r", 1, "")).Code)
}

// The pipeline's error stays what it is for the receiver's own metrics and log.
func TestRefusalKeepsItsCause(t *testing.T) {
	cause := consumererror.NewPermanent(storage.ErrStorageFull)
	err := refuse(consumererror.NewDownstream(cause))
	assert.ErrorIs(t, err, storage.ErrStorageFull)
	assert.True(t, consumererror.IsPermanent(err))
	assert.True(t, consumererror.IsDownstream(err))
	assert.EqualError(t, err, cause.Error())
	assert.NoError(t, refuse(nil))
}

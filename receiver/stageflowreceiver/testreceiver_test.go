// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/stageflow/otelcol-stageflow/internal/statustest"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal/journaltest"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadatatest"
)

// testReceiver is a receiver with its clock, its sinks, its log and its metrics in hand. It has no listener unless
// the configuration is changed to have one: requests go straight to the handler.
type testReceiver struct {
	*core
	statustest.Recorder
	clock       time.Time
	tracesSink  *consumertest.TracesSink
	logsSink    *consumertest.LogsSink
	metricsSink *consumertest.MetricsSink
	server      *eventsServer
	telemetry   *componenttest.Telemetry
	log         *observer.ObservedLogs
	extensions  map[component.ID]component.Component
}

// GetExtensions makes the test receiver the host of its receiver.
func (r *testReceiver) GetExtensions() map[component.ID]component.Component { return r.extensions }

// stored gives the receiver a storage.
func stored(m *journaltest.Memory) func(*testReceiver) {
	return func(r *testReceiver) {
		id := component.MustNewID("memory")
		r.cfg.Storage, r.extensions = &id, map[component.ID]component.Component{id: m}
	}
}

// newTestReceiver starts a receiver; change may alter its configuration and its pipelines before.
func newTestReceiver(t testing.TB, change ...func(*testReceiver)) *testReceiver {
	r := &testReceiver{
		clock:      time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		tracesSink: new(consumertest.TracesSink), logsSink: new(consumertest.LogsSink), metricsSink: new(consumertest.MetricsSink),
		telemetry: componenttest.NewTelemetry(),
	}
	set := metadatatest.NewSettings(r.telemetry)
	logger, log := observer.New(zap.WarnLevel)
	set.Logger, r.log = zap.New(logger), log
	var err error
	r.core, err = newCore(createDefaultConfig().(*Config), set)
	require.NoError(t, err)
	r.now = func() time.Time { return r.clock }
	r.traces, r.logs, r.metrics = r.tracesSink, r.logsSink, r.metricsSink
	for _, c := range change {
		c(r)
	}
	require.NoError(t, r.Start(context.Background(), r))
	t.Cleanup(func() {
		require.NoError(t, r.Shutdown(context.Background()))
		require.NoError(t, r.telemetry.Shutdown(context.Background()))
	})
	if r.settler != nil {
		// The sweeper is stopped: tests sweep when their own clock says so.
		r.settler.end()
	}
	obs, err := r.obsReport("http")
	require.NoError(t, err)
	r.server = newEventsServer(r.cfg.Events.GetOrInsertDefault(), r.intake, obs, r.core.telemetry, r.set)
	return r
}

// with changes the configuration.
func with(change func(*Config)) func(*testReceiver) {
	return func(r *testReceiver) { change(r.cfg) }
}

// listening gives the receiver real servers.
func listening(t testing.TB) func(*testReceiver) {
	return with(func(cfg *Config) {
		free := freeAddresses(t, 3)
		cfg.Events.GetOrInsertDefault().NetAddr.Endpoint = free[0]
		cfg.Protocols.GRPC.GetOrInsertDefault().NetAddr.Endpoint = free[1]
		cfg.Protocols.HTTP.GetOrInsertDefault().ServerConfig.NetAddr.Endpoint = free[2]
	})
}

// freeAddresses finds addresses that nobody listens on; all are held until all are found, so no two are the same.
func freeAddresses(t testing.TB, n int) []string {
	addresses := make([]string, 0, n)
	for range n {
		listener, err := net.Listen("tcp", "localhost:0")
		require.NoError(t, err)
		defer listener.Close()
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses
}

func (r *testReceiver) post(t testing.TB, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodPost, EventsPath, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/x-ndjson")
	r.server.post(w, req)
	return w
}

// send posts to the real server.
func send(t testing.TB, url, contentType, encoding string, body []byte) (resp *http.Response, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", contentType)
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	req.Close = true
	resp, err = http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(raw)
}

// wait moves the clock and sweeps.
func (r *testReceiver) wait(t testing.TB, d time.Duration) {
	r.clock = r.clock.Add(d)
	r.settler.sweep(t.Context(), false)
}

func (r *testReceiver) spans() []ptrace.Span {
	var out []ptrace.Span
	for _, td := range r.tracesSink.AllTraces() {
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					out = append(out, span)
				}
			}
		}
	}
	return out
}

// canonicalSpans are the spans as sorted texts, each with all that it says and its resource.
func (r *testReceiver) canonicalSpans(t require.TestingT) []string {
	var out []string
	for _, td := range r.tracesSink.AllTraces() {
		for _, rs := range td.ResourceSpans().All() {
			for _, span := range rs.ScopeSpans().At(0).Spans().All() {
				one := ptrace.NewTraces()
				to := one.ResourceSpans().AppendEmpty()
				rs.Resource().CopyTo(to.Resource())
				copied := to.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
				span.CopyTo(copied)
				attrs, err := json.Marshal(span.Attributes().AsRaw())
				require.NoError(t, err)
				copied.Attributes().Clear()
				raw, err := (&ptrace.JSONMarshaler{}).MarshalTraces(one)
				require.NoError(t, err)
				out = append(out, string(raw)+string(attrs))
			}
		}
	}
	slices.Sort(out)
	return out
}

func attr(span ptrace.Span, key string) string {
	v, ok := span.Attributes().Get(key)
	if !ok {
		return ""
	}
	return v.AsString()
}

// line is an event of a run, n milliseconds after noon.
func line(eventType, runID string, n int, fields string) string {
	if fields != "" {
		fields = "," + fields
	}
	emitted := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Millisecond).Format(time.RFC3339Nano)
	return fmt.Sprintf(`{"type":%q,"emitted_at":%q,"data":{"pipeline_run_id":%q%s}}`, eventType, emitted, runID, fields)
}

// flakyLogs is a logs pipeline that refuses while err is set.
type flakyLogs struct {
	consumertest.LogsSink
	err error
}

func (f *flakyLogs) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	if f.err != nil {
		return f.err
	}
	return f.LogsSink.ConsumeLogs(ctx, ld)
}

// flakyTraces is a traces pipeline that answers with errs first.
type flakyTraces struct {
	consumertest.TracesSink
	errs  []error
	tries int
}

func (f *flakyTraces) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	f.tries++
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		if err != nil {
			td.ResourceSpans().RemoveIf(func(ptrace.ResourceSpans) bool { return true }) // it is the pipeline's now
			return err
		}
	}
	return f.TracesSink.ConsumeTraces(ctx, td)
}

var (
	_ consumer.Logs   = (*flakyLogs)(nil)
	_ consumer.Traces = (*flakyTraces)(nil)
)

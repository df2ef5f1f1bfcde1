// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/plogtest"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/ptracetest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"
)

// maxBody bounds the bodies that both sides take over HTTP.
const maxBody = 1 << 20

// side is a running receiver and what the consumers behind it got.
type side struct {
	grpc, http string

	mu      sync.Mutex
	logs    []plog.Logs
	traces  []ptrace.Traces
	metrics []pmetric.Metrics
	// wire is all of it as protobuf, marshalled when it came.
	wire []string
}

// sides are the collector's own otlp receiver and ours, started alike.
type sides struct{ stock, ours *side }

func newSides(t *testing.T) sides {
	t.Helper()
	addresses := freeAddresses(t, 4)
	stock := otlpreceiver.NewFactory()
	cfg := stock.CreateDefaultConfig().(*otlpreceiver.Config)
	listen(&cfg.Protocols, addresses[:2])
	factory := stageflowreceiver.NewFactory()
	ourCfg := factory.CreateDefaultConfig().(*stageflowreceiver.Config)
	listen(&ourCfg.Protocols, addresses[2:])
	return sides{
		stock: newSide(t, stock, cfg, addresses[:2]),
		ours:  newSide(t, factory, ourCfg, addresses[2:]),
	}
}

func listen(p *otlpreceiver.Protocols, addresses []string) {
	p.GRPC.GetOrInsertDefault().NetAddr.Endpoint = addresses[0]
	server := &p.HTTP.GetOrInsertDefault().ServerConfig
	server.NetAddr.Endpoint = addresses[1]
	server.MaxRequestBodySize = maxBody
}

func freeAddresses(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	for range n {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer listener.Close()
		out = append(out, listener.Addr().String())
	}
	return out
}

func newSide(t *testing.T, factory receiver.Factory, cfg component.Config, addresses []string) *side {
	t.Helper()
	s := &side{grpc: addresses[0], http: "http://" + addresses[1]}
	set := receivertest.NewNopSettings(factory.Type())
	set.ID = component.NewID(factory.Type())
	logs, err := consumer.NewLogs(s.takeLogs)
	require.NoError(t, err)
	traces, err := consumer.NewTraces(s.takeTraces)
	require.NoError(t, err)
	metrics, err := consumer.NewMetrics(s.takeMetrics)
	require.NoError(t, err)
	a, err := factory.CreateLogs(t.Context(), set, cfg, logs)
	require.NoError(t, err)
	b, err := factory.CreateTraces(t.Context(), set, cfg, traces)
	require.NoError(t, err)
	c, err := factory.CreateMetrics(t.Context(), set, cfg, metrics)
	require.NoError(t, err)
	for _, part := range []component.Component{a, b, c} {
		require.NoError(t, part.Start(t.Context(), componenttest.NewNopHost()))
		t.Cleanup(func() { assert.NoError(t, part.Shutdown(context.Background())) })
	}
	return s
}

func (s *side) takeLogs(_ context.Context, ld plog.Logs) error {
	raw, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logs, s.wire = append(s.logs, ld), append(s.wire, string(raw))
	return err
}

func (s *side) takeTraces(_ context.Context, td ptrace.Traces) error {
	raw, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.traces, s.wire = append(s.traces, td), append(s.wire, string(raw))
	return err
}

func (s *side) takeMetrics(_ context.Context, md pmetric.Metrics) error {
	raw, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics, s.wire = append(s.metrics, md), append(s.wire, string(raw))
	return err
}

// assertSame compares what came out of both since the last time, as data and byte by byte, and returns how much that was.
func (s sides) assertSame(t *testing.T) int {
	t.Helper()
	s.stock.mu.Lock()
	defer s.stock.mu.Unlock()
	s.ours.mu.Lock()
	defer s.ours.mu.Unlock()
	require.Len(t, s.ours.logs, len(s.stock.logs))
	require.Len(t, s.ours.traces, len(s.stock.traces))
	require.Len(t, s.ours.metrics, len(s.stock.metrics))
	for i := range s.stock.logs {
		assert.NoError(t, plogtest.CompareLogs(s.stock.logs[i], s.ours.logs[i]))
	}
	for i := range s.stock.traces {
		assert.NoError(t, ptracetest.CompareTraces(s.stock.traces[i], s.ours.traces[i]))
	}
	for i := range s.stock.metrics {
		assert.NoError(t, pmetrictest.CompareMetrics(s.stock.metrics[i], s.ours.metrics[i]))
	}
	assert.Equal(t, s.stock.wire, s.ours.wire)
	n := len(s.stock.wire)
	for _, one := range []*side{s.stock, s.ours} {
		one.logs, one.traces, one.metrics, one.wire = nil, nil, nil, nil
	}
	return n
}

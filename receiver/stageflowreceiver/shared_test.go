// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadata"
)

// All pipelines that name one component id share one receiver with one listener, whatever the number of factory calls.
func TestPipelinesShareOneReceiver(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	free := freeAddresses(t, 2)
	endpoint := free[0]
	cfg.Events.GetOrInsertDefault().NetAddr.Endpoint = endpoint
	cfg.Protocols.GRPC.GetOrInsertDefault().NetAddr.Endpoint = free[1]
	factory, set := NewFactory(), receivertest.NewNopSettings(metadata.Type)
	logs, traces := new(consumertest.LogsSink), new(consumertest.TracesSink)

	// A second round comes with the same pointer: a reload after complete shutdown.
	for round := range 2 {
		var all []component.Component
		add := func(c component.Component, err error) {
			require.NoError(t, err)
			all = append(all, c)
		}
		add(factory.CreateLogs(t.Context(), set, cfg, logs))
		add(factory.CreateTraces(t.Context(), set, cfg, traces))
		add(factory.CreateTraces(t.Context(), set, cfg, traces))
		add(factory.CreateMetrics(t.Context(), set, cfg, new(consumertest.MetricsSink)))
		for _, c := range all {
			assert.Same(t, all[0], c)
			require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
		}
		resp, answer := send(t, "http://"+endpoint+EventsPath, ndjson, "", []byte(line("pipeline.completed", "r", 1, "")))
		assert.Equal(t, http.StatusOK, resp.StatusCode, answer)
		for _, c := range all {
			require.NoError(t, c.Shutdown(t.Context()))
		}
		assert.Equal(t, round+1, logs.LogRecordCount())
		assert.Equal(t, round+1, traces.SpanCount(), "what has ended is handed on at the end")
		_, err := net.Dial("tcp", endpoint)
		assert.Error(t, err, "nobody listens any more")
	}
}

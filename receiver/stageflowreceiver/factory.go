// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/stageflow/otelcol-stageflow/internal/shared"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadata"
)

// cores holds one receiver per component id, whatever the number of pipelines that use it.
var cores = shared.NewMap[*Config, *core](shared.FirstShutdown)

// NewFactory returns the factory of the stageflow receiver.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(
		metadata.Type,
		createDefaultConfig,
		receiver.WithTraces(createTraces, metadata.TracesStability),
		receiver.WithLogs(createLogs, metadata.LogsStability),
		receiver.WithMetrics(createMetrics, metadata.MetricsStability),
	)
}

func createTraces(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Traces) (receiver.Traces, error) {
	c, err := loadCore(set, cfg)
	if err != nil {
		return nil, err
	}
	c.Core().traces = next
	return c, nil
}

func createLogs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	c, err := loadCore(set, cfg)
	if err != nil {
		return nil, err
	}
	c.Core().logs = next
	return c, nil
}

func createMetrics(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	c, err := loadCore(set, cfg)
	if err != nil {
		return nil, err
	}
	c.Core().metrics = next
	return c, nil
}

func loadCore(set receiver.Settings, cfg component.Config) (*shared.Component[*core], error) {
	config := cfg.(*Config)
	return cores.LoadOrCreate(config, func() (*core, error) { return newCore(config, set) })
}

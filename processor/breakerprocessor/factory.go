// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/stageflow/otelcol-stageflow/internal/shared"
	"github.com/stageflow/otelcol-stageflow/processor/breakerprocessor/internal/metadata"
)

var capabilities = consumer.Capabilities{MutatesData: true}

// factory keeps one core per component id: the log record of a call and its span reach the same breaker.
type factory struct{ cores *shared.Map[*Config, *core] }

// NewFactory makes the factory of the breaker processor.
func NewFactory() processor.Factory {
	f := &factory{cores: shared.NewMap[*Config, *core](shared.LastShutdown)}
	return processor.NewFactory(
		metadata.Type,
		createDefaultConfig,
		processor.WithTraces(f.createTraces, metadata.TracesStability),
		processor.WithLogs(f.createLogs, metadata.LogsStability),
	)
}

func (f *factory) core(set processor.Settings, cfg component.Config) (*shared.Component[*core], error) {
	c := cfg.(*Config)
	return f.cores.LoadOrCreate(c, func() (*core, error) { return newCore(c, set.ID, set.TelemetrySettings) })
}

func (f *factory) createTraces(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
	c, err := f.core(set, cfg)
	if err != nil {
		return nil, err
	}
	return processorhelper.NewTraces(ctx, set, cfg, next, c.Core().processTraces,
		processorhelper.WithCapabilities(capabilities),
		processorhelper.WithStart(c.Start),
		processorhelper.WithShutdown(c.Shutdown))
}

func (f *factory) createLogs(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	c, err := f.core(set, cfg)
	if err != nil {
		return nil, err
	}
	return processorhelper.NewLogs(ctx, set, cfg, next, c.Core().processLogs,
		processorhelper.WithCapabilities(capabilities),
		processorhelper.WithStart(c.Start),
		processorhelper.WithShutdown(c.Shutdown))
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/stageflow/otelcol-stageflow/processor/errorsummaryprocessor/internal/metadata"
)

var capabilities = consumer.Capabilities{MutatesData: true}

// NewFactory makes the factory of the errorsummary processor.
func NewFactory() processor.Factory {
	return processor.NewFactory(
		metadata.Type,
		createDefaultConfig,
		processor.WithTraces(createTraces, metadata.TracesStability),
		processor.WithLogs(createLogs, metadata.LogsStability),
	)
}

func createTraces(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
	c, err := newCounter(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	p := &tracesProcessor{count: c}
	return processorhelper.NewTraces(ctx, set, cfg, next, p.process, processorhelper.WithCapabilities(capabilities))
}

func createLogs(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	c, err := newCounter(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	p := &logsProcessor{count: c}
	return processorhelper.NewLogs(ctx, set, cfg, next, p.process, processorhelper.WithCapabilities(capabilities))
}

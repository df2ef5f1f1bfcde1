// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"context"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/stageflow/otelcol-stageflow/processor/errorsummaryprocessor/internal/metadata"
)

var (
	capabilities = consumer.Capabilities{MutatesData: true}
	readOnly     = consumer.Capabilities{MutatesData: false}
)

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
	if !slices.Contains(cfg.(*Config).Signals, SignalTraces) {
		return processorhelper.NewTraces(ctx, set, cfg, next, passTraces, processorhelper.WithCapabilities(readOnly))
	}
	d, c, err := newParts(cfg.(*Config), set)
	if err != nil {
		return nil, err
	}
	p := &tracesProcessor{decider: d, count: c}
	return processorhelper.NewTraces(ctx, set, cfg, next, p.process, processorhelper.WithCapabilities(capabilities))
}

func createLogs(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	if !slices.Contains(cfg.(*Config).Signals, SignalLogs) {
		return processorhelper.NewLogs(ctx, set, cfg, next, passLogs, processorhelper.WithCapabilities(readOnly))
	}
	d, c, err := newParts(cfg.(*Config), set)
	if err != nil {
		return nil, err
	}
	p := &logsProcessor{decider: d, count: c}
	return processorhelper.NewLogs(ctx, set, cfg, next, p.process, processorhelper.WithCapabilities(capabilities))
}

func newParts(cfg *Config, set processor.Settings) (d decider, c counter, err error) {
	if d, err = newDecider(cfg, set.Logger); err != nil {
		return d, c, err
	}
	c, err = newCounter(set.TelemetrySettings)
	return d, c, err
}

// A signal that is not to be given summaries passes as it is.
func passTraces(_ context.Context, td ptrace.Traces) (ptrace.Traces, error) { return td, nil }
func passLogs(_ context.Context, ld plog.Logs) (plog.Logs, error)           { return ld, nil }

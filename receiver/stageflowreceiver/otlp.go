// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
)

func newOTLPFactory() receiver.Factory { return otlpreceiver.NewFactory() }

// newOTLP makes the collector's own otlp receiver. Its logs are taken in here; traces and metrics pass by, where
// there is a pipeline for them. What is refused is told with when to come again, which that receiver does not do by itself.
func newOTLP(ctx context.Context, set receiver.Settings, protocols otlpreceiver.Protocols, c *core) (component.Component, error) {
	factory := newOTLPFactory()
	set.ID = component.NewIDWithName(factory.Type(), set.ID.Name()) // the factory refuses an id of another type
	cfg := &otlpreceiver.Config{Protocols: protocols}

	// The records are changed in place.
	take := func(ctx context.Context, ld plog.Logs) error {
		leave, err := c.intake.gate.enter(ctx)
		if err != nil {
			return refuse(err)
		}
		defer leave()
		return refuse(c.intake.take(ctx, ld))
	}
	logs, err := consumer.NewLogs(take, consumer.WithCapabilities(consumer.Capabilities{MutatesData: true}))
	if err != nil {
		return nil, err
	}
	// One configuration gives one receiver, whatever the number of signals.
	otlp, err := factory.CreateLogs(ctx, set, cfg, logs)
	if err != nil {
		return nil, err
	}
	if c.traces != nil {
		pass := func(ctx context.Context, td ptrace.Traces) error { return refuse(c.passSpans(ctx, td)) }
		traces, err := consumer.NewTraces(pass, consumer.WithCapabilities(c.traces.Capabilities()))
		if err != nil {
			return nil, err
		}
		if _, err := factory.CreateTraces(ctx, set, cfg, traces); err != nil {
			return nil, err
		}
	}
	if c.metrics != nil {
		pass := func(ctx context.Context, md pmetric.Metrics) error { return refuse(c.metrics.ConsumeMetrics(ctx, md)) }
		metrics, err := consumer.NewMetrics(pass, consumer.WithCapabilities(c.metrics.Capabilities()))
		if err != nil {
			return nil, err
		}
		if _, err := factory.CreateMetrics(ctx, set, cfg, metrics); err != nil {
			return nil, err
		}
	}
	return otlp, nil
}

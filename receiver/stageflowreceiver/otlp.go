// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
)

func newOTLPFactory() receiver.Factory { return otlpreceiver.NewFactory() }

// newOTLP makes the collector's own otlp receiver. Its logs are taken in here; traces and metrics pass by, where
// there is a pipeline for them.
func newOTLP(ctx context.Context, set receiver.Settings, protocols otlpreceiver.Protocols, c *core) (component.Component, error) {
	factory := newOTLPFactory()
	set.ID = component.NewIDWithName(factory.Type(), set.ID.Name()) // the factory refuses an id of another type
	cfg := &otlpreceiver.Config{Protocols: protocols}

	// The records are changed in place.
	logs, err := consumer.NewLogs(c.intake.take, consumer.WithCapabilities(consumer.Capabilities{MutatesData: true}))
	if err != nil {
		return nil, err
	}
	// One configuration gives one receiver, whatever the number of signals.
	otlp, err := factory.CreateLogs(ctx, set, cfg, logs)
	if err != nil {
		return nil, err
	}
	if c.traces != nil {
		traces, err := consumer.NewTraces(c.passSpans, consumer.WithCapabilities(c.traces.Capabilities()))
		if err != nil {
			return nil, err
		}
		if _, err := factory.CreateTraces(ctx, set, cfg, traces); err != nil {
			return nil, err
		}
	}
	if c.metrics != nil {
		if _, err := factory.CreateMetrics(ctx, set, cfg, c.metrics); err != nil {
			return nil, err
		}
	}
	return otlp, nil
}

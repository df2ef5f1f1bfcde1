// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/assembly"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// observe tells of the assembly in the receiver's own metrics.
func (c *core) observe(assembler *assembly.Assembler) error {
	return errors.Join(
		c.telemetry.RegisterReceiverStageflowJournalSizeCallback(func(_ context.Context, o metric.Int64Observer) error {
			if c.journal != nil {
				o.Observe(c.journal.Size())
			}
			return nil
		}),
		c.telemetry.RegisterReceiverStageflowRunsActiveCallback(observing(assembler.Active)),
		c.telemetry.RegisterReceiverStageflowLostFactsCallback(observing(assembler.Lost)),
		c.telemetry.RegisterReceiverStageflowLateEventsCallback(observing(assembler.Late)),
		c.telemetry.RegisterReceiverStageflowRunsEvictedCallback(observing(assembler.Evicted)),
	)
}

func observing(count func() int) metric.Int64Callback {
	return func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(int64(count()))
		return nil
	}
}

// count tells of a batch that was taken.
func (b *batch) count() {
	if b.redacted > 0 {
		b.telemetry.ReceiverStageflowRedactedValues.Add(b.ctx, int64(b.redacted))
	}
	for i := range b.items {
		if b.items[i].known != duplicate {
			b.counts = countOne(b.counts, b.items[i].Name)
		}
	}
	for _, c := range b.counts {
		option, ok := eventOptions[c.name]
		if !ok {
			option = eventOptions[semconv.EventOther]
		}
		b.telemetry.ReceiverStageflowEvents.Add(b.ctx, c.n, option)
	}
}

type eventCount struct {
	name semconv.EventName
	n    int64
}

// countOne counts a kind of event: there are few in a batch.
func countOne(counts []eventCount, name semconv.EventName) []eventCount {
	for i := range counts {
		if counts[i].name == name {
			counts[i].n++
			return counts
		}
	}
	return append(counts, eventCount{name, 1})
}

// eventOptions are made once: events are counted with every batch.
var eventOptions = func() map[semconv.EventName]metric.AddOption {
	options := map[semconv.EventName]metric.AddOption{}
	for i := range semconv.Events {
		name := semconv.Events[i].Name
		options[name] = metric.WithAttributeSet(attribute.NewSet(attribute.String("event_name", string(name))))
	}
	return options
}()

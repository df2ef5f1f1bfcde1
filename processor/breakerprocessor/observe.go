// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// changed tells of a change of state.
func (c *core) changed(ctx context.Context, key breaker.Key, t breaker.Transition) {
	c.telemetry.ProcessorBreakerTransitions.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(
		attribute.String("transition", t.String()), attribute.String("reason", t.Reason.String()))))
	c.logger.Info("a breaker changed its state", zap.Stringer("breaker", key), zap.Stringer("transition", t),
		zap.Stringer("reason", t.Reason), zap.Time("at", t.At), zap.Uint64("generation", t.Generation))
}

// stateValues are the states as numbers; a forced one is what it is forced to.
var stateValues = map[semconv.BreakerState]int64{
	semconv.BreakerClosed:       0,
	semconv.BreakerForcedClosed: 0,
	semconv.BreakerHalfOpen:     1,
	semconv.BreakerOpen:         2,
	semconv.BreakerForcedOpen:   2,
}

// observe lets the collector read how the breakers are.
func (c *core) observe() error {
	stats := func(read func(breaker.Stats) int64) func(context.Context, metric.Int64Observer) error {
		return func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(read(c.breakers.Stats()))
			return nil
		}
	}
	tb := c.telemetry
	return errors.Join(
		tb.RegisterProcessorBreakerKeysCallback(stats(func(s breaker.Stats) int64 { return int64(s.Keys) })),
		tb.RegisterProcessorBreakerKeysForcedCallback(stats(func(s breaker.Stats) int64 { return int64(s.Forced) })),
		tb.RegisterProcessorBreakerKeysEvictedCallback(stats(func(s breaker.Stats) int64 { return int64(s.Evicted) })),
		tb.RegisterProcessorBreakerOutcomesLateCallback(stats(func(s breaker.Stats) int64 { return int64(s.Late) })),
		tb.RegisterProcessorBreakerOutcomesStaleCallback(stats(func(s breaker.Stats) int64 { return int64(s.Stale) })),
		tb.RegisterProcessorBreakerCallsCallback(func(_ context.Context, o metric.Int64Observer) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			o.Observe(int64(c.calls.Len()))
			return nil
		}),
		tb.RegisterProcessorBreakerStateCallback(func(_ context.Context, o metric.Int64Observer) error {
			for _, s := range c.breakers.List(c.now()) {
				if s.Generation > 0 { // there may be thousands that never opened
					o.Observe(stateValues[s.State], metric.WithAttributeSet(attribute.NewSet(
						attribute.String("operation", s.Key.Operation), attribute.String("provider", s.Key.Provider))))
				}
			}
			return nil
		}),
	)
}

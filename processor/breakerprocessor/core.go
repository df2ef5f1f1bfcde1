// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/processor/breakerprocessor/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// core is what all pipelines of one component id share: the breakers, and the calls that were counted.
type core struct {
	breakers  *breaker.Registry
	keys      keyAttributes
	telemetry *metadata.TelemetryBuilder
	now       func() time.Time
	changes   *broadcast
	api       *api    // nil: off
	keeper    *keeper // nil: off
	cfg       *Config
	id        component.ID
	logger    *zap.Logger

	// mu also keeps the batches apart: the record and the span of a call may come at the same time.
	mu    sync.Mutex
	calls *simplelru.LRU[callKey, verdict]
}

// callKey names a call: its run and call id, or the trace and span id of a call that has none.
type callKey struct{ of, id string }

// verdict is what was written on a call, for when the call is seen again.
type verdict struct {
	// The breaker when the call started.
	state        semconv.BreakerState
	failureRatio float64
	calls        uint64
	openedAt     time.Time // zero for a closed one
	retryAfter   time.Duration
	// transition that the call caused, "" for none; to is where it led.
	transition string
	to         semconv.BreakerState
}

func newCore(cfg *Config, id component.ID, set component.TelemetrySettings) (*core, error) {
	calls, err := simplelru.NewLRU[callKey, verdict](cfg.MaxCalls, nil)
	if err != nil {
		return nil, err
	}
	tb, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	c := &core{
		breakers: breaker.New(cfg.settings()), keys: newKeyAttributes(&cfg.Key), calls: calls,
		telemetry: tb, now: time.Now, changes: newBroadcast(), cfg: cfg, id: id, logger: set.Logger,
	}
	if cfg.API.HasValue() {
		c.api = newAPI(cfg.API.Get(), set, c.breakers, c.changes, c.now)
	}
	if err := c.observe(); err != nil {
		tb.Shutdown()
		return nil, err
	}
	return c, nil
}

// Start restores the breakers and opens the API, as far as they are configured.
func (c *core) Start(ctx context.Context, host component.Host) (err error) {
	if c.cfg.Storage != nil {
		if c.keeper, err = newKeeper(ctx, host, c); err != nil {
			return err
		}
	}
	if c.api != nil {
		if err = c.api.start(ctx, host); err != nil && c.keeper != nil {
			err = errors.Join(err, c.keeper.shutdown(ctx))
			c.keeper = nil
		}
	}
	return err
}

// Shutdown closes the API, keeps the breakers and takes the instruments back.
func (c *core) Shutdown(ctx context.Context) (err error) {
	defer c.telemetry.Shutdown()
	if c.api != nil {
		err = c.api.shutdown(ctx)
	}
	if c.keeper != nil {
		err = errors.Join(err, c.keeper.shutdown(ctx))
	}
	return err
}

func (c *core) observe() error {
	if err := c.telemetry.RegisterProcessorBreakerKeysCallback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(int64(c.breakers.Len()))
		return nil
	}); err != nil {
		return err
	}
	if err := c.telemetry.RegisterProcessorBreakerKeysEvictedCallback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(int64(c.breakers.Stats().Evicted)) //nolint:gosec // a count of things that happened
		return nil
	}); err != nil {
		return err
	}
	return c.telemetry.RegisterProcessorBreakerCallsCallback(func(_ context.Context, o metric.Int64Observer) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		o.Observe(int64(c.calls.Len()))
		return nil
	})
}

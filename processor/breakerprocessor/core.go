// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/processor/breakerprocessor/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
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
	sharer    *sharer // nil: off
	cfg       *Config
	id        component.ID
	source    string // names this collector since its start among those that share
	logger    *zap.Logger

	// mu also keeps the batches apart: the record and the span of a call may come at the same time.
	mu    sync.Mutex
	calls *knownCalls
}

func newCore(cfg *Config, id component.ID, set component.TelemetrySettings) (*core, error) {
	calls, err := newKnownCalls(cfg.MaxCalls)
	if err != nil {
		return nil, err
	}
	tb, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	settings := cfg.settings()
	settings.Source = uuid.NewString()
	c := &core{
		breakers: breaker.New(settings), source: settings.Source, keys: newKeyAttributes(&cfg.Key), calls: calls,
		telemetry: tb, now: time.Now, changes: newBroadcast(), cfg: cfg, id: id, logger: set.Logger,
	}
	if cfg.API.HasValue() {
		c.api = newAPI(cfg.API.Get(), set, c)
	}
	if err := c.observe(); err != nil {
		tb.Shutdown()
		return nil, err
	}
	return c, nil
}

// Start restores the breakers, shares them and opens the API, as far as that is configured.
func (c *core) Start(ctx context.Context, host component.Host) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop(ctx))
		}
	}()
	if c.cfg.Storage != nil {
		if c.keeper, err = newKeeper(ctx, host, c); err != nil {
			return err
		}
	}
	if c.cfg.Shared.Redis.HasValue() {
		if c.sharer, err = newSharer(ctx, host, c); err != nil {
			return err
		}
		c.sharer.start()
	}
	if c.api != nil {
		err = c.api.start(ctx, host)
	}
	return err
}

// Shutdown closes the API, tells what is new, keeps the breakers and takes the instruments back.
func (c *core) Shutdown(ctx context.Context) error {
	defer c.telemetry.Shutdown()
	return c.stop(ctx)
}

// stop ends what has been started, in the other order.
func (c *core) stop(ctx context.Context) (err error) {
	if c.api != nil {
		err = c.api.shutdown(ctx)
	}
	if c.sharer != nil {
		err = errors.Join(err, c.sharer.shutdown(ctx))
		c.sharer = nil
	}
	if c.keeper != nil {
		err = errors.Join(err, c.keeper.shutdown(ctx))
		c.keeper = nil
	}
	return err
}

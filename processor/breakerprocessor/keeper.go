// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/internal/storageclient"
)

const (
	// storageName tells the breakers from other things that a component may store. In it, stateKey is where they are,
	// callsKey where the calls are that they have counted.
	storageName = "breakers"
	stateKey    = "state"
	callsKey    = "calls"
	// keepEvery is how much a crash may forget, but for changes of state: those are kept at once.
	keepEvery = 5 * time.Second
)

// keeper keeps the breakers in a storage, so that a restart does not close those that are open.
type keeper struct {
	client storage.Client
	core   *core
	logger *zap.Logger

	dirty  atomic.Bool
	stop   context.CancelFunc
	done   sync.WaitGroup
	failed bool // and it has been said; the goroutine's own
}

// newKeeper restores what was kept and goes on keeping it until shutdown. A state that cannot be read is left behind: the
// breakers are closed then, as without a storage.
func newKeeper(ctx context.Context, host component.Host, c *core) (*keeper, error) {
	client, err := storageclient.Open(ctx, host, *c.cfg.Storage, c.id, component.KindProcessor, storageName)
	if err != nil {
		return nil, err
	}
	state, calls := storage.GetOperation(stateKey), storage.GetOperation(callsKey)
	if err := client.Batch(ctx, state, calls); err != nil {
		return nil, errors.Join(fmt.Errorf("storage %q cannot be read: %w", *c.cfg.Storage, err), client.Close(ctx))
	}
	if len(state.Value) > 0 {
		if err := c.restore(state.Value, calls.Value); err != nil {
			c.logger.Warn("the breakers of before are not known and count as closed", zap.Error(err))
		}
	}
	k := &keeper{client: client, core: c, logger: c.logger}
	life, stop := context.WithCancel(context.Background())
	k.stop = stop
	first := c.changes.next()
	k.done.Go(func() { k.run(life, c.changes, first) })
	return k, nil
}

// touch tells that outcomes have been counted.
func (k *keeper) touch() { k.dirty.Store(true) }

// run keeps what changed. changed is closed at the next change: it is asked for before the state is read, so that none is missed.
func (k *keeper) run(life context.Context, changes *broadcast, changed <-chan struct{}) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-changed:
			changed = changes.next()
			k.dirty.Store(true)
		case <-tick.C:
		case <-life.Done():
			return
		}
		k.keep(life)
	}
}

func (k *keeper) keep(ctx context.Context) {
	if !k.dirty.Swap(false) {
		return
	}
	state, calls := k.core.export()
	err := k.client.Batch(ctx, storage.SetOperation(stateKey, state), storage.SetOperation(callsKey, calls))
	if err != nil {
		k.dirty.Store(true)
	}
	if err != nil && !k.failed && ctx.Err() == nil {
		k.logger.Warn("the breakers cannot be kept: a restart now would forget what changed (said once until they can)", zap.Error(err))
	}
	k.failed = err != nil
}

// shutdown keeps the last state and closes the storage.
func (k *keeper) shutdown(ctx context.Context) error {
	k.stop()
	k.done.Wait()
	k.dirty.Store(true)
	k.keep(ctx)
	return k.client.Close(ctx)
}

// export is the breakers and the calls that they have counted, of one moment: together they count each call once.
func (c *core) export() (state, calls []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.breakers.Export(), c.calls.export()
}

func (c *core) restore(state, calls []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.breakers.Restore(state); err != nil {
		return err
	}
	return c.calls.restore(calls)
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/sqlitestore"
)

// opening hands out the store. When its server was away at the start, who needs the store opens it, one at a time: the
// collector takes what it is sent meanwhile, and nobody has to start it again.
type opening struct {
	open func(context.Context) (runlog.Store, error)
	// passes tells errors of open that waiting may repair.
	passes func(error) bool
	health *health

	mu     sync.Mutex
	store  runlog.Store // nil until it is open
	trying *attempt     // nil while nobody does
	closed bool
}

// attempt is one try to open the store, which all share who need it meanwhile.
type attempt struct {
	cancel context.CancelFunc
	// done is closed when the rest is known.
	done  chan struct{}
	store runlog.Store
	err   error
	// cut tells that the time of who tried was up: what failed then may be none of the store's doing.
	cut bool
}

// startOpening opens the store of a configuration. It fails where waiting would not help; a file is there or is not.
func startOpening(ctx context.Context, c *Config, h *health) (*opening, error) {
	o := &opening{health: h}
	switch c.Store {
	case StorePostgres:
		o.open, o.passes = c.Postgres.open, pgstore.Transient
	default:
		o.open = func(context.Context) (runlog.Store, error) {
			return sqlitestore.Open(c.SQLite.Path, sqlitestore.WithSynchronous(c.SQLite.Synchronous))
		}
		o.passes = func(error) bool { return false }
	}
	return o, o.start(ctx)
}

// start tries for the first time.
func (o *opening) start(ctx context.Context) error {
	store, err := o.open(ctx)
	switch {
	case err == nil:
		o.store = store
	case !o.passes(err):
		return err
	default:
		o.health.tell(err)
	}
	return nil
}

// get returns the store, and opens it when it is not open. Who comes while another tries waits for what comes of that,
// as long as ctx lets it.
func (o *opening) get(ctx context.Context) (runlog.Store, error) {
	for {
		store, others, err := o.enter(ctx)
		if others == nil {
			return store, err
		}
		select {
		case <-others.done:
			// That another's time was up says nothing of the store.
			if !others.cut {
				return others.store, others.err
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("the run log is still being opened: %w", ctx.Err())
		}
	}
}

// enter returns the attempt of another that is under way, else the store, which it opens when it must.
func (o *opening) enter(ctx context.Context) (runlog.Store, *attempt, error) {
	o.mu.Lock()
	if o.store != nil || o.trying != nil {
		defer o.mu.Unlock()
		return o.store, o.trying, nil
	}
	if o.closed {
		defer o.mu.Unlock()
		return nil, nil, os.ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &attempt{cancel: cancel, done: make(chan struct{})}
	o.trying = a
	o.mu.Unlock()

	store, err := o.open(ctx)
	if err == nil {
		a.store = store
	}
	a.err, a.cut = err, err != nil && ctx.Err() != nil
	o.tell(a)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.store, o.trying = a.store, nil
	close(a.done)
	return a.store, nil, a.err
}

// tell tells how an attempt ended. One that was cut changes nothing: that the store cannot be written to was told before.
func (o *opening) tell(a *attempt) {
	switch {
	case a.cut:
	case a.err == nil || o.passes(a.err):
		o.health.tell(a.err)
	default:
		o.health.tellBroken(a.err)
	}
}

// close ends an attempt that is under way, and closes the store if there is one.
func (o *opening) close() error {
	o.mu.Lock()
	o.closed = true
	a := o.trying
	o.mu.Unlock()
	if a != nil {
		a.cancel()
		<-a.done
	}
	o.mu.Lock()
	store := o.store
	o.mu.Unlock()
	if store == nil {
		return nil
	}
	return store.Close()
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/confighttp"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
)

// api serves the states of the breakers, as openapi.yaml describes.
type api struct {
	cfg      *confighttp.ServerConfig
	set      component.TelemetrySettings
	breakers *breaker.Registry
	changes  *broadcast
	// changed is told of what was forced.
	changed func(context.Context, breaker.Key, breaker.Transition)
	now     func() time.Time

	server  *http.Server
	closing chan struct{} // closed before the server stops, so that no long poll holds it up
	done    sync.WaitGroup
}

func newAPI(cfg *confighttp.ServerConfig, set component.TelemetrySettings, c *core) *api {
	return &api{
		cfg: cfg, set: set, breakers: c.breakers, changes: c.changes, changed: c.changed, now: c.now,
		closing: make(chan struct{}),
	}
}

func (a *api) handler() http.Handler {
	const one = breaker.APIPath + "/{operation}/{provider}"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+breaker.APIPath, a.list)
	mux.HandleFunc("GET "+one, a.one)
	mux.HandleFunc("PUT "+one, a.force)
	mux.HandleFunc("GET "+openAPIPath, a.describe)
	return mux
}

func (a *api) start(ctx context.Context, host component.Host) error {
	server, err := a.cfg.ToServer(ctx, host.GetExtensions(), a.set, a.handler())
	if err != nil {
		return err
	}
	listener, err := a.cfg.ToListener(ctx)
	if err != nil {
		return err
	}
	a.server = server
	a.done.Go(func() { a.serve(listener, host) })
	return nil
}

func (a *api) serve(listener net.Listener, host component.Host) {
	if err := a.server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
		componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(err))
	}
}

func (a *api) shutdown(ctx context.Context) error {
	if a.server == nil {
		return nil
	}
	close(a.closing)
	err := a.server.Shutdown(ctx)
	a.done.Wait()
	return err
}

// broadcast wakes everybody who waits for a change.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{}
}

func newBroadcast() *broadcast { return &broadcast{ch: make(chan struct{})} }

// next is closed at the next change.
func (b *broadcast) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ch
}

func (b *broadcast) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.ch)
	b.ch = make(chan struct{})
}

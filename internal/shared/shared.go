// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package shared gives every pipeline that names one component id the same instance behind it.
//
// The collector calls a factory once per pipeline and signal, with one configuration pointer per component id.
// What a component shares over those calls (a listener, a breaker's state, a database writer) is its core; a
// [Map] keeps one core per configuration pointer. A reload brings new pointers, after complete shutdown, so a
// core never outlives its configuration.
package shared // import "github.com/stageflow/otelcol-stageflow/internal/shared"

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
)

// StopAt says on which Shutdown of its users a core stops. The collector stops pipelines in no order that the
// components of one id could know, so it depends on which side of the pipelines a core stands.
type StopAt int

const (
	// LastShutdown is for processors and exporters: a core that still gets data from another pipeline must go on.
	LastShutdown StopAt = iota
	// FirstShutdown is for receivers: at the first Shutdown all pipelines behind the receiver are still there
	// to take what it drains, at the last one some are gone.
	FirstShutdown
)

// Map keeps one core per key, which is the pointer to the component's configuration.
type Map[K comparable, C component.Component] struct {
	stopAt StopAt
	mu     sync.Mutex
	cores  map[K]*Component[C]
}

// NewMap makes an empty map whose cores stop as stopAt says.
func NewMap[K comparable, C component.Component](stopAt StopAt) *Map[K, C] {
	return &Map[K, C]{stopAt: stopAt, cores: map[K]*Component[C]{}}
}

// LoadOrCreate returns the component of key and counts one more user of it. The first call creates the core; its
// error is returned and nothing is kept.
func (m *Map[K, C]) LoadOrCreate(key K, create func() (C, error)) (*Component[C], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.cores[key]; ok {
		c.mu.Lock()
		c.users++
		c.mu.Unlock()
		return c, nil
	}
	core, err := create()
	if err != nil {
		return nil, err
	}
	c := &Component[C]{core: core, users: 1, stopAt: m.stopAt}
	c.forget = func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.cores, key)
	}
	m.cores[key] = c
	return c, nil
}

// Component starts its core once and stops it once, whatever the number of its users.
type Component[C component.Component] struct {
	core   C
	stopAt StopAt
	forget func()

	mu       sync.Mutex
	users    int
	started  bool
	stopped  bool
	startErr error
}

// Core is the shared instance.
func (c *Component[C]) Core() C { return c.core }

// Start starts the core on the first call; later calls return what the first returned.
func (c *Component[C]) Start(ctx context.Context, host component.Host) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.started {
		c.started = true
		c.startErr = c.core.Start(ctx, host)
	}
	return c.startErr
}

// Shutdown stops the core on the first or the last call, as its map says. Further calls do nothing.
func (c *Component[C]) Shutdown(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users--
	if c.stopped || (c.stopAt == LastShutdown && c.users > 0) {
		return nil
	}
	c.stopped = true
	c.forget()
	return c.core.Shutdown(ctx)
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package journaltest has a storage extension for tests: in memory, and with failures on demand.
package journaltest // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal/journaltest"

import (
	"context"
	"maps"
	"slices"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// Memory is a storage extension that outlives the receivers which use it. A batch is done as a whole or not at all.
type Memory struct {
	component.StartFunc
	component.ShutdownFunc

	mu     sync.Mutex
	values map[string][]byte
	refuse error
	// batches and written count what was asked for.
	batches int
	written int64
}

var (
	_ storage.Extension = (*Memory)(nil)
	_ storage.Client    = (*client)(nil)
)

// New makes an empty storage.
func New() *Memory { return &Memory{values: map[string][]byte{}} }

// Refuse makes every write fail with err, until it is nil.
func (m *Memory) Refuse(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = err
}

// Keys are the keys that hold something, sorted.
func (m *Memory) Keys() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.values))
}

// Set stores a value, as another program might.
func (m *Memory) Set(key string, value []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = slices.Clone(value)
}

// Value is what a key holds.
func (m *Memory) Value(key string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.values[key])
}

// Written is how many batches wrote something, and how many bytes.
func (m *Memory) Written() (batches int, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.batches, m.written
}

// Copy is what a crash now would leave.
func (m *Memory) Copy() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Memory{values: maps.Clone(m.values)}
}

// GetClient implements [storage.Extension]. All clients see the same values.
func (m *Memory) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return &client{m}, nil
}

type client struct{ m *Memory }

func (c *client) Get(ctx context.Context, key string) ([]byte, error) {
	op := storage.GetOperation(key)
	err := c.Batch(ctx, op)
	return op.Value, err
}

func (c *client) Set(ctx context.Context, key string, value []byte) error {
	return c.Batch(ctx, storage.SetOperation(key, value))
}

func (c *client) Delete(ctx context.Context, key string) error {
	return c.Batch(ctx, storage.DeleteOperation(key))
}

func (c *client) Batch(_ context.Context, ops ...*storage.Operation) error {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	writes := slices.ContainsFunc(ops, func(op *storage.Operation) bool { return op.Type != storage.Get })
	if writes && c.m.refuse != nil {
		return c.m.refuse
	}
	if writes {
		c.m.batches++
	}
	for _, op := range ops {
		switch op.Type {
		case storage.Get:
			op.Value = slices.Clone(c.m.values[op.Key])
		case storage.Set:
			c.m.values[op.Key] = slices.Clone(op.Value)
			c.m.written += int64(len(op.Value))
		case storage.Delete:
			delete(c.m.values, op.Key)
		}
	}
	return nil
}

func (*client) Close(context.Context) error { return nil }

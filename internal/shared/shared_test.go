// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package shared

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
)

type config struct{ _ int }

type core struct {
	starts, stops int
	startErr      error
}

func (c *core) Start(context.Context, component.Host) error { c.starts++; return c.startErr }
func (c *core) Shutdown(context.Context) error              { c.stops++; return nil }

func TestOneCorePerKey(t *testing.T) {
	m := NewMap[*config, *core](LastShutdown)
	one, other := &config{}, &config{}
	created := 0
	create := func() (*core, error) { created++; return &core{}, nil }

	a, err := m.LoadOrCreate(one, create)
	require.NoError(t, err)
	b, err := m.LoadOrCreate(one, create)
	require.NoError(t, err)
	c, err := m.LoadOrCreate(other, create)
	require.NoError(t, err)

	assert.Same(t, a.Core(), b.Core())
	assert.NotSame(t, a.Core(), c.Core())
	assert.Equal(t, 2, created)
}

func TestStartsOnceAndStopsWhereItsSideSays(t *testing.T) {
	for name, tt := range map[string]struct {
		stopAt          StopAt
		afterFirst, end int
	}{
		"receivers stop at the first shutdown":               {FirstShutdown, 1, 1},
		"processors and exporters stop at the last shutdown": {LastShutdown, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMap[*config, *core](tt.stopAt)
			key := &config{}
			create := func() (*core, error) { return &core{}, nil }
			a, err := m.LoadOrCreate(key, create)
			require.NoError(t, err)
			b, err := m.LoadOrCreate(key, create)
			require.NoError(t, err)

			ctx, host := context.Background(), componenttest.NewNopHost()
			require.NoError(t, a.Start(ctx, host))
			require.NoError(t, b.Start(ctx, host))
			assert.Equal(t, 1, a.Core().starts)

			require.NoError(t, a.Shutdown(ctx))
			assert.Equal(t, tt.afterFirst, a.Core().stops)
			require.NoError(t, b.Shutdown(ctx))
			assert.Equal(t, tt.end, a.Core().stops)

			again, err := m.LoadOrCreate(key, create)
			require.NoError(t, err)
			assert.NotSame(t, a.Core(), again.Core(), "a stopped core is not handed out again")
		})
	}
}

func TestErrorsReachEveryUser(t *testing.T) {
	m := NewMap[*config, *core](LastShutdown)
	key, boom := &config{}, errors.New("boom")
	_, err := m.LoadOrCreate(key, func() (*core, error) { return nil, boom })
	require.ErrorIs(t, err, boom)

	c, err := m.LoadOrCreate(key, func() (*core, error) { return &core{startErr: boom}, nil })
	require.NoError(t, err, "a failed create keeps nothing")
	assert.ErrorIs(t, c.Start(context.Background(), nil), boom)
	assert.ErrorIs(t, c.Start(context.Background(), nil), boom)
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/stageflow/otelcol-stageflow/processor/breakerprocessor/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// shelf is a storage extension that outlives the collectors that use it.
type shelf struct {
	component.StartFunc
	component.ShutdownFunc
	storage.Client
	mu     sync.Mutex
	values map[string][]byte
	sets   int
	err    error
}

func (s *shelf) read() (values map[string][]byte, sets int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.values), s.sets
}

func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *shelf) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return s, nil
}
func (s *shelf) Close(context.Context) error { return nil }
func (s *shelf) Batch(_ context.Context, operations ...*storage.Operation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if operations[0].Type == storage.Set {
		s.sets++
	}
	if s.err != nil {
		return s.err
	}
	for _, o := range operations {
		if o.Type == storage.Get {
			o.Value = s.values[o.Key]
			continue
		}
		if s.values == nil {
			s.values = map[string][]byte{}
		}
		s.values[o.Key] = o.Value
	}
	return nil
}

type hostWith map[component.ID]component.Component

func (h hostWith) GetExtensions() map[component.ID]component.Component { return h }

var shelfID = component.MustNewID("shelf")

func startKept(t *testing.T, s component.Component) (*core, error) {
	t.Helper()
	cfg := defaults()
	cfg.Storage = &shelfID
	c, err := newCore(cfg, component.NewID(metadata.Type), componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	c.now = func() time.Time { return at(100) }
	return c, c.Start(t.Context(), hostWith{shelfID: s})
}

func TestBreakersOutliveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		first, err := startKept(t, s)
		require.NoError(t, err)
		first.logNotes(t, fail(5, 1)...)
		synctest.Wait()
		sets := func() int { _, n := s.read(); return n }
		assert.Equal(t, 1, sets(), "a change is kept at once")
		first.logNotes(t, testCall{id: "late", end: 6, status: semconv.StatusCompleted})
		synctest.Wait()
		assert.Equal(t, 1, sets())
		time.Sleep(keepEvery)
		synctest.Wait()
		assert.Equal(t, 2, sets(), "counts are kept a little later")
		time.Sleep(10 * keepEvery)
		assert.Equal(t, 2, sets(), "nothing happened")

		// The first is killed: nothing of it is called any more but what ends its goroutine.
		values, _ := s.read()
		second, err := startKept(t, &shelf{values: values})
		require.NoError(t, err)
		assert.Equal(t, semconv.BreakerOpen, second.state(6))
		assert.Equal(t, first.breakers.List(at(6)), second.breakers.List(at(6)))
		require.NoError(t, second.Shutdown(t.Context()))
		require.NoError(t, first.Shutdown(t.Context()))
	})
}

// The record of a call came before the restart, its span comes after.
func TestCallsCountOnceOverARestart(t *testing.T) {
	s := &shelf{}
	first, err := startKept(t, s)
	require.NoError(t, err)
	calls := append(fail(4, 1), testCall{id: "good", end: 4.5, status: semconv.StatusCompleted})
	want := first.logNotes(t, calls...)
	require.NoError(t, first.Shutdown(t.Context()))

	second, err := startKept(t, s)
	require.NoError(t, err)
	assert.Equal(t, want, second.spanNotes(t, calls...))
	assert.Equal(t, uint64(5), second.breakers.StateAt(breaker.Key{Operation: "chat", Provider: "openai"}, at(6)).Calls)
	second.logNotes(t, fail(4, 11)...)
	assert.Equal(t, semconv.BreakerClosed, second.state(15))
	second.logNotes(t, fail(5, 11)...)
	assert.Equal(t, semconv.BreakerOpen, second.state(15), "four of these are known")
	require.NoError(t, second.Shutdown(t.Context()))
}

func TestAStateThatCannotBeReadIsLeftBehind(t *testing.T) {
	s := &shelf{values: map[string][]byte{stateKey: []byte("what a later version writes")}}
	c, err := startKept(t, s)
	require.NoError(t, err)
	assert.Zero(t, c.breakers.Len())
	require.NoError(t, c.Shutdown(t.Context()))
	assert.NotEqual(t, "what a later version writes", string(s.values[stateKey]))
}

func TestAStorageThatFailsStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		c, err := startKept(t, s)
		require.NoError(t, err)
		s.fail(errors.New("a cable is out"))
		c.logNotes(t, fail(5, 1)...)
		time.Sleep(2 * keepEvery)
		synctest.Wait()
		values, _ := s.read()
		assert.Empty(t, values)
		s.fail(nil)
		time.Sleep(keepEvery)
		synctest.Wait()
		values, _ = s.read()
		assert.Len(t, values, 2, "kept when it can be")
		require.NoError(t, c.Shutdown(t.Context()))
	})
}

func TestAStorageThatIsNone(t *testing.T) {
	_, err := startKept(t, nil)
	require.ErrorContains(t, err, `storage is "shelf": that is not a storage extension`)
	_, err = startKept(t, &shelf{err: errors.New("a cable is out")})
	require.ErrorContains(t, err, `storage "shelf" cannot be read: a cable is out`)
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slowSink takes an event whenever the test lets it.
type slowSink struct {
	leave chan error
	mu    sync.Mutex
	taken []string
	datas []map[string]any
}

func (s *slowSink) TryEmit(context.Context, string, map[string]any) bool { panic("the queue may wait") }

func (s *slowSink) Emit(ctx context.Context, eventType string, data map[string]any) error {
	select {
	case err := <-s.leave:
		if err != nil {
			if err.Error() == "panic" {
				panic(err)
			}
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, eventType)
	s.datas = append(s.datas, data)
	return nil
}

func TestQueueSinkDropsTheNewestAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := &slowSink{leave: make(chan error)}
		q := NewQueueSink(behind, 2)
		assert.True(t, q.TryEmit(t.Context(), "a", nil))
		synctest.Wait() // a is being handed on
		assert.True(t, q.TryEmit(t.Context(), "b", nil))
		assert.True(t, q.TryEmit(t.Context(), "c", nil))
		time.Sleep(time.Second)
		assert.False(t, q.TryEmit(t.Context(), "d", nil))
		m := q.Metrics()
		assert.Equal(t, 2, m.Queued)
		assert.Equal(t, int64(3), m.Emitted)
		assert.Equal(t, int64(1), m.Dropped)
		assert.Equal(t, int64(1), m.QueueFull)
		assert.InDelta(t, 25, m.DropRatePercent(), 0)
		assert.Equal(t, time.Second, m.LastDrop.Sub(m.LastEmit))

		behind.leave <- nil
		behind.leave <- errors.New("no")
		behind.leave <- errors.New("panic")
		require.NoError(t, q.Close(t.Context()))
		assert.Equal(t, []string{"a"}, behind.taken)
		m = q.Metrics()
		assert.Equal(t, []int64{1, 2, 0}, []int64{m.Sent, m.Failed, int64(m.Queued)})
	})
}

func TestQueueSinkEmitWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := &slowSink{leave: make(chan error)}
		q := NewQueueSink(behind, 1)
		require.NoError(t, q.Emit(t.Context(), "a", nil))
		synctest.Wait()
		require.NoError(t, q.Emit(t.Context(), "b", nil))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, q.Emit(ctx, "gives up", nil), context.DeadlineExceeded)

		waited := make(chan error)
		go func() { waited <- q.Emit(t.Context(), "c", nil) }()
		synctest.Wait()
		behind.leave <- nil
		require.NoError(t, <-waited)

		go func() { waited <- q.Emit(t.Context(), "too late", nil) }()
		synctest.Wait()
		go func() { behind.leave <- nil; behind.leave <- nil }()
		require.NoError(t, q.Close(t.Context()))
		// Close wakes who waits: either there was room by then, or it is told so.
		if err := <-waited; err != nil {
			assert.ErrorIs(t, err, ErrSinkClosed)
		}
		assert.Equal(t, []string{"a", "b", "c"}, behind.taken[:3])
		assert.ErrorIs(t, q.Emit(t.Context(), "x", nil), ErrSinkClosed)
		assert.False(t, q.TryEmit(t.Context(), "x", nil))
	})
}

func TestQueueSinkCloseWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := &slowSink{leave: make(chan error)} // never lets anything go
		q := NewQueueSink(behind, 10)
		for i := range 5 {
			assert.True(t, q.TryEmit(t.Context(), fmt.Sprint(i), nil))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, q.Close(ctx), context.DeadlineExceeded)
		require.NoError(t, q.Close(t.Context()))
		m := q.Metrics()
		assert.Equal(t, []int64{5, 0, 5}, []int64{m.Emitted, m.Sent, m.Failed})
	})
}

// What was given is what is handed on, whatever becomes of the map and of the context.
func TestQueueSinkKeepsWhatItWasGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := &slowSink{leave: make(chan error)}
		q := NewQueueSink(behind, 10)
		ctx, cancel := context.WithCancel(t.Context())
		data := map[string]any{"list": []any{"a", map[string]int{"n": 1}}, "none": nil}
		q.TryEmit(ctx, "e", data)
		data["list"].([]any)[0] = "changed"
		delete(data, "none")
		cancel()
		behind.leave <- nil
		require.NoError(t, q.Close(t.Context()))
		assert.Equal(t, map[string]any{"list": []any{"a", map[string]any{"n": int64(1)}}, "none": nil}, behind.datas[0])
	})
}

// Before a client, events keep their time and their place, and a dropped one leaves a gap in the numbers.
func TestQueueSinkBeforeAClient(t *testing.T) {
	c, got, k := newTestClient(t)
	q := NewQueueSink(c, 5)
	require.NoError(t, Run(t.Context(), "chat", func(ctx context.Context) error {
		assert.True(t, q.TryEmit(ctx, "mine", nil))
		return nil
	}, WithClient(c), WithRunID("r1")))
	k.pass(time.Hour)
	require.NoError(t, q.Close(t.Context()))
	e := got.only(t, "mine")
	assert.Equal(t, noon, e.at)
	assert.Equal(t, "r1", e.data["pipeline_run_id"])

	before := c.seq.Load()
	assert.False(t, q.TryEmit(t.Context(), "dropped", nil))
	c.TryEmit(t.Context(), "next", nil)
	assert.Equal(t, before+2, got.only(t, "next").seq)
}

func TestQueueSinkUnderManyGoroutines(t *testing.T) {
	c, got, _ := newTestClient(t)
	q := NewQueueSink(c, 8)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := range 100 {
				if i%2 == 0 {
					q.TryEmit(t.Context(), "e", map[string]any{"i": i})
				} else {
					assert.NoError(t, q.Emit(t.Context(), "e", nil))
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, q.Close(t.Context()))
	m := q.Metrics()
	assert.Equal(t, int64(1600), m.Emitted+m.Dropped)
	assert.Equal(t, m.Emitted, m.Sent)
	assert.Len(t, got.all(), int(m.Sent))
	assert.Equal(t, int64(1600), c.seq.Load())
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Upstream: the buffer is emptied before it is exported, so that a failure loses the batch, uncounted and in the
// face of whoever exported last.
func TestBufferedBatchIsNotLostOnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		next := &shelf{on: func(context.Context, []AnalyticsEvent) error {
			if !up.Load() {
				return errDown
			}
			return nil
		}}
		b := startBuffered(t, next, WithBatchSize(2))
		numbered(t, b, 1, 5)
		synctest.Wait()
		assert.Empty(t, next.all())
		assert.Equal(t, 5, b.Stats().Queued)

		up.Store(true)
		time.Sleep(retryFirst)
		synctest.Wait()
		assert.Equal(t, [][]string{{"1", "2"}, {"3", "4"}, {"5"}}, next.batches)
		s := b.Stats()
		assert.Equal(t, []int64{5, 0, 0, 1}, []int64{s.Exported, s.Failed, s.Dropped, s.Retries})
		require.NoError(t, b.Close(t.Context()))
	})
}

// Upstream: the first error ends the timer for good.
func TestBufferedTimerSurvivesErrorsAndPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		next := &shelf{on: func(context.Context, []AnalyticsEvent) error {
			switch calls++; calls {
			case 1:
				return errDown
			case 2:
				panic("oh")
			case 3:
				runtime.Goexit()
			}
			return nil
		}}
		b := startBuffered(t, next, WithMaxAttempts(1))
		for i := range 5 {
			numbered(t, b, i, i)
			time.Sleep(10 * time.Second)
			synctest.Wait()
		}
		assert.Equal(t, []string{"3", "4"}, next.all())
		assert.Equal(t, int64(3), b.Stats().Failed, "counted")
		require.NoError(t, b.Close(t.Context()))
	})
}

func TestBufferedRetriesWithBackoffThenGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		next := &shelf{on: func(_ context.Context, events []AnalyticsEvent) error {
			if events[0].EventType != "1" {
				return nil
			}
			at = append(at, time.Since(start))
			return errDown
		}}
		b := startBuffered(t, next, WithBatchSize(1), WithFlushInterval(time.Millisecond))
		numbered(t, b, 1, 3)
		time.Sleep(time.Minute)
		const s = time.Second
		assert.Equal(t, []time.Duration{0, s / 2, 3 * s / 2, 7 * s / 2, 15 * s / 2, 25 * s / 2, 35 * s / 2, 45 * s / 2}, at)
		assert.Equal(t, []string{"2", "3"}, next.all())
		assert.Equal(t, BufferedExporterStats{Accepted: 3, Exported: 2, Failed: 1, Flushes: 2, Retries: 7, MaxBufferSize: 10_000}, b.Stats())
		require.NoError(t, b.Close(t.Context()), "was lost before, and told then")
	})
}

func TestBufferedTellsOfLossOnceAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		b, err := newBufferedExporter(&shelf{on: func(context.Context, []AnalyticsEvent) error {
			if attempts++; attempts%4 == 0 { // an outage of three batches
				return nil
			}
			return errDown
		}}, WithBatchSize(1), WithMaxAttempts(1))
		require.NoError(t, err)
		var told []string
		b.report = func(err error) { told = append(told, err.Error()); panic("oh") }
		go b.run()
		numbered(t, b, 1, 8)
		synctest.Wait()
		const want = "stageflow: 1 analytics events were given up (said once until a batch arrives): down"
		assert.Equal(t, []string{want, want}, told)
		require.NoError(t, b.Close(t.Context()))
	})
}

func TestBufferedGivesUpAtOnceOnAClosedExporter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBuffered(t, &shelf{on: func(context.Context, []AnalyticsEvent) error { return fmt.Errorf("x: %w", ErrExporterClosed) }})
		numbered(t, b, 1, 2)
		require.ErrorIs(t, b.Flush(t.Context()), ErrExporterClosed)
		assert.Equal(t, int64(2), b.Stats().Failed)
		require.NoError(t, b.Close(t.Context()))
	})
}

func TestBufferedExporterThatHangsIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := true
		next := &shelf{on: func(ctx context.Context, _ []AnalyticsEvent) error {
			if hung {
				<-ctx.Done()
				hung = false
				return ctx.Err()
			}
			return nil
		}}
		b := startBuffered(t, next, WithBatchSize(1))
		numbered(t, b, 1, 1)
		time.Sleep(exportWithin + retryFirst)
		synctest.Wait()
		assert.Equal(t, []string{"1"}, next.all())
		require.NoError(t, b.Close(t.Context()))
	})
}

func TestBufferedFlushTellsOfFailureAndKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := errDown
		next := &shelf{on: func(context.Context, []AnalyticsEvent) error { return err }}
		b := startBuffered(t, next)
		numbered(t, b, 1, 3)
		require.ErrorIs(t, b.Flush(t.Context()), errDown)
		assert.Equal(t, 3, b.Stats().Queued)
		err = nil
		require.NoError(t, b.Flush(t.Context()), "without waiting for the backoff")
		assert.Equal(t, numbers(1, 3), next.all())
		require.NoError(t, b.Flush(t.Context()), "of nothing")
		require.NoError(t, b.Close(t.Context()))
		require.ErrorIs(t, b.Flush(t.Context()), ErrExporterClosed)
	})
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBufferedFlushWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leave := make(chan struct{})
		b := startBuffered(t, &shelf{on: func(context.Context, []AnalyticsEvent) error { <-leave; return nil }})
		numbered(t, b, 1, 1)
		for range 2 { // the first is answered too late, the second not heard
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			require.ErrorIs(t, b.Flush(ctx), context.DeadlineExceeded)
			cancel()
		}
		close(leave)
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, int64(1), b.Stats().Exported)
	})
}

// Upstream: the exporter behind is closed, but what it still holds is not flushed.
func TestBufferedCloseFlushesAndClosesWhatIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		last := &shelf{}
		b := startBuffered(t, startBuffered(t, last))
		numbered(t, b, 1, 250)
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, numbers(1, 250), last.all())
		assert.Equal(t, 1, last.closed)
	})
}

// Upstream: an export after close is taken and never leaves.
func TestBufferedExportAfterCloseIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &shelf{}
		b := startBuffered(t, next)
		require.NoError(t, b.Close(t.Context()))
		require.ErrorIs(t, b.Export(t.Context(), AnalyticsEvent{}), ErrExporterClosed)
		require.ErrorIs(t, b.ExportBatch(t.Context(), make([]AnalyticsEvent, 2)), ErrExporterClosed)
		require.NoError(t, b.Close(t.Context()), "again")
		assert.Equal(t, 1, next.closed)
		assert.Equal(t, BufferedExporterStats{MaxBufferSize: 10_000}, b.Stats())
	})
}

func TestBufferedCloseSaysWhatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &shelf{on: func(context.Context, []AnalyticsEvent) error { return errDown }}
		b := startBuffered(t, next, WithMaxAttempts(2), WithBatchSize(2))
		numbered(t, b, 1, 5)
		err := b.Close(t.Context())
		require.ErrorIs(t, err, errDown)
		require.ErrorContains(t, err, "5 analytics events were not exported")
		assert.Equal(t, err, b.Close(t.Context()), "again")
		assert.Equal(t, 1, next.closed)
		s := b.Stats()
		assert.Equal(t, []int64{5, 0}, []int64{s.Failed, int64(s.Queued)})
	})
}

func TestBufferedCloseWaitsNoLongerThanItsContext(t *testing.T) {
	for name, limit := range map[string]time.Duration{"its own": 0, "the caller's": time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				leave := make(chan struct{})
				next := &shelf{on: func(context.Context, []AnalyticsEvent) error { <-leave; return nil }} // deaf to its context
				b := startBuffered(t, next, WithBatchSize(2))
				numbered(t, b, 1, 5)
				ctx, want := t.Context(), shutdownWithin
				if limit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, limit)
					defer cancel()
					want = limit
				}
				start := time.Now()
				require.ErrorIs(t, b.Close(ctx), context.DeadlineExceeded)
				assert.Equal(t, want, time.Since(start))
				assert.Equal(t, 5, b.Stats().Queued)

				close(leave)
				require.ErrorContains(t, b.Close(t.Context()), "3 analytics events were not exported")
				s := b.Stats()
				assert.Equal(t, []int64{2, 3, 0}, []int64{s.Exported, s.Failed, int64(s.Queued)})
				assert.Equal(t, 1, next.closed)
			})
		})
	}
}

func TestBufferedCloseOfAPanickingExporter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBuffered(t, (*shelf)(nil), WithMaxAttempts(1))
		numbered(t, b, 1, 1)
		require.ErrorContains(t, b.Close(t.Context()), "panicked")
		assert.Equal(t, int64(1), b.Stats().Failed)
	})
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var errDown = errors.New("down")

// numbered exports events named from..to.
func numbered(t *testing.T, to Exporter, first, last int) {
	t.Helper()
	for i := first; i <= last; i++ {
		require.NoError(t, to.Export(t.Context(), AnalyticsEvent{EventType: strconv.Itoa(i)}))
	}
}

func numbers(first, last int) (all []string) {
	for i := first; i <= last; i++ {
		all = append(all, strconv.Itoa(i))
	}
	return all
}

// startBuffered is NewBufferedExporter without a word to the process's error handler.
func startBuffered(t *testing.T, next Exporter, opts ...BufferedExporterOption) *BufferedExporter {
	t.Helper()
	b, err := newBufferedExporter(next, opts...)
	require.NoError(t, err)
	b.report = func(error) {}
	go b.run()
	return b
}

// overflows remembers the calls of an overflow function.
type overflows struct {
	mu    sync.Mutex
	calls [][2]int
}

func (o *overflows) note(dropped, size int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, [2]int{dropped, size})
}

func TestBufferedOverflowIsThePythonOne(t *testing.T) {
	for _, v := range readAnalyticsVectors(t).Overflow {
		t.Run(v.Name, func(t *testing.T) {
			var got overflows
			next := &shelf{}
			b, err := newBufferedExporter(next, WithBatchSize(v.Batch), WithMaxBufferSize(v.Max), WithHighWaterMark(v.Mark), WithOnOverflow(got.note))
			require.NoError(t, err)
			defer b.end()
			// In place of the goroutine: the framework exports inside export and flush. It never does so for a batch
			// that the buffer cannot hold.
			for _, op := range v.Ops {
				if op == 0 {
					require.NoError(t, b.sendAll())
				}
				for range op {
					numbered(t, b, 0, 0)
					if v.Batch <= v.Max {
						require.NoError(t, b.sendComplete())
					}
				}
			}
			s := b.Stats()
			assert.Equal(t, v.Calls, append([][2]int{}, got.calls...))
			assert.Equal(t, v.Exported, append([]int{}, next.sizes()...))
			assert.Equal(t, v.Size, s.BufferSize)
			assert.Equal(t, v.Dropped, s.Dropped)
		})
	}
}

func TestBufferedWarnsAtEachOfThreeBatchesOf8Of10(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got overflows
		next := &shelf{}
		b := startBuffered(t, next, WithBatchSize(8), WithMaxBufferSize(10), WithOnOverflow(got.note))
		for i := range 24 {
			numbered(t, b, i, i)
			synctest.Wait()
		}
		assert.Equal(t, [][2]int{{-1, 8}, {-1, 8}, {-1, 8}}, got.calls)
		assert.Equal(t, []int{8, 8, 8}, next.sizes())
		require.NoError(t, b.Close(t.Context()))
	})
}

func TestBufferedFlushesBySizeAndInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &shelf{}
		b := startBuffered(t, next, WithBatchSize(3))
		numbered(t, b, 1, 2)
		synctest.Wait()
		assert.Empty(t, next.all())
		numbered(t, b, 3, 4)
		synctest.Wait()
		assert.Equal(t, numbers(1, 3), next.all())
		time.Sleep(10 * time.Second)
		synctest.Wait()
		assert.Equal(t, []int{3, 1}, next.sizes())
		numbered(t, b, 5, 5)
		require.NoError(t, b.Flush(t.Context()))
		assert.Equal(t, numbers(1, 5), next.all())

		s := b.Stats()
		assert.Equal(t, BufferedExporterStats{Accepted: 5, Exported: 5, Flushes: 3, MaxBufferSize: 10_000}, s)
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, 1, next.closed)
	})
}

func TestBufferedStampsEventsWhenTheyCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		b := startBuffered(t, &shelf{on: func(_ context.Context, events []AnalyticsEvent) error {
			for _, e := range events {
				at = append(at, e.Timestamp)
			}
			return nil
		}})
		b.now = (&clock{now: noon}).Now
		require.NoError(t, b.ExportBatch(t.Context(), []AnalyticsEvent{{}, {Timestamp: noon.Add(-time.Hour)}}))
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, []time.Time{noon, noon.Add(-time.Hour)}, at)
	})
}

func TestBufferedExportNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leave := make(chan struct{})
		var got overflows
		next := &shelf{on: func(context.Context, []AnalyticsEvent) error { <-leave; return nil }}
		b := startBuffered(t, next, WithBatchSize(2), WithMaxBufferSize(4), WithOnOverflow(got.note))
		numbered(t, b, 1, 2)
		synctest.Wait() // 1 and 2 are on their way
		start := time.Now()
		numbered(t, b, 3, 9)
		assert.Equal(t, start, time.Now())
		assert.Equal(t, [][2]int{{-1, 4}, {1, 3}, {2, 3}, {3, 3}}, got.calls)
		assert.Equal(t, BufferedExporterStats{
			Queued: 6, Accepted: 9, Dropped: 3, BufferSize: 4, MaxBufferSize: 4, HighWaterWarned: true,
		}, b.Stats())
		close(leave)
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, []string{"1", "2", "6", "7", "8", "9"}, next.all(), "the oldest went")
	})
}

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

// Upstream: max_buffer_size=0 fails every export.
func TestBufferedRefusesSettingsThatCannotBeRight(t *testing.T) {
	for want, opt := range map[string]BufferedExporterOption{
		"max buffer size 0":    WithMaxBufferSize(0),
		"max buffer size -1":   WithMaxBufferSize(-1),
		"batch size 0":         WithBatchSize(0),
		"flush interval 0s":    WithFlushInterval(0),
		"high-water mark NaN":  WithHighWaterMark(math.NaN()),
		"high-water mark -0.1": WithHighWaterMark(-0.1),
		"high-water mark 1.5":  WithHighWaterMark(1.5),
		"max attempts 0":       WithMaxAttempts(0),
	} {
		b, err := NewBufferedExporter(&shelf{}, opt)
		assert.Nil(t, b)
		assert.ErrorContains(t, err, want)
	}
	_, err := NewBufferedExporter(nil, WithBatchSize(0))
	require.ErrorContains(t, err, "no exporter")
	require.ErrorContains(t, err, "batch size", "all of them are named")
}

// Upstream: a batch larger than the buffer is never complete, so that a healthy exporter gets only the last events.
func TestBufferedBatchLargerThanTheBufferIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &shelf{}
		b := startBuffered(t, next, WithMaxBufferSize(5))
		for i := range 20 {
			numbered(t, b, i, i)
			synctest.Wait()
		}
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, numbers(0, 19), next.all())
	})
}

// Upstream: it is armed again only after an append that leaves less than half of the mark, which in a buffer of two
// no append does.
func TestBufferedIsArmedAgainByAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got overflows
		b := startBuffered(t, &shelf{}, WithMaxBufferSize(2), WithOnOverflow(got.note), WithFlushInterval(time.Hour))
		for range 3 {
			numbered(t, b, 1, 2) // warned, as the calls below tell; the batch may be on its way already
			synctest.Wait()
			assert.False(t, b.Stats().HighWaterWarned)
		}
		assert.Equal(t, [][2]int{{-1, 2}, {-1, 2}, {-1, 2}}, got.calls)
		require.NoError(t, b.Close(t.Context()))
	})
}

func TestBufferedOverflowFunctionMayUseTheExporterAndPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leave := make(chan struct{})
		next := &shelf{on: func(context.Context, []AnalyticsEvent) error { <-leave; return nil }}
		var b *BufferedExporter
		calls := 0
		b = startBuffered(t, next, WithBatchSize(1), WithMaxBufferSize(3), WithOnOverflow(func(int, int) {
			calls++
			b.Stats()
			_ = b.Export(context.Background(), AnalyticsEvent{EventType: "overflow"})
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = b.Flush(ctx)
			panic("oh")
		}))
		numbered(t, b, 0, 0)
		synctest.Wait()
		numbered(t, b, 1, 10)
		s := b.Stats()
		assert.Equal(t, 8, calls, "at the mark, then with each event: what the function's own does is told with the next")
		assert.Equal(t, 4+s.Dropped, s.Accepted)
		close(leave)
		require.NoError(t, b.Close(t.Context()))
	})
}

func TestBufferedOverflowFunctionMayClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &shelf{}
		var b *BufferedExporter
		b = startBuffered(t, next, WithMaxBufferSize(1), WithOnOverflow(func(int, int) { _ = b.Close(context.Background()) }))
		numbered(t, b, 1, 1)
		assert.Equal(t, []string{"1"}, next.all())
		require.ErrorIs(t, b.Export(t.Context(), AnalyticsEvent{}), ErrExporterClosed)
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

func TestBufferedStatsHaveTheNamesOfBothVersions(t *testing.T) {
	s := BufferedExporterStats{
		Queued: 3, Accepted: 20, Exported: 10, Failed: 4, Dropped: 3, Flushes: 2, Retries: 1, BufferSize: 2, MaxBufferSize: 8, HighWaterWarned: true,
	}
	got, err := json.Marshal(s)
	require.NoError(t, err)
	assert.JSONEq(t, `{"queued":3,"dropped":3,"flushes":2,"buffer_size":2,"max_buffer_size":8,"dropped_count":3,"fill_ratio":0.25,
		"high_water_warned":true,"accepted":20,"exported":10,"failed":4,"retries":1}`, string(got))
	assert.Zero(t, BufferedExporterStats{}.FillRatio())
}

func TestBufferedByManyAtOnce(t *testing.T) {
	var got overflows
	next := &shelf{}
	b := startBuffered(t, next, WithBatchSize(7), WithMaxBufferSize(50), WithOnOverflow(got.note), WithFlushInterval(time.Millisecond))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 200 {
				_ = b.Export(t.Context(), AnalyticsEvent{EventType: strconv.Itoa(i)})
				if i%50 == 0 {
					_ = b.Flush(t.Context())
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, b.Close(t.Context()))
	s := b.Stats()
	assert.Equal(t, int64(1600), s.Accepted)
	assert.Equal(t, s.Accepted, s.Exported+s.Dropped)
	assert.Len(t, next.all(), int(s.Exported))
}

// Whatever fails and whenever, every event is counted once, and those that arrive do so in order and once.
func TestBufferedCountsEveryEventOnce(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		failures := rapid.SliceOfN(rapid.SampledFrom([]string{"", "", "error", "panic", "hang", "closed"}), 0, 30).Draw(r, "failures")
		steps := rapid.SliceOfN(rapid.IntRange(0, 12), 1, 40).Draw(r, "steps")
		opts := []BufferedExporterOption{
			WithBatchSize(rapid.IntRange(1, 8).Draw(r, "batch")), WithMaxBufferSize(rapid.IntRange(1, 12).Draw(r, "max")),
			WithMaxAttempts(rapid.IntRange(1, 3).Draw(r, "attempts")), WithHighWaterMark(rapid.Float64Range(0, 1).Draw(r, "mark")),
		}
		closeWithin := time.Duration(rapid.IntRange(1, 40).Draw(r, "close")) * time.Second
		synctest.Test(t, func(t *testing.T) {
			var failed []string
			next := &shelf{}
			next.on = func(ctx context.Context, _ []AnalyticsEvent) error {
				if len(failures) == 0 {
					return nil
				}
				f := failures[0]
				failures = failures[1:]
				failed = append(failed, f)
				switch f {
				case "error":
					return errDown
				case "panic":
					panic(errDown)
				case "hang":
					<-ctx.Done()
					return ctx.Err()
				case "closed":
					return ErrExporterClosed
				}
				return nil
			}
			b := startBuffered(t, next, opts...)
			accepted := 0
			check := func() {
				synctest.Wait()
				s := b.Stats()
				assert.Equal(t, s.Accepted, s.Exported+s.Failed+s.Dropped+int64(s.Queued), "%+v", s)
				assert.EqualValues(t, accepted, s.Accepted)
				assert.Len(t, next.all(), int(s.Exported))
				assert.LessOrEqual(t, s.BufferSize, s.MaxBufferSize)
			}
			for _, step := range steps {
				switch step {
				case 10:
					time.Sleep(11 * time.Second)
				case 11:
					time.Sleep(300 * time.Millisecond)
				case 12:
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					_ = b.Flush(ctx)
					cancel()
				default:
					numbered(t, b, accepted, accepted+step-1)
					accepted += step
				}
				check()
			}
			ctx, cancel := context.WithTimeout(t.Context(), closeWithin)
			defer cancel()
			_ = b.Close(ctx)
			check()
			assert.Zero(t, b.Stats().Queued)
			last := -1
			for _, each := range next.all() {
				n, err := strconv.Atoi(each)
				require.NoError(t, err)
				assert.Greater(t, n, last, "in order and once")
				last = n
			}
		})
	})
}

func BenchmarkBufferedExport(b *testing.B) {
	for name, opts := range map[string][]BufferedExporterOption{
		"room": {WithMaxBufferSize(1 << 30), WithBatchSize(1000)},
		"full": {WithMaxBufferSize(1000), WithMaxAttempts(1 << 30)},
	} {
		b.Run(name, func(b *testing.B) {
			next := &shelf{on: func(ctx context.Context, _ []AnalyticsEvent) error {
				if name == "full" {
					<-ctx.Done()
				}
				return ErrExporterClosed // and counted, not kept
			}}
			buffered, err := newBufferedExporter(next, opts...)
			require.NoError(b, err)
			buffered.report = func(error) {}
			go buffered.run()
			e := AnalyticsEvent{EventType: "stage.llm.completed", Timestamp: noon, Data: map[string]any{"tokens": 500}}
			b.ReportAllocs()
			for b.Loop() {
				_ = buffered.Export(b.Context(), e)
			}
			over, cancel := context.WithCancel(b.Context())
			cancel()
			_ = buffered.Close(over)
			<-buffered.done
		})
	}
}

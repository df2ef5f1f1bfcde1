// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"sync"
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

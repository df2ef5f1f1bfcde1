// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"bytes"
	"context"
	"io"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// audio are n bytes of which no two neighbours are equal, from the given place in a stream.
func audio(from, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		at := from + i
		p[i] = byte(at*7 + at>>8)
	}
	return p
}

func write(t require.TestingT, b *StreamingBuffer, p []byte) {
	n, err := b.Write(p)
	require.NoError(t, err)
	require.Equal(t, len(p), n)
}

func TestABufferGivesAudioAsItCame(t *testing.T) {
	c, s, _ := newTestClient(t)
	b := NewStreamingBuffer(t.Context(), "speaker", WithEventSink(c))
	write(t, b, audio(0, 1000))
	write(t, b, audio(1000, 5400))
	assert.Equal(t, 200*time.Millisecond, b.Duration())
	assert.True(t, b.Ready())
	p := make([]byte, b.BytesFor(20*time.Millisecond))
	require.Len(t, p, 640)
	for at := 0; at < 6400; at += len(p) {
		n, err := io.ReadFull(b, p)
		require.NoError(t, err)
		require.Equal(t, audio(at, n), p)
		assert.False(t, b.Ready())
	}
	assert.Equal(t, StreamingBufferStats{BytesWritten: 6400, BytesRead: 6400}, b.Stats())
	assert.Empty(t, s.all())
}

func TestABuffersEventsTellWhereItBelongs(t *testing.T) {
	c, s, _ := newTestClient(t)
	var b *StreamingBuffer
	require.NoError(t, Run(t.Context(), "voice", func(ctx context.Context) error {
		return Stage(ctx, "tts", KindWork, func(ctx context.Context) error {
			b = NewStreamingBuffer(ctx, "speaker")
			return nil
		})
	}, WithClient(c), WithRunID("r1")))
	write(t, b, audio(0, 320))
	n, err := b.Read(make([]byte, 641))
	require.NoError(t, err)
	require.Equal(t, 320, n)
	assert.True(t, b.Stats().Underrun)
	assert.Equal(t, map[string]any{
		"pipeline_run_id": "r1", "stage": "tts", "stage_attempt": int64(1), "queue": "speaker",
		"bytes_requested": int64(640), "bytes_available": int64(320), "buffer_duration_ms": 10.0,
	}, s.only(t, semconv.TypeStreamBufferUnderrun).data)
}

func TestReadsOfABuffer(t *testing.T) {
	c, s, _ := newTestClient(t)
	b := NewStreamingBuffer(t.Context(), "speaker", WithChannels(2), WithEventSink(c))
	write(t, b, audio(0, 10))
	n, err := b.Read(nil)
	assert.Zero(t, n)
	require.NoError(t, err)
	_, err = b.Read(make([]byte, 3))
	require.Equal(t, io.ErrShortBuffer, err)
	assert.Empty(t, s.all(), "neither asked for a sample")

	p := make([]byte, 100)
	n, err = io.ReadFull(b, p)
	require.Equal(t, io.ErrUnexpectedEOF, err)
	assert.Equal(t, audio(0, 8), p[:n], "the rest of the third sample is still to come")
	_, err = b.Read(p)
	require.Equal(t, io.EOF, err)
	assert.Equal(t, []string{semconv.TypeStreamBufferUnderrun}, s.types(), "told once")

	write(t, b, audio(10, 2))
	n, err = b.Read(p[:4])
	require.NoError(t, err)
	assert.Equal(t, audio(8, 4), p[:n])
	assert.Equal(t, []string{semconv.TypeStreamBufferUnderrun, semconv.TypeStreamBufferRecovered}, s.types())
}

func TestClearOfABufferKeepsTheRestOfASample(t *testing.T) {
	c, s, _ := newTestClient(t)
	b := NewStreamingBuffer(t.Context(), "speaker", WithEventSink(c))
	write(t, b, audio(0, 101))
	b.Clear()
	assert.Equal(t, 1, b.Len())
	write(t, b, audio(101, 1))
	p := make([]byte, 2)
	_, err := b.Read(p)
	require.NoError(t, err)
	assert.Equal(t, audio(100, 2), p)
	assert.Equal(t, StreamingBufferStats{BytesWritten: 102, BytesRead: 2, BytesCleared: 100}, b.Stats())
	assert.Empty(t, s.all())
}

func TestOptionsOfABufferOutOfRange(t *testing.T) {
	for _, tt := range []struct {
		name       string
		opts       []StreamingBufferOption
		maxBytes   int
		frameBytes int
	}{
		{"none", nil, 64_000, 2},
		{"zero", []StreamingBufferOption{WithSampleRate(0), WithChannels(0), WithMaxDuration(0), WithTargetDuration(0)}, 64_000, 2},
		{"negative", []StreamingBufferOption{WithSampleRate(-1), WithChannels(-1), WithMaxDuration(-1), WithTargetDuration(-1)}, 64_000, 2},
		{"less than a sample", []StreamingBufferOption{WithMaxDuration(1), WithChannels(2)}, 4, 4},
		{"a slow one", []StreamingBufferOption{WithSampleRate(1), WithMaxDuration(3 * time.Second)}, 6, 2},
		{
			"the largest",
			[]StreamingBufferOption{
				WithSampleRate(math.MaxInt), WithChannels(math.MaxInt),
				WithMaxDuration(math.MaxInt64), WithTargetDuration(math.MaxInt64),
			},
			-1, 512,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := NewStreamingBuffer(t.Context(), "speaker", append(tt.opts, WithEventSink(NewClient(nil)))...)
			assert.Equal(t, tt.frameBytes, b.frame)
			if tt.maxBytes >= 0 {
				assert.Equal(t, tt.maxBytes, b.max)
			}
			assert.Positive(t, b.max)
			write(t, b, audio(0, 1000))
			write(t, b, audio(1000, 1000))
			assert.LessOrEqual(t, b.Len(), b.max)
			assert.GreaterOrEqual(t, b.Duration(), time.Duration(0))
			_, err := b.Read(make([]byte, 512))
			require.NoError(t, err)
		})
	}
	b := NewStreamingBuffer(t.Context(), "speaker")
	assert.Zero(t, b.BytesFor(-time.Second))
	assert.Equal(t, 32_000, b.BytesFor(time.Second))
	assert.Positive(t, b.BytesFor(math.MaxInt64))
}

// The tests from here on are named for what the framework does wrong (catalogue 2.4).

func TestAChunkLargerThanTheBufferKeepsItsNewest(t *testing.T) {
	c, s, _ := newTestClient(t)
	b := NewStreamingBuffer(t.Context(), "speaker", WithMaxDuration(100*time.Millisecond), WithEventSink(c))
	write(t, b, audio(0, 640))
	write(t, b, audio(640, 10_001))
	assert.Equal(t, map[string]any{
		"queue": "speaker", "bytes_dropped": int64(7442), "buffer_duration_ms": 0.0, "max_duration_ms": 100.0,
	}, s.only(t, semconv.TypeStreamBufferOverflow).data)
	p := make([]byte, 5000)
	n, err := b.Read(p)
	require.NoError(t, err)
	assert.Equal(t, audio(7442, 3198), p[:n])
	assert.Equal(t, 1, b.Len(), "half a sample")
}

func TestWhatSlicesLeaveInABufferGoesWhenTheChunkStillDoesNotFit(t *testing.T) {
	c, s, _ := newTestClient(t)
	b := NewStreamingBuffer(t.Context(), "speaker", WithMaxDuration(200*time.Millisecond), WithEventSink(c))
	write(t, b, audio(0, 3200))
	write(t, b, audio(3200, 5440)) // 170 ms, with 50 ms left of the 100
	assert.Equal(t, map[string]any{
		"queue": "speaker", "bytes_dropped": int64(2240), "buffer_duration_ms": 30.0, "max_duration_ms": 200.0,
	}, s.only(t, semconv.TypeStreamBufferOverflow).data)
	assert.Equal(t, 200*time.Millisecond, b.Duration())
}

func TestSlicesOfABufferAreWholeSamplesAtAnyRate(t *testing.T) {
	c, s, _ := newTestClient(t)
	// 50 ms at 22.05 kHz are 2205 bytes, and half a sample.
	b := NewStreamingBuffer(t.Context(), "speaker", WithSampleRate(22_050), WithMaxDuration(200*time.Millisecond), WithEventSink(c))
	write(t, b, audio(0, 8820))
	write(t, b, audio(8820, 882))
	assert.EqualValues(t, 2204, s.only(t, semconv.TypeStreamBufferOverflow).data["bytes_dropped"])
	p := make([]byte, 8820)
	n, err := b.Read(p)
	require.NoError(t, err)
	assert.Equal(t, audio(2204, n), p[:n])
}

func TestPropertyABufferHoldsTheNewestWholeSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var events []streamTold
		b := NewStreamingBuffer(context.Background(), "speaker",
			WithSampleRate(rapid.SampledFrom([]int{1, 30, 1000, 8000, 22_050}).Draw(t, "rate")),
			WithChannels(rapid.IntRange(1, 3).Draw(t, "channels")),
			WithMaxDuration(time.Duration(rapid.IntRange(1, 300).Draw(t, "max"))*time.Millisecond),
			WithEventSink(sinkFunc(func(_ context.Context, eventType string, data map[string]any) {
				events = append(events, streamTold{eventType, data})
			})))
		var left []byte // what the buffer is to hold
		at := 0         // in the stream
		for range rapid.IntRange(1, 40).Draw(t, "calls") {
			n := rapid.IntRange(0, 2*b.max+10).Draw(t, "n")
			before := b.Stats()
			switch rapid.SampledFrom([]string{"write", "write", "read", "read", "clear"}).Draw(t, "call") {
			case "write":
				p := audio(at, n)
				at += n
				write(t, b, p)
				clear(p) // the buffer has its own
				left = append(left, audio(at-n, n)...)
				dropped := int(b.Stats().BytesDropped - before.BytesDropped)
				require.Zero(t, dropped%b.frame)
				if len(left) <= b.max {
					require.Zero(t, dropped)
				} else {
					require.Less(t, dropped, len(left)-b.max+b.slice, "no more than needed")
				}
				left = left[dropped:]
			case "read":
				p := make([]byte, n)
				got, err := b.Read(p)
				want := min(n-n%b.frame, len(left)-len(left)%b.frame)
				require.Equal(t, want, got)
				require.Equal(t, n > 0 && got == 0, err != nil)
				require.True(t, bytes.Equal(left[:got], p[:got]))
				left = left[got:]
			case "clear":
				b.Clear()
				left = left[len(left)-len(left)%b.frame:]
			}
			require.Equal(t, len(left), b.Len())
			require.LessOrEqual(t, b.Len(), b.max)
			require.LessOrEqual(t, len(b.bytes.buf), b.max, "memory")
			now := b.Stats()
			require.Equal(t, now.BytesWritten, now.BytesRead+now.BytesDropped+now.BytesCleared+int64(b.Len()))
		}
		dropped, short := 0, false
		for _, e := range events {
			switch e.Type {
			case semconv.TypeStreamBufferOverflow:
				dropped += e.Data["bytes_dropped"].(int)
			case semconv.TypeStreamBufferUnderrun:
				require.False(t, short)
				require.Less(t, e.Data["bytes_available"], e.Data["bytes_requested"])
				short = true
			case semconv.TypeStreamBufferRecovered:
				require.True(t, short)
				short = false
			}
		}
		require.EqualValues(t, b.Stats().BytesDropped, dropped)
		require.Equal(t, b.Stats().Underrun, short)
	})
}

func TestABufferBetweenGoroutines(t *testing.T) {
	c, s, _ := newTestClient(t)
	b := NewStreamingBuffer(t.Context(), "speaker", WithMaxDuration(60*time.Millisecond), WithEventSink(c))
	var calls sync.WaitGroup
	for range 3 {
		calls.Go(func() {
			for range 300 {
				_, _ = b.Write(make([]byte, 333))
				_, _, _ = b.Ready(), b.Duration(), b.Stats()
			}
		})
		calls.Go(func() {
			p := make([]byte, 640)
			for range 300 {
				_, _ = b.Read(p)
			}
		})
	}
	calls.Wait()
	stats := b.Stats()
	assert.EqualValues(t, 3*300*333, stats.BytesWritten)
	assert.Equal(t, stats.BytesWritten, stats.BytesRead+stats.BytesDropped+int64(b.Len()))
	short := false
	for _, e := range s.all() {
		if e.eventType != semconv.TypeStreamBufferOverflow {
			require.Equal(t, short, e.eventType == semconv.TypeStreamBufferRecovered, "in order")
			short = !short
		}
	}
}

func TestABufferDoesNotAllocate(t *testing.T) {
	b := NewStreamingBuffer(t.Context(), "speaker")
	p := make([]byte, 640)
	write(t, b, p)
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		_, _ = b.Write(p)
		_, _ = b.Read(p)
	}))
}

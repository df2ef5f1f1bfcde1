// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"io"
	"math"
	"sync"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// The framework's defaults (catalogue 2.4), and its unit of dropping.
const (
	defaultSampleRate     = 16_000
	defaultChannels       = 1
	defaultTargetDuration = 200 * time.Millisecond
	defaultMaxDuration    = 2 * time.Second
	dropSlice             = 50 * time.Millisecond
)

const (
	bytesPerSample = 2 // PCM 16 bit
	// More than any audio has; with these, sizes in bytes cannot overflow.
	maxSampleRate = 1 << 20
	maxChannels   = 256
)

// StreamingBufferOption says how a [StreamingBuffer] is to be.
type StreamingBufferOption interface{ buffer(*bufferConfig) }

type bufferConfig struct {
	rate, channels int
	target, max    time.Duration
	sink           EventSink
}

type bufferOption func(*bufferConfig)

func (o bufferOption) buffer(c *bufferConfig) { o(c) }

// WithSampleRate sets the samples a second of each channel, up to 1,048,576. Default: 16,000, also for hz <= 0.
func WithSampleRate(hz int) StreamingBufferOption {
	return bufferOption(func(c *bufferConfig) {
		if hz > 0 {
			c.rate = min(hz, maxSampleRate)
		}
	})
}

// WithChannels sets the interleaved channels, up to 256. Default: 1, also for n <= 0.
func WithChannels(n int) StreamingBufferOption {
	return bufferOption(func(c *bufferConfig) {
		if n > 0 {
			c.channels = min(n, maxChannels)
		}
	})
}

// WithTargetDuration sets from how much audio on the buffer is [StreamingBuffer.Ready]. Default: 200 ms, also for
// d <= 0.
func WithTargetDuration(d time.Duration) StreamingBufferOption {
	return bufferOption(func(c *bufferConfig) {
		if d > 0 {
			c.target = d
		}
	})
}

// WithMaxDuration sets how much audio the buffer holds at most; at least one sample. Default: 2 s, also for d <= 0.
func WithMaxDuration(d time.Duration) StreamingBufferOption {
	return bufferOption(func(c *bufferConfig) {
		if d > 0 {
			c.max = d
		}
	})
}

// StreamingBufferStats is what happened to a [StreamingBuffer] so far. What was written is what was read, dropped, cleared, and
// what is left.
type StreamingBufferStats struct {
	BytesWritten int64
	BytesRead    int64
	BytesDropped int64 // to stay below the maximum
	BytesCleared int64
	// Underrun says that a read found less than it asked for, and none since found enough.
	Underrun bool
}

// StreamingBuffer evens out the jitter of an audio stream: PCM 16 bit comes in as the network has it, and goes out at the
// pace of who plays it. It tells of audio dropped because nobody read it, and of reads that found too little, by the
// framework's stream events. It is an io.ReadWriter like bytes.Buffer, but holds no more than its maximum and is
// safe for concurrent use.
//
// Bytes may be written in pieces of any size. They are read and dropped in whole samples of all channels.
type StreamingBuffer struct {
	rate        int
	frame       int // bytes of one sample of all channels
	target      int // bytes
	max         int // bytes
	slice       int // bytes
	maxDuration time.Duration

	mu     sync.Mutex
	bytes  byteRing
	stats  StreamingBufferStats
	events streamEvents
}

var _ io.ReadWriter = (*StreamingBuffer)(nil)

// NewStreamingBuffer returns an empty buffer. ctx says which run and stage its events belong to, and name, as their field
// queue, which of the buffers there; the buffer outlives ctx.
func NewStreamingBuffer(ctx context.Context, name string, opts ...StreamingBufferOption) *StreamingBuffer {
	cfg := bufferConfig{
		rate: defaultSampleRate, channels: defaultChannels,
		target: defaultTargetDuration, max: defaultMaxDuration,
	}
	for _, opt := range opts {
		opt.buffer(&cfg)
	}
	b := &StreamingBuffer{
		rate:        cfg.rate,
		frame:       cfg.channels * bytesPerSample,
		maxDuration: cfg.max,
		events:      newStreamEvents(ctx, name, cfg.sink),
	}
	b.target = b.BytesFor(cfg.target)
	b.max = max(b.BytesFor(cfg.max), b.frame)
	b.slice = max(b.BytesFor(dropSlice), b.frame)
	return b
}

// Write adds audio. While it does not fit, the oldest goes in slices of 50 ms; when 50 ms or less are left of what was
// there and the new audio still does not fit, all but the newest of both goes. It always takes all of p; the error is nil.
func (b *StreamingBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.events.unlock(&b.mu)

	excess := b.bytes.len + len(p) - b.max
	dropped := 0
	for dropped < excess && b.bytes.len-dropped > b.slice {
		dropped += b.slice
	}
	if dropped < excess {
		dropped = b.frames(excess + b.frame - 1)
	}
	kept := p
	if dropped > 0 {
		old := min(dropped, b.bytes.len)
		b.bytes.drop(old)
		kept = p[dropped-old:]
		b.stats.BytesDropped += int64(dropped)
		b.events.tell(semconv.TypeStreamBufferOverflow, map[string]any{
			"bytes_dropped":     dropped,
			fieldBufferDuration: b.durationMS(),
			"max_duration_ms":   milliseconds(b.maxDuration),
		})
	}
	b.bytes.write(kept, b.max)
	b.stats.BytesWritten += int64(len(p))
	return len(p), nil
}

// Read takes the oldest audio, as many whole samples as are there and fit into p; it never waits. The error is io.EOF when
// there are none, which is not the end: more may come. io.ReadFull does for players that want all or to fill up with
// silence. A p too short for one sample of all channels is io.ErrShortBuffer.
func (b *StreamingBuffer) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	wanted := b.frames(len(p))
	if wanted == 0 {
		return 0, io.ErrShortBuffer
	}
	b.mu.Lock()
	defer b.events.unlock(&b.mu)

	n := min(wanted, b.frames(b.bytes.len))
	b.judge(wanted, n)
	b.bytes.read(p[:n])
	b.stats.BytesRead += int64(n)
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// judge tells of the first read that gets less than it wants, and of the first after it that gets all.
func (b *StreamingBuffer) judge(wanted, available int) {
	switch short := available < wanted; {
	case short && !b.stats.Underrun:
		b.stats.Underrun = true
		b.events.tell(semconv.TypeStreamBufferUnderrun, map[string]any{
			"bytes_requested":   wanted,
			"bytes_available":   available,
			fieldBufferDuration: b.durationMS(),
		})
	case !short && b.stats.Underrun:
		b.stats.Underrun = false
		b.events.tell(semconv.TypeStreamBufferRecovered, map[string]any{fieldBufferDuration: b.durationMS()})
	}
}

// Clear throws away what is in the buffer, for instance when the user interrupts. It is no overflow.
func (b *StreamingBuffer) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.frames(b.bytes.len) // the rest of a sample begun is still to come
	b.bytes.drop(n)
	b.stats.BytesCleared += int64(n)
}

// Ready reports whether there is as much audio as the target duration: a good time to start playing.
func (b *StreamingBuffer) Ready() bool { return b.Len() >= b.target }

// Len is the number of bytes in the buffer.
func (b *StreamingBuffer) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.len
}

// Duration is how long the audio in the buffer lasts.
func (b *StreamingBuffer) Duration() time.Duration {
	frames := b.Len() / b.frame
	whole, rest := frames/b.rate, frames%b.rate
	return time.Duration(whole)*time.Second + time.Duration(rest)*time.Second/time.Duration(b.rate)
}

// BytesFor is the size of so much audio, rounded down to whole samples: of what to read every 20 ms, for instance.
func (b *StreamingBuffer) BytesFor(d time.Duration) int {
	if d <= 0 {
		return 0
	}
	rate := int64(b.rate)
	frames := int64(d/time.Second)*rate + int64(d%time.Second)*rate/int64(time.Second)
	return int(min(frames, math.MaxInt/2/int64(b.frame))) * b.frame
}

// Stats says what happened so far.
func (b *StreamingBuffer) Stats() StreamingBufferStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stats
}

// frames rounds a number of bytes down to whole samples.
func (b *StreamingBuffer) frames(n int) int { return n - n%b.frame }

// durationMS is how long the audio in the buffer lasts, in milliseconds. It wants the lock held.
func (b *StreamingBuffer) durationMS() float64 {
	return float64(b.bytes.len/b.frame) / float64(b.rate) * 1000
}

// byteRing holds the bytes of a buffer, oldest first. It grows as bytes come, and then stays.
type byteRing struct {
	buf   []byte
	first int
	len   int
}

// write adds what must fit into limit bytes.
func (r *byteRing) write(p []byte, limit int) {
	if need := r.len + len(p); need > len(r.buf) {
		buf := make([]byte, min(max(2*len(r.buf), need, 1024), limit))
		r.copyTo(buf[:r.len])
		r.buf, r.first = buf, 0
	}
	if len(p) == 0 {
		return
	}
	end := r.first + r.len
	if end >= len(r.buf) {
		end -= len(r.buf)
	}
	n := copy(r.buf[end:], p)
	copy(r.buf, p[n:])
	r.len += len(p)
}

// read takes the oldest len(p) bytes of at least as many.
func (r *byteRing) read(p []byte) {
	r.copyTo(p)
	r.drop(len(p))
}

func (r *byteRing) copyTo(p []byte) {
	n := copy(p, r.buf[r.first:])
	copy(p[n:], r.buf)
}

// drop forgets the oldest n bytes of at least as many.
func (r *byteRing) drop(n int) {
	r.len -= n
	if r.first += n; r.first >= len(r.buf) {
		r.first -= len(r.buf)
	}
	if r.len == 0 {
		r.first = 0
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func provider(p string) Key { return Key{Operation: "chat", Provider: p} }

func TestKeysAreApartAndBounded(t *testing.T) {
	r := New(Settings{MaxKeys: 2, ConsecutiveFailures: 1})
	r.Record(provider("a"), call(1, false), later)
	r.Record(provider("b"), call(1, true), later)
	r.Record(provider("a"), call(1, true), later) // a is used more recently than b
	r.Record(provider("c"), call(1, true), later)
	assert.Equal(t, 2, r.Len())
	assert.Equal(t, Stats{Keys: 2, Evicted: 1}, r.Stats())
	list := r.List(at(2))
	require.Len(t, list, 2)
	assert.Equal(t, "chat/a", list[0].Key.String())
	assert.Equal(t, semconv.BreakerOpen, list[0].State)
	assert.Equal(t, "chat/c", list[1].Key.String())
	assert.Equal(t, Snapshot{Key: provider("b"), State: semconv.BreakerClosed}, r.StateAt(provider("b"), at(2)))
	assert.Equal(t, semconv.BreakerClosed, r.State(provider("b"), at(2)))
}

func TestManyKeysAreBoundedToo(t *testing.T) {
	r := New(Settings{MaxKeys: 2000})
	for i := range 10_000 {
		r.Record(provider(strconv.Itoa(i)), call(1, true), later)
	}
	assert.Equal(t, 2000, r.Len())
	assert.Equal(t, uint64(8000), r.Stats().Evicted)

	r = New(Settings{MaxKeys: 2000})
	for i := range 1500 {
		r.Record(provider(strconv.Itoa(i)), call(1, true), later)
	}
	assert.Zero(t, r.Stats().Evicted, "the shards fill evenly")
}

func TestNoKeyIsAnother(t *testing.T) {
	seen := map[uint64]Key{}
	for _, k := range []Key{
		{}, {"a", ""}, {"", "a"}, {"a", "b"}, {"ab", ""}, {"", "ab"}, {"b", "a"}, {"a/", "b"}, {"a", "/b"},
		{"a\x00", "b"}, {"a", "\x00b"}, {"a", "b\x00"},
		{"12345678", ""}, {"1234567", "8"}, {"", "12345678"}, {"123456789", ""}, {"12345678", "9"}, {"12345678\x00", ""},
		{"1234567812345678", ""}, {"12345678", "12345678"}, {"8765432112345678", ""}, {"1234567887654321", ""},
	} {
		assert.NotContains(t, seen, hashOf(k), k)
		seen[hashOf(k)] = k
	}
}

// The jitter comes from it, and the shard that a restored key goes to.
func TestHashIsTheSameEverywhere(t *testing.T) {
	assert.Equal(t, uint64(0xb9fcc3e50700c1d9), hashOf(Key{"chat", "provider"}))
	assert.Equal(t, uint64(0xabb23742d607cae7), hashOf(Key{"embeddings", "provider-of-more-than-16-bytes"}))
}

func TestAFullRegistryIsRestoredWhole(t *testing.T) {
	r, s := New(Settings{MaxKeys: 2000}), New(Settings{MaxKeys: 2000})
	for i := range 10_000 {
		r.Record(provider(strconv.Itoa(i)), call(1, true), later)
	}
	require.NoError(t, s.Restore(r.Export()))
	assert.Equal(t, r.List(later), s.List(later))
	assert.Equal(t, r.Export(), s.Export())
}

func TestOverrides(t *testing.T) {
	r := New(Settings{Jitter: -1, Overrides: []Override{
		{Operation: "chat", Provider: "special", ConsecutiveFailures: 2, OpenFor: time.Minute},
		{Provider: "spec*", ConsecutiveFailures: 3},
		{Operation: "batch-[a-c]", Disabled: true},
		{Operation: "[", ConsecutiveFailures: 1},
		{Operation: "*", Provider: "aws/?", ConsecutiveFailures: 4},
	}})
	for name, tt := range map[string]struct {
		key   Key
		after int
		open  time.Duration
	}{
		"the first that matches":   {Key{"chat", "special"}, 2, time.Minute},
		"the rest is as for all":   {Key{"stt", "special"}, 3, 30 * time.Second},
		"a star in a name":         {Key{"chat", "spectre"}, 3, 30 * time.Second},
		"disabled":                 {Key{"batch-b", "x"}, 0, 0},
		"none":                     {Key{"batch-d", "x"}, 5, 30 * time.Second},
		"a star alone, and a name": {Key{"a/b", "aws/x"}, 4, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			opened := 0
			for i := range 20 {
				if _, changed := r.Record(tt.key, call(float64(i), false), later); changed {
					opened = i + 1
				}
			}
			assert.Equal(t, tt.after, opened)
			snap := r.StateAt(tt.key, at(19))
			assert.Equal(t, uint64(20), snap.Calls, "counted in any case")
			if opened > 0 {
				assert.Equal(t, at(float64(opened-1)).Add(tt.open), at(19).Add(snap.RetryAfter))
			}
		})
	}
}

func TestABreakerThatBecomesDisabledIsClosed(t *testing.T) {
	r := New(Settings{Overrides: []Override{{Disabled: true}}})
	require.NoError(t, r.Restore(tripped(t).Export()))
	for _, s := range []float64{6, 40} {
		assert.Equal(t, semconv.BreakerClosed, r.State(chat, at(s)))
		assert.True(t, r.Allow(chat, at(s)).Allowed)
	}
	_, err := r.Force(chat, ForceOpen, at(50))
	require.NoError(t, err)
	assert.True(t, r.IsOpen(chat, at(50)), "unless somebody insists")
}

func TestSettings(t *testing.T) {
	d := DefaultSettings()
	assert.Equal(t, d, Settings{}.orDefaults())
	assert.Equal(t, d, d.orDefaults())
	t.Run("negative is off, or the default", func(t *testing.T) {
		got := Settings{
			Window: -1, Buckets: -1, AllowedLateness: -1, ClockTolerance: -1, FailureRatio: -0.5, MinimumCalls: -1,
			ConsecutiveFailures: -7, SlowCallDuration: -1, SlowCallRatio: math.Inf(-1), OpenFor: -1, MaxOpenFor: -1,
			Jitter: -1, HalfOpenSuccesses: -1, HalfOpenProbes: -1, MaxKeys: -1,
		}.orDefaults()
		want := d
		want.Window, want.AllowedLateness, want.ClockTolerance = time.Second, 0, 0
		want.FailureRatio, want.ConsecutiveFailures, want.SlowCallRatio, want.Jitter = -0.5, -1, -1, -1
		assert.Equal(t, want, got)
	})
	t.Run("too much is the most", func(t *testing.T) {
		got := Settings{
			Window: math.MaxInt64, Buckets: math.MaxInt, AllowedLateness: math.MaxInt64, ClockTolerance: math.MaxInt64,
			FailureRatio: math.NaN(), MinimumCalls: math.MaxInt, ConsecutiveFailures: math.MaxInt, OpenFor: math.MaxInt64,
			MaxOpenFor: 1, Jitter: 7, HalfOpenSuccesses: math.MaxInt, HalfOpenProbes: math.MaxInt,
		}.orDefaults()
		want := Settings{
			Window: time.Hour, Buckets: 60, AllowedLateness: 10 * time.Hour, ClockTolerance: time.Hour,
			FailureRatio: 0.5, MinimumCalls: math.MaxInt32, ConsecutiveFailures: 1000, SlowCallDuration: -1, SlowCallRatio: 0.5,
			OpenFor: 24 * time.Hour, MaxOpenFor: 24 * time.Hour, Jitter: 0.5, HalfOpenSuccesses: 1000, HalfOpenProbes: 1000,
			MaxKeys: 10_000,
		}
		assert.Equal(t, want, got)
		assert.Equal(t, maxRing, got.geometry().ring)
	})
	t.Run("the ring holds the window of the latest outcome that counts", func(t *testing.T) {
		g := d.geometry()
		assert.Equal(t, geometry{
			width: 6e9, window: 10, ring: 15, lateness: 30e9, tolerance: 5e9,
		}, g)
		assert.Equal(t, int64(-1), g.bucket(-1))
		assert.Equal(t, int64(-1), g.bucket(-6e9))
		assert.Equal(t, int64(0), g.bucket(5_999_999_999))
	})
}

func TestConcurrentUse(t *testing.T) {
	for _, keys := range []int{4, 2000} {
		r := New(Settings{MaxKeys: keys})
		other := New(Settings{MaxKeys: keys, Source: "other"})
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 300 {
					k, now := provider(strconv.Itoa(i%7)), at(float64(i))
					p := r.Allow(k, now)
					r.Record(k, call(float64(i), (g+i)%3 == 0), now)
					r.Release(k, p)
					r.StateAt(k, now)
					switch (g + i) % 50 {
					case 0:
						_, _ = r.Force(k, Mode(i%3), now)
					case 1:
						other.Apply(r.Delta(), now)
						r.Apply(other.Delta(), now)
					case 2:
						assert.NoError(t, other.Restore(r.Export()))
					case 3:
						r.List(now)
						r.Stats()
					}
				}
			})
		}
		wg.Wait()
		assert.LessOrEqual(t, r.Len(), keys)
	}
}

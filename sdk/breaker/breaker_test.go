// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/errorsummary"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

var (
	epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	chat  = Key{Operation: "chat", Provider: "openai"}
)

// at is a time on the tests' scale, in seconds.
func at(s float64) time.Time { return epoch.Add(time.Duration(s * float64(time.Second))) }

// call is a call of one second that ended at end.
func call(end float64, success bool) Outcome {
	return Outcome{Start: at(end - 1), End: at(end), Success: success}
}

// tripped is a registry whose chat/openai opened at 5 s; it is half-open from 35 s.
func tripped(t *testing.T) *Registry {
	r := New(DefaultSettings())
	for i := 1; i <= 4; i++ {
		_, changed := r.Record(chat, call(float64(i), false))
		require.False(t, changed)
	}
	tr, changed := r.Record(chat, call(5, false))
	require.True(t, changed)
	require.Equal(t, Transition{From: semconv.BreakerClosed, To: semconv.BreakerOpen, At: at(5), Generation: 1}, tr)
	require.Equal(t, "closed>open", tr.String())
	return r
}

func state(r *Registry, s float64) semconv.BreakerState { return r.StateAt(chat, at(s)).State }

func TestOpensAfterFailuresInARow(t *testing.T) {
	r := tripped(t)
	assert.Equal(t, semconv.BreakerClosed, state(r, 4.9))
	assert.Equal(t, Snapshot{
		Key: chat, State: semconv.BreakerOpen, OpenedAt: at(5), RetryAfter: 20 * time.Second, Generation: 1,
	}, r.StateAt(chat, at(15)))
	assert.Equal(t, semconv.BreakerOpen, state(r, 34.9))
	assert.Equal(t, Snapshot{Key: chat, State: semconv.BreakerHalfOpen, OpenedAt: at(5), Generation: 2}, r.StateAt(chat, at(35)))
	assert.Equal(t, semconv.BreakerHalfOpen, state(r, 1e6), "nobody tried it since")
}

func TestASuccessEndsTheStreak(t *testing.T) {
	r := New(DefaultSettings())
	for i := range 40 {
		_, changed := r.Record(chat, call(float64(i), i%5 == 0))
		assert.False(t, changed)
	}
	assert.Equal(t, 4, r.StateAt(chat, at(39)).ConsecutiveFailures)
}

func TestHalfOpen(t *testing.T) {
	t.Run("three successes close it", func(t *testing.T) {
		r := tripped(t)
		for i := range 2 {
			_, changed := r.Record(chat, call(float64(36+i), true))
			assert.False(t, changed)
		}
		tr, changed := r.Record(chat, call(38, true))
		assert.True(t, changed)
		assert.Equal(t, Transition{From: semconv.BreakerHalfOpen, To: semconv.BreakerClosed, At: at(38), Generation: 3}, tr)
		assert.Equal(t, semconv.BreakerHalfOpen, state(r, 37))
		assert.Equal(t, semconv.BreakerOpen, state(r, 30), "the past stays")
		assert.Equal(t, semconv.BreakerClosed, state(r, 38))
	})
	t.Run("one failure opens it again", func(t *testing.T) {
		r := tripped(t)
		r.Record(chat, call(36, true))
		tr, changed := r.Record(chat, call(40, false))
		assert.True(t, changed)
		assert.Equal(t, "half_open>open", tr.String())
		assert.Equal(t, 30*time.Second, r.StateAt(chat, at(40)).RetryAfter)
	})
	t.Run("calls that started before are no probes", func(t *testing.T) {
		r := tripped(t)
		for range 10 {
			_, changed := r.Record(chat, Outcome{Start: at(34.9), End: at(50), Success: true})
			assert.False(t, changed)
			_, changed = r.Record(chat, Outcome{Start: at(34.9), End: at(50)})
			assert.False(t, changed)
		}
		assert.Equal(t, semconv.BreakerHalfOpen, state(r, 60))
	})
}

func TestWhatChangesNothing(t *testing.T) {
	t.Run("calls in flight when it opened", func(t *testing.T) {
		r := tripped(t)
		for range 10 {
			_, changed := r.Record(chat, call(20, true))
			assert.False(t, changed)
			_, changed = r.Record(chat, call(21, false))
			assert.False(t, changed)
		}
		assert.Equal(t, at(5), r.StateAt(chat, at(21)).OpenedAt)
	})
	t.Run("calls that were not permitted", func(t *testing.T) {
		r := New(DefaultSettings())
		for i := range 100 {
			_, changed := r.Record(chat, Outcome{Start: at(float64(i)), End: at(float64(i)), NotPermitted: true})
			assert.False(t, changed)
		}
		assert.Zero(t, r.Len())
	})
	t.Run("a late outcome of a state that is over", func(t *testing.T) {
		r := tripped(t)
		_, changed := r.Record(chat, call(2, true))
		assert.False(t, changed)
		assert.Equal(t, semconv.BreakerOpen, state(r, 6))
	})
	t.Run("failures before the last success, told later", func(t *testing.T) {
		r := New(DefaultSettings())
		r.Record(chat, call(10, true))
		for i := range 9 {
			_, changed := r.Record(chat, call(float64(i), false))
			assert.False(t, changed)
		}
	})
}

func TestLateOutcomesFallWhereTheyBelong(t *testing.T) {
	r := New(DefaultSettings())
	for _, end := range []float64{7, 3, 6, 5} {
		r.Record(chat, call(end, false))
	}
	r.Record(chat, call(3.5, true)) // ends the streak at 3 only
	assert.Equal(t, 3, r.StateAt(chat, at(8)).ConsecutiveFailures)
	r.Record(chat, call(4, false))
	tr, changed := r.Record(chat, call(4.5, false))
	assert.True(t, changed)
	assert.Equal(t, at(7), tr.At, "it opens when the streak was complete")
}

func TestOutcomesOfOneInstantCountAsTheyCome(t *testing.T) {
	r := New(DefaultSettings())
	r.Record(chat, call(1, true))
	for range 4 {
		r.Record(chat, call(1, false))
	}
	_, changed := r.Record(chat, call(1, false))
	assert.True(t, changed)
}

func TestAStartAfterTheEndIsTheEnd(t *testing.T) {
	r := tripped(t)
	tr, changed := r.Record(chat, Outcome{Start: at(60), End: at(40)})
	assert.True(t, changed)
	assert.Equal(t, at(40), tr.At)
	_, changed = tripped(t).Record(chat, Outcome{Start: at(60), End: at(34)})
	assert.False(t, changed)
}

func TestKeysAreApartAndBounded(t *testing.T) {
	r := New(Settings{MaxKeys: 2, ConsecutiveFailures: 1})
	key := func(p string) Key { return Key{Operation: "chat", Provider: p} }
	r.Record(key("a"), call(1, false))
	r.Record(key("b"), call(1, true))
	r.Record(key("a"), call(1, true)) // a is used more recently than b
	r.Record(key("c"), call(1, true))
	assert.Equal(t, 2, r.Len())
	assert.Equal(t, uint64(1), r.Evicted())
	list := r.List(at(2))
	require.Len(t, list, 2)
	assert.Equal(t, "chat/a", list[0].Key.String())
	assert.Equal(t, semconv.BreakerOpen, list[0].State)
	assert.Equal(t, "chat/c", list[1].Key.String())
	assert.Equal(t, Snapshot{Key: key("b"), State: semconv.BreakerClosed}, r.StateAt(key("b"), at(2)))
}

func TestHistoryIsBounded(t *testing.T) {
	r := New(Settings{ConsecutiveFailures: 1, OpenFor: time.Second})
	for i := range 100 {
		_, changed := r.Record(chat, Outcome{Start: at(float64(2 * i)), End: at(float64(2 * i))})
		assert.True(t, changed)
	}
	assert.Equal(t, uint64(199), r.StateAt(chat, at(198)).Generation)
	long := r.StateAt(chat, at(0))
	assert.Equal(t, Snapshot{Key: chat, State: semconv.BreakerOpen, Generation: 183}, long, "when it opened is forgotten")
}

func TestClassify(t *testing.T) {
	for code, want := range map[string]Kind{
		"": Failure, "MY_OWN": Failure, errorsummary.CodeUnknown: Failure, errorsummary.CodeTimeout: Failure,
		errorsummary.CodeRateLimited: Failure, errorsummary.CodeServerError: Failure,
		errorsummary.CodeInvalidInput: Ignored, errorsummary.CodeCancelled: Ignored,
		errorsummary.CodeQuotaExceeded: Ignored, errorsummary.CodeCircuitOpen: NotPermitted,
	} {
		assert.Equal(t, want, Classify(code), code)
	}
}

func TestSettingsThatMakeNoSenseAreTheDefaults(t *testing.T) {
	assert.Equal(t, DefaultSettings(), Settings{ConsecutiveFailures: -1, OpenFor: -1}.orDefaults())
}

func TestConcurrentUse(t *testing.T) {
	r := New(Settings{MaxKeys: 4})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				k := Key{Operation: "chat", Provider: strconv.Itoa(i % 7)}
				r.Record(k, call(float64(i), (g+i)%3 == 0))
				r.StateAt(k, at(float64(i)))
				r.List(at(float64(i)))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 4, r.Len())
}

func BenchmarkRecord(b *testing.B) {
	for name, success := range map[string]bool{"success": true, "failure": false} {
		b.Run(name, func(b *testing.B) {
			r := New(DefaultSettings())
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.Record(chat, call(float64(i), success))
			}
		})
	}
}

func BenchmarkStateAt(b *testing.B) {
	r := New(DefaultSettings())
	for i := range 5 {
		r.Record(chat, call(float64(i), false))
	}
	b.ReportAllocs()
	for b.Loop() {
		r.StateAt(chat, at(10))
	}
}

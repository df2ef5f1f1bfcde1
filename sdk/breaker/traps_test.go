// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// What breakers get wrong, each as a story.

func TestTrapSlowSuccessArrivesAfterTheOpening(t *testing.T) {
	r := tripped(t)
	for range 3 { // they began when the provider was well
		quietly(t, r, Outcome{Start: at(0.5), End: at(36), Success: true})
	}
	assert.Equal(t, semconv.BreakerHalfOpen, stateOf(r, 36))
	quietly(t, r, call(36, true), call(37, true)) // exactly at its beginning is in it
	tr, changed := tell(r, call(38, true))
	assert.True(t, changed)
	assert.Equal(t, "half_open>closed", tr.String())
}

func TestTrapEverybodyIsShortCircuitedAndNothingIsTold(t *testing.T) {
	r := tripped(t)
	assert.True(t, r.IsOpen(chat, at(34.9)))
	assert.False(t, r.IsOpen(chat, at(35)), "half-open comes by the clock alone")
	assert.Equal(t, semconv.BreakerHalfOpen, r.State(chat, at(35)))
	assert.True(t, r.Allow(chat, at(35)).Allowed)
}

func TestTrapOpenBreakersFeedThemselves(t *testing.T) {
	r := tripped(t)
	for i := range 290 { // every one of them is an error CIRCUIT_OPEN in the telemetry
		end := at(5 + float64(i)/10)
		quietly(t, r, Outcome{Start: end, End: end, NotPermitted: true})
	}
	assert.Equal(t, Snapshot{
		Key: chat, State: semconv.BreakerOpen, FailureRatio: 1, Calls: 5, NotPermitted: 290,
		OpenedAt: at(5), RetryAfter: time.Second, Generation: 1,
	}, r.StateAt(chat, at(34)))
	assert.Equal(t, semconv.BreakerHalfOpen, stateOf(r, 35), "they did not keep it open")
}

// The record of a call, its span, and a retry of the exporter all tell the same. Who calls Record tells each once:
// this is how.
func TestTrapOneOutcomeDeliveredThreeTimes(t *testing.T) {
	r := New(plain())
	seen := map[string]bool{}
	for i, id := range []string{"a", "a", "b", "a", "c", "b", "c", "d", "d", "d"} {
		if !seen[id] {
			quietly(t, r, call(float64(i), false))
		}
		seen[id] = true
	}
	assert.Equal(t, 4, r.StateAt(chat, at(10)).ConsecutiveFailures)
	assert.Equal(t, uint64(4), r.StateAt(chat, at(10)).Calls)
}

func TestTrapASenderIsAheadOfTime(t *testing.T) {
	r := New(plain())
	now := at(100)
	for i := range 8 {
		r.Record(chat, call(90+float64(i), i%2 == 0), now)
	}
	r.Record(chat, call(3600, true), now)
	snap := r.StateAt(chat, now.Add(10*time.Second))
	assert.Equal(t, uint64(9), snap.Calls, "the window is not emptied")
	assert.Equal(t, uint64(1), r.Stats().Ahead)
	r.Record(chat, call(99, true), now)
	assert.Zero(t, r.Stats().Late, "nor is anybody else late by it")
}

func TestTrapWhatIsAheadOfTimeOpensAtOnce(t *testing.T) {
	r := New(plain())
	for range 5 {
		r.Record(chat, call(3600, false), at(100))
	}
	assert.True(t, r.IsOpen(chat, at(100)))
	assert.False(t, r.IsOpen(chat, at(130)))
}

func TestTrapProbesAheadOfTime(t *testing.T) {
	r := trippedWith(t, Settings{Jitter: -1, HalfOpenSuccesses: 1})
	tr, changed := r.Record(chat, Outcome{Start: at(35), End: at(36), Success: true}, at(34))
	assert.True(t, changed)
	assert.Equal(t, at(35), tr.At, "not before it was half-open")
}

func TestTrapTheClockIsSetBack(t *testing.T) {
	// The clock was an hour ahead, and the breaker opened in that hour.
	ahead := func() *Registry {
		r := New(plain())
		for i := range 12 {
			r.Record(chat, call(3600+float64(i)/10, i%2 == 0), at(3600+float64(i)/10))
		}
		for i := range 5 {
			r.Record(chat, call(3602+float64(i)/10, false), at(3602+float64(i)/10))
		}
		require.True(t, r.IsOpen(chat, at(3603)))
		return r
	}
	t.Run("nobody waits for an hour", func(t *testing.T) {
		r := ahead()
		assert.False(t, r.IsOpen(chat, at(10)), "that opening has not happened yet")
		assert.True(t, r.Allow(chat, at(10)).Allowed)
	})
	t.Run("the opening moves along", func(t *testing.T) {
		r := ahead()
		_, changed := r.Record(chat, call(10, true), at(10))
		assert.False(t, changed)
		assert.True(t, r.IsOpen(chat, at(20)))
		assert.False(t, r.IsOpen(chat, at(50)))
		for i := range 3 {
			r.Record(chat, call(52+float64(i), true), at(52+float64(i)))
		}
		assert.Equal(t, semconv.BreakerClosed, r.State(chat, at(55)))
		assert.Zero(t, r.Stats().Late)
	})
	t.Run("the window is not emptied", func(t *testing.T) {
		r := New(byRatio())
		for i := range 9 {
			r.Record(chat, call(3600, i < 5), at(3600))
		}
		tr, changed := r.Record(chat, call(10, false), at(10))
		require.True(t, changed)
		assert.Equal(t, ReasonFailureRatio, tr.Reason)
		assert.Equal(t, at(10), tr.At)
	})
	t.Run("behind all that is remembered", func(t *testing.T) {
		r := New(Settings{ConsecutiveFailures: 1, OpenFor: time.Second, MaxOpenFor: time.Second, Jitter: -1, HalfOpenSuccesses: 1})
		for i := range 20 {
			s := float64(3600 + 3*i)
			r.Record(chat, Outcome{Start: at(s), End: at(s)}, at(s))
			r.Record(chat, Outcome{Start: at(s + 2), End: at(s + 2), Success: true}, at(s+2))
			r.Record(chat, Outcome{Start: at(s + 2), End: at(s + 2)}, at(s+2))
		}
		assert.True(t, r.Allow(chat, at(10)).Allowed)
	})
}

func TestTrapTheClockJumpsAheadAndBack(t *testing.T) {
	r := New(plain())
	for i := range 4 {
		r.Record(chat, call(float64(i), false), at(float64(i)))
	}
	assert.Equal(t, semconv.BreakerClosed, r.State(chat, at(1e9)), "asking changes nothing")
	assert.True(t, r.Allow(chat, at(1e9)).Allowed)
	r.Record(chat, call(4, true), at(1e9)) // told with a wrong clock, but the call has its own
	for i := range 4 {
		r.Record(chat, call(5+float64(i), false), at(5+float64(i)))
	}
	snap := r.StateAt(chat, at(9))
	assert.Equal(t, semconv.BreakerClosed, snap.State)
	assert.Equal(t, 4, snap.ConsecutiveFailures)
	_, changed := r.Record(chat, call(9, false), at(9))
	assert.True(t, changed)
}

func TestTrapProbesAreLost(t *testing.T) {
	r := tripped(t)
	for range 3 {
		assert.True(t, r.Allow(chat, at(35)).Allowed)
	}
	assert.False(t, r.Allow(chat, at(40)).Allowed, "three are on their way")
	assert.False(t, r.Allow(chat, at(64)).Allowed)
	assert.Equal(t, semconv.BreakerHalfOpen, r.State(chat, at(65)), "which nobody but the asking ones knows of")
	for i := range 3 {
		p := r.Allow(chat, at(65))
		assert.True(t, p.Allowed, "given up")
		_, changed := tell(r, Outcome{Start: at(65), End: at(66), Success: true})
		assert.Equal(t, i == 2, changed)
		r.Release(chat, p)
	}
	assert.Equal(t, semconv.BreakerClosed, r.State(chat, at(66)))
}

func TestTrapFlappingProvider(t *testing.T) {
	r := New(plain())
	end := 0.0
	fail := func(n int) time.Duration {
		for range n {
			tell(r, Outcome{Start: at(end), End: at(end)})
		}
		return r.StateAt(chat, at(end)).RetryAfter
	}
	var got []float64
	d := fail(5)
	for range 6 {
		got = append(got, d.Seconds())
		end += d.Seconds()
		d = fail(1)
	}
	assert.Equal(t, []float64{30, 60, 120, 240, 300, 300}, got)
	end += d.Seconds()
	for range 3 {
		tell(r, Outcome{Start: at(end), End: at(end), Success: true})
	}
	assert.Equal(t, semconv.BreakerClosed, stateOf(r, end))
	assert.Equal(t, 30*time.Second, fail(5), "a close starts it anew")
}

func TestTrapTimesFromNowhere(t *testing.T) {
	times := []time.Time{{}, time.Unix(1<<62, 0), time.Unix(-1<<62, 0), at(0), time.Unix(0, -1), at(1e9), time.Unix(1<<33, 0)}
	r := New(Settings{ConsecutiveFailures: 2, HalfOpenSuccesses: 1})
	for _, now := range times {
		for _, start := range times {
			for _, end := range times {
				for _, good := range []bool{true, false} {
					r.Record(chat, Outcome{Start: start, End: end, Success: good, RetryAfter: 1 << 62}, now)
					r.StateAt(chat, end)
					r.State(chat, start)
					r.Release(chat, r.Allow(chat, now))
				}
			}
		}
		_, err := r.Force(chat, ForceOpen, now)
		require.NoError(t, err)
		_, err = r.Force(chat, Auto, now)
		require.NoError(t, err)
		require.NoError(t, New(Settings{}).Restore(r.Export()))
	}
	// And it works again as soon as the times do.
	for i := range 20 {
		r.Record(chat, call(float64(1000*i), true), at(float64(1000*i)))
	}
	assert.Equal(t, semconv.BreakerClosed, r.State(chat, at(19001)))
}

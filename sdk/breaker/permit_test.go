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

func TestAllow(t *testing.T) {
	r := New(plain())
	assert.Equal(t, Permit{Allowed: true, State: semconv.BreakerClosed}, r.Allow(chat, at(0)))
	assert.Zero(t, r.Len(), "asking keeps nothing")

	r = tripped(t)
	p := r.Allow(chat, at(15))
	assert.False(t, p.Allowed)
	assert.Equal(t, semconv.BreakerOpen, p.State)
	assert.Equal(t, 20*time.Second, p.RetryAfter)
	r.Release(chat, p)

	var permits []Permit
	for range 3 {
		p := r.Allow(chat, at(36))
		assert.True(t, p.Allowed)
		assert.Equal(t, semconv.BreakerHalfOpen, p.State)
		permits = append(permits, p)
	}
	refused := r.Allow(chat, at(36))
	assert.False(t, refused.Allowed)
	assert.Zero(t, refused.RetryAfter)
	r.Release(chat, refused)
	assert.False(t, r.Allow(chat, at(36)).Allowed, "who was refused gives nothing back")

	r.Release(chat, permits[0])
	r.Release(chat, permits[0])
	r.Release(provider("unknown"), permits[1])
	p = r.Allow(chat, at(37))
	assert.True(t, p.Allowed)

	tr, changed := tell(r, Outcome{Start: at(37), End: at(38)})
	require.True(t, changed)
	require.Equal(t, "half_open>open", tr.String())
	assert.Equal(t, 60*time.Second, r.Allow(chat, at(38)).RetryAfter)
	for range 3 {
		assert.True(t, r.Allow(chat, at(98)).Allowed, "a new half-open counts anew")
	}
	r.Release(chat, p)
	assert.False(t, r.Allow(chat, at(98)).Allowed, "and knows nothing of the probes of the one before")
}

func TestProbesOfItsOwnNumber(t *testing.T) {
	r := trippedWith(t, Settings{Jitter: -1, HalfOpenProbes: 1})
	assert.True(t, r.Allow(chat, at(35)).Allowed)
	assert.False(t, r.Allow(chat, at(36)).Allowed)
	assert.True(t, r.Allow(chat, at(65)).Allowed, "given up after the time open")
}

func TestProbesOfAClockThatWasSetBack(t *testing.T) {
	r := tripped(t)
	for range 3 {
		assert.True(t, r.Allow(chat, at(1000)).Allowed)
	}
	assert.True(t, r.Allow(chat, at(36)).Allowed)
}

func TestTheStateDoesNotDependOnPermits(t *testing.T) {
	r := tripped(t)
	for range 3 {
		r.Allow(chat, at(35))
	}
	quietly(t, r, call(36, true), call(37, true)) // nobody asked for these
	_, changed := tell(r, call(38, true))
	assert.True(t, changed)
}

func TestForce(t *testing.T) {
	r := tripped(t)
	tr, err := r.Force(chat, ForceClosed, at(10))
	require.NoError(t, err)
	assert.Equal(t, Transition{From: semconv.BreakerOpen, To: semconv.BreakerForcedClosed, At: at(10), Generation: 2, Reason: ReasonForced}, tr)
	assert.False(t, r.IsOpen(chat, at(11)))
	assert.True(t, r.Allow(chat, at(11)).Allowed)
	assert.Equal(t, semconv.BreakerOpen, stateOf(r, 9), "the past stays")

	tr, err = r.Force(chat, ForceClosed, at(12))
	require.NoError(t, err)
	assert.Equal(t, tr.From, tr.To, "it is already")
	assert.Equal(t, uint64(2), tr.Generation)

	tr, err = r.Force(chat, ForceOpen, at(13))
	require.NoError(t, err)
	assert.Equal(t, "forced_closed>forced_open", tr.String())
	assert.True(t, r.IsOpen(chat, at(1e6)), "as long as it is forced")
	p := r.Allow(chat, at(1e6))
	assert.False(t, p.Allowed)
	assert.Zero(t, p.RetryAfter)
	assert.Equal(t, at(13), r.StateAt(chat, at(20)).OpenedAt)

	t.Run("back to what came of it underneath", func(t *testing.T) {
		tr, err := r.Force(chat, Auto, at(20))
		require.NoError(t, err)
		assert.Equal(t, Transition{From: semconv.BreakerForcedOpen, To: semconv.BreakerOpen, At: at(20), Generation: 4, Reason: ReasonForced}, tr)
		assert.Equal(t, Snapshot{
			Key: chat, State: semconv.BreakerOpen, FailureRatio: 1, Calls: 5,
			OpenedAt: at(5), RetryAfter: 10 * time.Second, Generation: 4,
		}, r.StateAt(chat, at(25)))
		assert.Equal(t, uint64(5), r.StateAt(chat, at(35)).Generation, "half-open")
		_, err = r.Force(chat, ForceOpen, at(36))
		require.NoError(t, err)
		quietly(t, r, call(37, true), call(38, true), call(39, true))
		tr, err = r.Force(chat, Auto, at(50))
		require.NoError(t, err)
		assert.Equal(t, "forced_open>closed", tr.String())
		assert.Equal(t, uint64(7), tr.Generation)
	})
	t.Run("half-open underneath", func(t *testing.T) {
		r := tripped(t)
		_, err := r.Force(chat, ForceOpen, at(10))
		require.NoError(t, err)
		tr, err := r.Force(chat, Auto, at(40))
		require.NoError(t, err)
		assert.Equal(t, "forced_open>half_open", tr.String())
		assert.Equal(t, semconv.BreakerHalfOpen, stateOf(r, 40))
		assert.Equal(t, semconv.BreakerForcedOpen, stateOf(r, 39))
		next, changed := tell(r, call(42, false))
		assert.True(t, changed)
		assert.Equal(t, "half_open>open", next.String())
		assert.Greater(t, next.Generation, tr.Generation)
	})
	t.Run("what is told later begins later", func(t *testing.T) {
		r := New(plain())
		for i, mode := range []Mode{ForceOpen, Auto} {
			_, err := r.Force(chat, mode, at(float64(50+10*i)))
			require.NoError(t, err)
		}
		for i := range 4 {
			quietly(t, r, call(float64(i), false))
		}
		tr, changed := tell(r, call(5, false))
		require.True(t, changed)
		assert.Equal(t, at(60), tr.At)
		assert.Equal(t, semconv.BreakerForcedOpen, stateOf(r, 55), "the past stays")
	})
	t.Run("a key that nobody knows", func(t *testing.T) {
		r := New(plain())
		tr, err := r.Force(chat, Auto, at(1))
		require.NoError(t, err)
		assert.Equal(t, tr.From, tr.To)
		assert.Zero(t, r.Len())
		_, err = r.Force(chat, ForceOpen, at(1))
		require.NoError(t, err)
		assert.True(t, r.IsOpen(chat, at(1)))
		_, err = r.Force(chat, Mode(77), at(2))
		require.NoError(t, err)
		assert.False(t, r.IsOpen(chat, at(2)), "no mode is none")
	})
	t.Run("when the clock is set back", func(t *testing.T) {
		r := New(plain())
		_, err := r.Force(chat, ForceOpen, at(3600))
		require.NoError(t, err)
		_, err = r.Force(chat, Auto, at(1))
		require.NoError(t, err)
		_, err = r.Force(chat, ForceOpen, at(2))
		require.NoError(t, err)
		assert.True(t, r.IsOpen(chat, at(10)))
	})
}

func TestNobodyWaitsForAnOpeningThatIsForgotten(t *testing.T) {
	r := tripped(t)
	for i := range 20 { // all that is remembered; before, it was open
		_, err := r.Force(chat, ForceClosed-Mode(i%2), at(10+float64(i)))
		require.NoError(t, err)
		if len(entryOf(r, chat).spans) == maxSpans && entryOf(r, chat).spans[0].from == open {
			break
		}
	}
	assert.Equal(t, semconv.BreakerOpen, stateOf(r, 7))
	assert.False(t, r.IsOpen(chat, at(7)), "a clock that was set back asks")
}

func TestForcedKeysAreNotEvicted(t *testing.T) {
	r := New(Settings{MaxKeys: 2})
	_, err := r.Force(provider("a"), ForceOpen, at(0))
	require.NoError(t, err)
	for _, p := range []string{"b", "c", "d"} {
		r.Record(provider(p), call(1, true), later)
	}
	assert.Equal(t, Stats{Keys: 2, Forced: 1, Evicted: 2}, r.Stats())
	assert.True(t, r.IsOpen(provider("a"), at(1)))

	_, err = r.Force(provider("b"), ForceClosed, at(0))
	require.NoError(t, err)
	_, err = r.Force(provider("c"), ForceClosed, at(0))
	require.ErrorIs(t, err, ErrTooManyForced)
	_, changed := r.Record(provider("c"), call(1, false), later)
	assert.False(t, changed, "there is no room to count it")
	assert.Empty(t, r.Apply([]Shared{{Key: provider("c")}}, later))

	other := New(Settings{MaxKeys: 1})
	require.NoError(t, other.Restore(r.Export()), "what does not fit is left out")
	assert.Equal(t, 1, other.Len())

	_, err = r.Force(provider("a"), Auto, at(5))
	require.NoError(t, err)
	r.Record(provider("e"), call(1, true), later)
	assert.False(t, r.IsOpen(provider("a"), at(6)), "and now it is")
	assert.Equal(t, 1, r.Stats().Forced)
}

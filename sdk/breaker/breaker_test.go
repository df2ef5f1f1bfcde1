// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/errorsummary"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

var (
	epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	// later is now where it does not matter: all outcomes ended before.
	later = at(1e6)
	chat  = Key{Operation: "chat", Provider: "openai"}
)

// at is a time on the tests' scale, in seconds. Zero is the border of a bucket.
func at(s float64) time.Time { return epoch.Add(time.Duration(s * float64(time.Second))) }

// call is a call of one second that ended at end.
func call(end float64, success bool) Outcome {
	return Outcome{Start: at(end - 1), End: at(end), Success: success}
}

// plain settings are the defaults without jitter.
func plain() Settings { return Settings{Jitter: -1} }

// byRatio opens by nothing else.
func byRatio() Settings { return Settings{Jitter: -1, ConsecutiveFailures: -1} }

func tell(r *Registry, o Outcome) (Transition, bool) { return r.Record(chat, o, later) }

// quietly tells outcomes that must change nothing.
func quietly(t testing.TB, r *Registry, os ...Outcome) {
	t.Helper()
	for _, o := range os {
		tr, changed := tell(r, o)
		require.False(t, changed, "%v by %v", tr, o)
	}
}

// tripped is a registry whose chat/openai opened at 5 s; it is half-open from 35 s.
func tripped(t testing.TB) *Registry { return trippedWith(t, plain()) }

func trippedWith(t testing.TB, s Settings) *Registry {
	r := New(s)
	quietly(t, r, call(1, false), call(2, false), call(3, false), call(4, false))
	tr, changed := tell(r, call(5, false))
	require.True(t, changed)
	require.Equal(t, Transition{
		From: semconv.BreakerClosed, To: semconv.BreakerOpen, At: at(5), Generation: 1, Reason: ReasonConsecutiveFailures,
	}, tr)
	require.Equal(t, "closed>open", tr.String())
	return r
}

func stateOf(r *Registry, s float64) semconv.BreakerState { return r.StateAt(chat, at(s)).State }

func TestOpensAfterFailuresInARow(t *testing.T) {
	r := tripped(t)
	assert.Equal(t, semconv.BreakerClosed, stateOf(r, 4.9))
	assert.Equal(t, Snapshot{
		Key: chat, State: semconv.BreakerOpen, FailureRatio: 1, Calls: 5,
		OpenedAt: at(5), RetryAfter: 20 * time.Second, Generation: 1,
	}, r.StateAt(chat, at(15)))
	assert.Equal(t, semconv.BreakerOpen, stateOf(r, 34.9))
	assert.Equal(t, Snapshot{
		Key: chat, State: semconv.BreakerHalfOpen, FailureRatio: 1, Calls: 5, OpenedAt: at(5), Generation: 2,
	}, r.StateAt(chat, at(35)))
	assert.Equal(t, semconv.BreakerHalfOpen, stateOf(r, 1e6), "nobody tried it since")
}

func TestASuccessEndsTheStreak(t *testing.T) {
	r := New(Settings{FailureRatio: -1})
	for i := range 40 {
		quietly(t, r, call(float64(i), i%5 == 0))
	}
	assert.Equal(t, 4, r.StateAt(chat, at(39)).ConsecutiveFailures)
}

// Each story is a second per letter: s and f are calls that succeeded and failed, S and F such that took 10 s, x was
// not permitted, a space is nothing. It says after how many outcomes the breaker opens, and why.
func TestWhatOpens(t *testing.T) {
	slow := func(s Settings) Settings { s.SlowCallDuration = 10 * time.Second; return s }
	const minute = "                                                            "
	for name, tt := range map[string]struct {
		story string
		s     Settings
		after int
		why   Reason
	}{
		"half of ten":                    {"sfsfsfsfsf", byRatio(), 10, ReasonFailureRatio},
		"nine are too few":               {"fffffffff", byRatio(), 0, 0},
		"less than half":                 {"ssssssffffsssfsssf", byRatio(), 0, 0},
		"a good call never opens":        {"fffffffffs", byRatio(), 0, 0},
		"but the next bad one does":      {"fffffffffsf", byRatio(), 11, ReasonFailureRatio},
		"what left the window is gone":   {"ssssssssss" + minute + "fffffsffff", byRatio(), 20, ReasonFailureRatio},
		"and failures leave it, too":     {"fffffffff" + minute + "f", byRatio(), 0, 0},
		"five in a row come first":       {"fffff", plain(), 5, ReasonConsecutiveFailures},
		"not in a row":                   {"ffffsffffsssssss", Settings{FailureRatio: -1}, 0, 0},
		"in a row, over any time":        {"ff" + minute + "ff" + minute + "f", plain(), 5, ReasonConsecutiveFailures},
		"rejected calls are not counted": {"xxxxxxxxxxxxxxxxxxxx", plain(), 0, 0},
		"nor do they end a streak":       {"ffxffxf", plain(), 7, ReasonConsecutiveFailures},
		"nor make a ratio":               {"fsfsfxxxxxxxxxsfs", byRatio(), 0, 0},
		"slow successes":                 {"sSsSsSsSsS", slow(plain()), 10, ReasonSlowCallRatio},
		"slow is off":                    {"SSSSSSSSSSSS", plain(), 0, 0},
		"slow failures count as both":    {"sSsFsssSsF", slow(byRatio()), 0, 0},
		"and slow by their sum":          {"sSsFsFsSsF", slow(byRatio()), 10, ReasonSlowCallRatio},
		"all is off":                     {"ffffffffffffffffffff", Settings{FailureRatio: -1, ConsecutiveFailures: -1}, 0, 0},
		"own thresholds":                 {"ssff", Settings{FailureRatio: 0.5, MinimumCalls: 3}, 4, ReasonFailureRatio},
		"all of them":                    {"sfff", Settings{FailureRatio: 1, MinimumCalls: 1}, 0, 0},
		"disabled":                       {"ffffffffffffffffffff", Settings{Overrides: []Override{{Disabled: true}}}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := New(tt.s)
			var told, after int
			for i, c := range tt.story {
				o := Outcome{Start: at(float64(i)), End: at(float64(i)), Success: c == 's' || c == 'S', NotPermitted: c == 'x'}
				switch c {
				case ' ':
					continue
				case 'S', 'F':
					o.Start = at(float64(i - 10))
				}
				told++
				if tr, changed := tell(r, o); changed {
					require.Zero(t, after, "opens once")
					assert.Equal(t, tt.why, tr.Reason)
					assert.Equal(t, o.End, tr.At)
					after = told
				}
			}
			assert.Equal(t, tt.after, after)
		})
	}
}

func TestCountsOfTheWindow(t *testing.T) {
	r := New(byRatio())
	quietly(t, r, call(1, true), call(2, false), call(3, true), call(4, true))
	quietly(t, r, Outcome{Start: at(7), End: at(7), NotPermitted: true})
	want := Snapshot{Key: chat, State: semconv.BreakerClosed, FailureRatio: 0.25, Calls: 4, NotPermitted: 1}
	got := r.StateAt(chat, at(10))
	assert.Equal(t, 0, got.ConsecutiveFailures)
	assert.Equal(t, want, got)
	want.NotPermitted = 0
	assert.Equal(t, want, r.StateAt(chat, at(5.9)), "the bucket of that time is the last")
	assert.Equal(t, uint64(4), r.StateAt(chat, at(59)).Calls)
	assert.Zero(t, r.StateAt(chat, at(60)).Calls, "the window goes on without calls")
	assert.Equal(t, uint64(1), r.StateAt(chat, at(60)).NotPermitted)
}

func TestHalfOpen(t *testing.T) {
	t.Run("three successes close it", func(t *testing.T) {
		r := tripped(t)
		quietly(t, r, call(36, true), call(37, true))
		tr, changed := tell(r, call(38, true))
		assert.True(t, changed)
		assert.Equal(t, Transition{
			From: semconv.BreakerHalfOpen, To: semconv.BreakerClosed, At: at(38), Generation: 3, Reason: ReasonProbesSucceeded,
		}, tr)
		assert.Equal(t, semconv.BreakerHalfOpen, stateOf(r, 37))
		assert.Equal(t, semconv.BreakerOpen, stateOf(r, 30), "the past stays")
		assert.Equal(t, Snapshot{Key: chat, State: semconv.BreakerClosed, Generation: 3}, r.StateAt(chat, at(38)), "all is forgiven")
	})
	t.Run("one failure opens it again, for twice as long", func(t *testing.T) {
		r := tripped(t)
		quietly(t, r, call(36, true))
		tr, changed := tell(r, call(40, false))
		assert.True(t, changed)
		assert.Equal(t, "half_open>open", tr.String())
		assert.Equal(t, ReasonProbeFailed, tr.Reason)
		assert.Equal(t, uint64(3), tr.Generation)
		assert.Equal(t, 60*time.Second, r.StateAt(chat, at(40)).RetryAfter)
	})
	t.Run("a slow success is a failure where slow ones count", func(t *testing.T) {
		s := plain()
		s.SlowCallDuration = 10 * time.Second
		r := trippedWith(t, s)
		tr, changed := tell(r, Outcome{Start: at(35), End: at(45), Success: true})
		assert.True(t, changed)
		assert.Equal(t, "half_open>open", tr.String())
	})
	t.Run("calls that started before are no probes", func(t *testing.T) {
		r := tripped(t)
		for range 10 {
			quietly(t, r, Outcome{Start: at(34.9), End: at(50), Success: true}, Outcome{Start: at(34.9), End: at(50)})
		}
		assert.Equal(t, semconv.BreakerHalfOpen, stateOf(r, 60))
	})
	t.Run("nor are those of the half-open before", func(t *testing.T) {
		r := tripped(t)
		tell(r, call(36, false)) // open until 96
		for range 5 {
			quietly(t, r, Outcome{Start: at(35.5), End: at(97), Success: true}, Outcome{Start: at(35.5), End: at(97)})
		}
		assert.Equal(t, uint64(4), r.StateAt(chat, at(97)).Generation)
	})
	t.Run("a closed breaker starts afresh", func(t *testing.T) {
		r := tripped(t)
		tell(r, call(36, true))
		tell(r, call(36, true))
		tell(r, call(36, true))
		for range 20 { // calls of the outage that time out now
			quietly(t, r, Outcome{Start: at(3), End: at(40)})
		}
		quietly(t, r, call(41, false))
		assert.Equal(t, uint64(20), r.Stats().Stale)
		assert.Equal(t, uint64(1), r.StateAt(chat, at(41)).Calls)
		quietly(t, r, call(42, false), call(43, false), call(44, false))
		tr, changed := tell(r, call(45, false))
		assert.True(t, changed, "but it opens like any other")
		assert.Equal(t, uint64(4), tr.Generation)
		assert.Equal(t, 30*time.Second, r.StateAt(chat, at(45)).RetryAfter, "and for no longer")
	})
}

func TestLateOutcomesFallWhereTheyBelong(t *testing.T) {
	t.Run("in a streak", func(t *testing.T) {
		r := New(plain())
		quietly(t, r, call(7, false), call(3, false), call(6, false), call(5, false))
		quietly(t, r, call(3.5, true)) // ends the streak at 3 only
		assert.Equal(t, 3, r.StateAt(chat, at(8)).ConsecutiveFailures)
		quietly(t, r, call(4, false))
		tr, changed := tell(r, call(4.5, false))
		assert.True(t, changed)
		assert.Equal(t, at(7), tr.At, "it opens when the streak was complete")
	})
	t.Run("not before the last success", func(t *testing.T) {
		r := New(Settings{FailureRatio: -1})
		quietly(t, r, call(10, true))
		for i := range 9 {
			quietly(t, r, call(float64(i), false))
		}
	})
	t.Run("in the window that ends there", func(t *testing.T) {
		r := New(byRatio())
		for i := range 100 {
			quietly(t, r, call(31+float64(i)/100, true)) // all is well by now
		}
		for i := range 9 {
			quietly(t, r, call(2+float64(i)/10, false))
		}
		tr, changed := tell(r, call(3, false))
		assert.True(t, changed)
		assert.Equal(t, at(3), tr.At)
		assert.Equal(t, semconv.BreakerHalfOpen, stateOf(r, 33))
	})
	t.Run("in the windows after it", func(t *testing.T) {
		r := New(byRatio())
		for i := range 8 {
			quietly(t, r, call(7+float64(i)/10, false))
		}
		quietly(t, r, call(1, true))
		tr, changed := tell(r, call(2, false))
		assert.True(t, changed)
		assert.Equal(t, at(7.7), tr.At, "as far as the window is known")
	})
	t.Run("up to a bound", func(t *testing.T) {
		r := New(plain())
		quietly(t, r, call(100, true))
		for range 50 {
			quietly(t, r, call(69.9, false))
		}
		assert.Equal(t, uint64(50), r.Stats().Late)
		assert.Equal(t, uint64(1), r.StateAt(chat, at(100)).Calls)
	})
	t.Run("not into a state that is over", func(t *testing.T) {
		r := tripped(t)
		quietly(t, r, call(2, true))
		assert.Equal(t, semconv.BreakerOpen, stateOf(r, 6))
	})
}

func TestCallsInFlightWhenItOpenedChangeNothing(t *testing.T) {
	r := tripped(t)
	for range 10 {
		quietly(t, r, call(20, true), call(21, false))
	}
	assert.Equal(t, at(5), r.StateAt(chat, at(21)).OpenedAt)
	assert.Equal(t, uint64(25), r.StateAt(chat, at(21)).Calls, "but are counted")
}

func TestOutcomesOfOneInstantCountAsTheyCome(t *testing.T) {
	r := New(plain())
	quietly(t, r, call(1, true), call(1, false), call(1, false), call(1, false), call(1, false))
	_, changed := tell(r, call(1, false))
	assert.True(t, changed)
}

func TestAStartAfterTheEndIsTheEnd(t *testing.T) {
	tr, changed := tell(tripped(t), Outcome{Start: at(60), End: at(40)})
	assert.True(t, changed)
	assert.Equal(t, at(40), tr.At)
	_, changed = tell(tripped(t), Outcome{Start: at(60), End: at(34)})
	assert.False(t, changed)
}

func TestRetryAfter(t *testing.T) {
	for name, tt := range map[string]struct {
		each, last time.Duration
		want       float64
	}{
		"longer than the time open": {0, time.Minute, 65},
		"shorter":                   {0, time.Second, 35},
		"of an earlier failure":     {2 * time.Minute, time.Second, 124}, // told at 4
		"no longer than the cap":    {0, time.Hour, 305},
		"nonsense":                  {-time.Hour, -1, 35},
	} {
		t.Run(name, func(t *testing.T) {
			r := New(plain())
			for i := range 5 {
				o := call(float64(i+1), false)
				if o.RetryAfter = tt.each; i == 4 {
					o.RetryAfter = tt.last
				}
				tell(r, o)
			}
			assert.Equal(t, semconv.BreakerOpen, stateOf(r, tt.want-0.1))
			assert.Equal(t, semconv.BreakerHalfOpen, stateOf(r, tt.want))
		})
	}
	t.Run("in half-open", func(t *testing.T) {
		r := tripped(t)
		o := call(40, false)
		o.RetryAfter = 100 * time.Second
		tell(r, o)
		assert.Equal(t, 100*time.Second, r.StateAt(chat, at(40)).RetryAfter)
	})
}

func TestJitter(t *testing.T) {
	s := DefaultSettings()
	p := s.policy(false)
	var shortest, longest, atCap int64 = 1 << 62, 0, 0
	for i := range 1000 {
		h := hashOf(Key{"chat", string(rune('a'+i%26)) + string(rune('a'+i/26))})
		d := p.openTime(1, h, 1)
		assert.Equal(t, d, p.openTime(1, h, 1), "not by chance")
		shortest, longest = min(shortest, d), max(longest, d)
		d = p.openTime(9, h, 1)
		assert.LessOrEqual(t, d, p.maxOpen)
		assert.GreaterOrEqual(t, d, p.maxOpen*9/10)
		if d > p.maxOpen*99/100 {
			atCap++
		}
	}
	assert.InDelta(t, 27, float64(shortest)/1e9, 0.1)
	assert.InDelta(t, 33, float64(longest)/1e9, 0.1)
	assert.Less(t, atCap, int64(200), "not all at once at the cap either")
	assert.NotEqual(t, p.openTime(1, 7, 1), p.openTime(1, 7, 3), "nor do those of one breaker always")
}

func TestHistoryIsBounded(t *testing.T) {
	r := New(Settings{ConsecutiveFailures: 1, OpenFor: time.Second, MaxOpenFor: time.Second, Jitter: -1})
	for i := range 100 {
		_, changed := tell(r, Outcome{Start: at(float64(2 * i)), End: at(float64(2 * i))})
		assert.True(t, changed)
	}
	assert.Equal(t, uint64(199), r.StateAt(chat, at(198)).Generation)
	long := r.StateAt(chat, at(0))
	assert.Equal(t, semconv.BreakerHalfOpen, long.State)
	assert.Equal(t, uint64(168), long.Generation)
	assert.Zero(t, long.OpenedAt, "when it opened is forgotten")
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

func TestReasonsHaveNames(t *testing.T) {
	for r := ReasonFailureRatio; r <= ReasonShared; r++ {
		assert.NotEmpty(t, r.String())
	}
	assert.Empty(t, Reason(200).String())
}

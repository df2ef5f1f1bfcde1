// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// store is the place that processes share.
type store map[Key]Shared

// exchange lets every node tell what is new, then lets all read.
func (s *store) exchange(now time.Time, nodes ...*Registry) []Change {
	if *s == nil {
		*s = store{}
	}
	for _, n := range nodes {
		for _, d := range n.Delta() {
			if known, ok := (*s)[d.Key]; ok {
				d = Merge(known, d, n.LongestStreak())
			}
			(*s)[d.Key] = d
		}
	}
	var sums []Shared
	for _, sum := range *s {
		sums = append(sums, sum)
	}
	var out []Change
	for _, n := range nodes {
		out = append(out, n.Apply(sums, now)...)
	}
	return out
}

func node(source string) *Registry {
	s := byRatio()
	s.Source = source
	return New(s)
}

func TestFailuresOfTwoNodesOpenBoth(t *testing.T) {
	a, b := node("a"), node("b")
	var place store
	for i := range 6 {
		quietly(t, a, call(float64(i)/2, false))
		quietly(t, b, call(float64(i)/2+0.25, i == 0))
	}
	changes := place.exchange(at(4), a, b)
	assert.Equal(t, []Change{
		{chat, Transition{semconv.BreakerClosed, semconv.BreakerOpen, at(4), 1, ReasonFailureRatio}},
		{chat, Transition{semconv.BreakerClosed, semconv.BreakerOpen, at(4), 1, ReasonFailureRatio}},
	}, changes)
	assert.Empty(t, place.exchange(at(5), a, b))
	assert.Equal(t, a.StateAt(chat, at(5)), b.StateAt(chat, at(5)))
	assert.Equal(t, uint64(12), a.StateAt(chat, at(5)).Calls)
	assert.Empty(t, a.Delta(), "told once")
}

func TestOneNodesDecisionIsEverybodys(t *testing.T) {
	s := plain()
	s.Source = "a"
	a := trippedWith(t, s)
	b, c := node("b"), node("c")
	var place store
	changes := place.exchange(at(6), a, b)
	require.Len(t, changes, 1)
	assert.Equal(t, Transition{semconv.BreakerClosed, semconv.BreakerOpen, at(5), 1, ReasonShared}, changes[0].Transition)
	assert.Equal(t, a.StateAt(chat, at(10)), b.StateAt(chat, at(10)))

	for i := range 3 {
		tell(b, call(36+float64(i), true))
	}
	place.exchange(at(40), a, b)
	assert.Equal(t, Snapshot{Key: chat, State: semconv.BreakerClosed, Generation: 3}, a.StateAt(chat, at(40)))
	assert.Empty(t, buckets(a, chat), "counts from before the close are over everywhere")

	tell(a, call(41, false))
	place.exchange(at(42), a, b, c)
	assert.Equal(t, uint64(1), b.StateAt(chat, at(42)).Calls)
	assert.Equal(t, uint64(1), c.StateAt(chat, at(42)).Calls, "who comes later knows all the same")
	assert.Equal(t, uint64(3), c.StateAt(chat, at(42)).Generation)
}

func TestOfTwoDecisionsTheEarlierWins(t *testing.T) {
	trip := func(source string, end float64) *Registry {
		s := Settings{Jitter: -1, ConsecutiveFailures: 1, Source: source}
		r := New(s)
		_, changed := tell(r, call(end, false))
		require.True(t, changed)
		return r
	}
	a, b := trip("a", 2), trip("b", 1)
	var place store
	assert.Empty(t, place.exchange(at(3), a, b), "both are open as it is")
	assert.Equal(t, at(1), a.StateAt(chat, at(3)).OpenedAt)
	assert.Equal(t, a.List(at(3)), b.List(at(3)))

	// Half-open, one sees it fail, the other heal.
	tell(a, call(33, false))
	for range 3 {
		tell(b, call(32.5, true))
	}
	place.exchange(at(40), a, b)
	assert.Equal(t, semconv.BreakerClosed, a.StateAt(chat, at(40)).State)
	assert.Equal(t, a.List(at(40)), b.List(at(40)))
}

func TestMerge(t *testing.T) {
	c := func(n uint32) Counts { return Counts{Successes: n} }
	phase := func(g uint64, s float64, source string) Phase {
		return Phase{State: semconv.BreakerOpen, Generation: g, At: at(s), Source: source}
	}
	a := Shared{Key: chat, Buckets: []BucketCounts{{1, c(1)}, {3, c(2)}}, Phase: phase(1, 5, "b")}
	b := Shared{Key: chat, Buckets: []BucketCounts{{2, c(4)}, {3, c(8)}}, Phase: phase(1, 5, "a")}
	want := Shared{Key: chat, Buckets: []BucketCounts{{1, c(1)}, {2, c(4)}, {3, c(10)}}, Phase: phase(1, 5, "a")}
	assert.Equal(t, want, Merge(a, b, 5))
	assert.Equal(t, want, Merge(b, a, 5))
	assert.Equal(t, []BucketCounts{{1, c(1)}, {3, c(2)}}, a.Buckets, "what is merged stays as it is")

	old, fresh := a, b
	fresh.Epoch, fresh.Phase = 3, Phase{}
	want = Shared{Key: chat, Epoch: 3, Buckets: b.Buckets, Phase: a.Phase}
	assert.Equal(t, want, Merge(old, fresh, 5))
	assert.Equal(t, want, Merge(fresh, old, 5))

	for _, p := range []Phase{phase(2, 9, "z"), phase(1, 4, "z"), phase(1, 5, "A")} {
		assert.True(t, p.Wins(phase(1, 5, "a")))
		assert.False(t, phase(1, 5, "a").Wins(p))
	}
}

func TestWhatMakesNoSenseIsLeftOut(t *testing.T) {
	r := node("a")
	quietly(t, r, call(1, true))
	for name, sum := range map[string]Shared{
		"half-open is no decision": {Phase: Phase{State: semconv.BreakerHalfOpen, Generation: 5}},
		"no generation":            {Phase: Phase{State: semconv.BreakerOpen, At: at(1), Until: at(1e6)}},
		"one that cannot be":       {Phase: Phase{State: semconv.BreakerOpen, At: at(1), Generation: 1<<64 - 1}},
		"an epoch to come":         {Epoch: 7, Buckets: []BucketCounts{{entryBucket(r, at(1)), Counts{Failures: 100}}}},
		"buckets from nowhere": {Buckets: []BucketCounts{
			{-1 << 63, Counts{Failures: 100}}, {1<<63 - 1, Counts{Failures: 100}}, {0, Counts{Failures: 100}},
			{entryBucket(r, at(100)), Counts{Failures: 100}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			sum.Key = chat
			assert.Empty(t, r.Apply([]Shared{sum}, at(5)))
			assert.Equal(t, Snapshot{Key: chat, State: semconv.BreakerClosed, Calls: 1}, r.StateAt(chat, at(5)))
		})
	}
	t.Run("times are bounded", func(t *testing.T) {
		p := Phase{State: semconv.BreakerOpen, At: at(1e9), Until: at(2e9), Generation: 1}
		require.Len(t, r.Apply([]Shared{{Key: chat, Phase: p}}, at(5)), 1)
		assert.Equal(t, 300*time.Second, r.StateAt(chat, at(5)).RetryAfter)
	})
}

// A place that lost what it was told has less than this process alone told it.
func TestSumsThatShrank(t *testing.T) {
	a := node("a")
	quietly(t, a, call(1, true), call(2, false))
	a.Delta()
	a.Apply([]Shared{{Key: chat, Buckets: []BucketCounts{{entryBucket(a, at(1)), Counts{}}}}}, at(5))
	assert.Equal(t, uint64(2), a.StateAt(chat, at(5)).Calls)
}

// One that missed a close and the opening after it forgets the counts from before.
func TestOneThatWasAwayForgetsWhatIsOver(t *testing.T) {
	r := node("a")
	quietly(t, r, call(1, true), call(2, false))
	p := Phase{State: semconv.BreakerOpen, Generation: 4, At: at(50), Until: at(80), Openings: 1, Source: "b"}
	changes := r.Apply([]Shared{{
		Key: chat, Epoch: 3, Phase: p, Buckets: []BucketCounts{{entryBucket(r, at(50)), Counts{Failures: 7}}},
	}}, at(51))
	require.Len(t, changes, 1)
	assert.Equal(t, map[int64]Counts{entryBucket(r, at(50)): {Failures: 7}}, buckets(r, chat))
	assert.Empty(t, r.Delta(), "it decided nothing itself")
	assert.Empty(t, r.Apply([]Shared{{Key: chat, Buckets: []BucketCounts{{entryBucket(r, at(50)), Counts{Failures: 99}}}}}, at(51)))
	assert.Equal(t, uint64(7), r.StateAt(chat, at(51)).Calls, "counts of the epoch before do not add up with these")
}

func TestTheClockIsSetBackWhileSharing(t *testing.T) {
	r := node("a")
	r.Record(chat, call(3600, true), at(3600))
	require.Len(t, r.Delta(), 1)
	r.Apply([]Shared{{Key: chat, Buckets: []BucketCounts{{entryBucket(r, at(3600)), Counts{Successes: 3}}}}}, at(3600))
	assert.Equal(t, uint64(3), r.StateAt(chat, at(3600)).Calls)
	r.Record(chat, call(10, true), at(10))
	assert.Equal(t, uint64(2), r.StateAt(chat, at(15)).Calls, "what the others counted then is of another time")
	d := r.Delta()
	require.Len(t, d, 1)
	assert.Equal(t, []BucketCounts{{entryBucket(r, at(10)), Counts{Successes: 1}}}, d[0].Buckets, "nothing is told twice")
}

func TestFailuresInARowAreThoseOfAll(t *testing.T) {
	a, b := New(Settings{Jitter: -1, FailureRatio: -1, Source: "a"}), New(Settings{Jitter: -1, FailureRatio: -1, Source: "b"})
	var place store
	quietly(t, a, call(1, false), call(3, false))
	quietly(t, b, call(2, false), call(4, true))
	assert.Empty(t, place.exchange(at(5), a, b))
	quietly(t, a, call(5, false), call(6, false), call(7, false))
	assert.Empty(t, place.exchange(at(8), a, b), "b's success was in between")
	quietly(t, b, call(8, false))
	assert.Empty(t, place.exchange(at(9), a, b), "four since")
	assert.Empty(t, place.exchange(at(10), a, b), "told once")
	quietly(t, b, call(6.5, false))
	opened := Transition{semconv.BreakerClosed, semconv.BreakerOpen, at(8), 1, ReasonConsecutiveFailures}
	assert.Equal(t, []Change{{chat, opened}, {chat, opened}}, place.exchange(at(11), a, b), "a late one is a failure all the same")
	assert.Empty(t, place.exchange(at(12), a, b))
}

func TestFailuresFromBeforeTheCloseOpenNothing(t *testing.T) {
	a, b := New(Settings{Jitter: -1, FailureRatio: -1, Source: "a"}), New(Settings{Jitter: -1, FailureRatio: -1, Source: "b"})
	var place store
	for i := range 5 {
		tell(a, call(float64(i), false))
		place.exchange(at(float64(i)), a, b)
	}
	require.Equal(t, semconv.BreakerOpen, b.StateAt(chat, at(5)).State)
	for i := range 3 {
		tell(b, call(36+float64(i), true))
	}
	place.exchange(at(40), a, b)
	require.Equal(t, semconv.BreakerClosed, a.StateAt(chat, at(41)).State)
	quietly(t, b, call(41, false))
	assert.Empty(t, place.exchange(at(42), a, b))
}

func TestSuccessesOfHalfOpenAreThoseOfAll(t *testing.T) {
	s := plain()
	s.Source = "a"
	a, b := trippedWith(t, s), node("b")
	var place store
	place.exchange(at(6), a, b)
	quietly(t, a, call(36, true))
	quietly(t, b, call(37, true))
	assert.Empty(t, place.exchange(at(38), a, b), "two of three")
	quietly(t, b, call(39, true))
	changes := place.exchange(at(40), a, b)
	require.Len(t, changes, 2)
	assert.Equal(t, Transition{semconv.BreakerHalfOpen, semconv.BreakerClosed, at(40), 3, ReasonProbesSucceeded}, changes[0].Transition)
	assert.Equal(t, a.List(at(41)), b.List(at(41)))
}

// Whoever decided something that the place does not know, or no longer, tells it again.
func TestThePlaceLosesEverything(t *testing.T) {
	s := plain()
	s.Source = "a"
	a, b := trippedWith(t, s), node("b")
	var place store
	place.exchange(at(6), a, b)
	quietly(t, a, call(6, true))

	place = nil
	place.exchange(at(7), a, b)
	c := node("c")
	place.exchange(at(8), a, b, c)
	assert.Equal(t, semconv.BreakerOpen, c.StateAt(chat, at(8)).State)

	place = nil
	a.Retell()
	b.Retell()
	d := node("d")
	assert.Len(t, place.exchange(at(9), a, b, d), 1)
	assert.Equal(t, a.List(at(9)), d.List(at(9)), "with all that was counted")
	assert.Equal(t, a.List(at(9)), b.List(at(9)))
}

// Processes that exchange after every outcome are as one that takes them all, whoever takes which.
func TestManyAreAsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := settings(t)
		one := New(s)
		nodes := make([]*Registry, rapid.IntRange(1, 3).Draw(t, "nodes"))
		for i := range nodes {
			s.Source = string(rune('a' + i))
			nodes[i] = New(s)
		}
		outcomes := history(t)
		slices.SortFunc(outcomes, func(a, b Outcome) int { return a.End.Compare(b.End) })
		var place store
		for i, o := range outcomes {
			o.RetryAfter = 0                    // known to who is asked, until it opens
			o.End = o.End.Add(time.Duration(i)) // of those with one end, the order is not shared
			one.Record(chat, o, o.End)
			nodes[rapid.IntRange(0, len(nodes)-1).Draw(t, "node")].Record(chat, o, o.End)
			place.exchange(o.End, nodes...)
			want := one.StateAt(chat, o.End)
			want.ConsecutiveFailures = 0 // each knows its own
			for _, n := range nodes {
				got := n.StateAt(chat, o.End)
				got.ConsecutiveFailures = 0
				if got != want {
					t.Fatalf("%d: %+v, want %+v", i, got, want)
				}
			}
		}
	})
}

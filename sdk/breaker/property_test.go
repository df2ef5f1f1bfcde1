// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// aTime is between 0 and most seconds, in eighths: the same number for the machine and for the reference.
func aTime(most int) *rapid.Generator[float64] {
	return rapid.Map(evenly(8*most+1), func(n int) float64 { return float64(n) / 8 })
}

// evenly is a number from 0 up to but not n. Rapid's own ranges are mostly small numbers.
func evenly(n int) *rapid.Generator[int] {
	return rapid.Map(rapid.Uint64(), func(x uint64) int {
		return int(x * 0x9e3779b97f4a7c15 >> 32 * uint64(n) >> 32)
	})
}

// outcomes end between 0 and most seconds, in any order. Each list is of a provider that fails more or less often.
func outcomesWithin(most int) *rapid.Generator[[]Outcome] {
	return rapid.Custom(func(t *rapid.T) []Outcome {
		n := rapid.SampledFrom([]int{100, 200, 50, 20, 5, 0}).Draw(t, "calls")
		good := evenly(11).Draw(t, "good of ten")
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Outcome {
			end := aTime(most).Draw(t, "end")
			o := Outcome{
				Start: at(end - rapid.SampledFrom([]float64{0, 0, 0.5, 1, 9, 12, 30}).Draw(t, "took")), End: at(end),
				Success:      evenly(10).Draw(t, "success") < good,
				NotPermitted: evenly(10).Draw(t, "not permitted") == 9,
			}
			if evenly(5).Draw(t, "asks to wait") == 4 {
				o.RetryAfter = time.Duration(rapid.IntRange(-10, 60).Draw(t, "for")) * time.Second
			}
			return o
		}), n, n).Draw(t, "outcomes")
	})
}

// history is outcomes more or less in order: each ends up to a bound before the latest, sometimes too late.
func history(t *rapid.T) []Outcome {
	out := outcomesWithin(rapid.SampledFrom([]int{1, 10, 40}).Draw(t, "disorder")).Draw(t, "history")
	pace := rapid.SampledFrom([]int{1, 8, 40}).Draw(t, "pace")
	var passed time.Duration
	for i := range out {
		passed += time.Duration(evenly(pace+1).Draw(t, "pause")) * time.Second / 8
		out[i].Start, out[i].End = out[i].Start.Add(passed), out[i].End.Add(passed)
	}
	return out
}

func settings(t *rapid.T) Settings {
	s := Settings{
		ConsecutiveFailures: rapid.SampledFrom([]int{4, -1, 2, 1, 6}).Draw(t, "failures"),
		FailureRatio:        rapid.SampledFrom([]float64{0.5, 0.25, 0.75, -1, 1}).Draw(t, "ratio"),
		MinimumCalls:        rapid.IntRange(1, 12).Draw(t, "calls"),
		AllowedLateness:     time.Duration(rapid.SampledFrom([]int{30, 600, 10, 1, -1}).Draw(t, "lateness")) * time.Second,
		OpenFor:             time.Duration(rapid.IntRange(1, 16).Draw(t, "open")) * time.Second,
		MaxOpenFor:          time.Duration(rapid.IntRange(1, 60).Draw(t, "open at most")) * time.Second,
		Jitter:              rapid.SampledFrom([]float64{-1, 0.25}).Draw(t, "jitter"),
		HalfOpenSuccesses:   rapid.IntRange(1, 4).Draw(t, "successes"),
	}
	if rapid.Bool().Draw(t, "slow") {
		s.SlowCallDuration = 10 * time.Second
	}
	return s
}

// The machine does what the reference does, whatever is told in whatever order.
func TestAsTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := settings(t)
		now := aTime(600).Draw(t, "now") // some outcomes are ahead of it
		got, want := New(s), newReference(s, chat)
		for i, o := range history(t) {
			g, gok := got.Record(chat, o, at(now))
			w, wok := want.record(o, now)
			if gok != wok || g.String() != w.String() || g.Generation != w.Generation || g.Reason != w.Reason || g.At.Sub(w.At).Abs() > time.Microsecond {
				t.Fatalf("%d: %+v, want %+v", i, g, w)
			}
			for _, ask := range []float64{seconds(o.End.UnixNano()), seconds(o.Start.UnixNano()), now, 1e6} {
				snap := got.StateAt(chat, at(ask))
				p := want.now()
				if len(want.phases) > maxSpans || ask > p.until-0.001 && ask < p.until+0.001 {
					continue // forgotten; or a rounding apart
				}
				if state, generation := want.state(ask); snap.State != state || snap.Generation != generation {
					t.Fatalf("%d: at %f %s %d, want %s %d", i, ask, snap.State, snap.Generation, state, generation)
				}
			}
		}
	})
}

// Whatever is told in whatever order, the breaker goes closed > open > half-open > open or closed, forward in
// time, with a higher generation each time, and is never half-open before its time. So no generation has two openings.
func TestTransitionsAreLawful(t *testing.T) {
	next := map[state][]state{closed: {open}, open: {halfOpen}, halfOpen: {open, closed}}
	rapid.Check(t, func(t *rapid.T) {
		r := New(settings(t))
		var last Transition
		last.To = semconv.BreakerClosed
		for _, o := range outcomesWithin(300).Draw(t, "outcomes") {
			tr, changed := tell(r, o)
			if !changed {
				continue
			}
			if o.NotPermitted {
				t.Fatal("a call that was not permitted changed the state")
			}
			if tr.Generation <= last.Generation || tr.At.Before(last.At) {
				t.Fatalf("%v after %v", tr, last)
			}
			if tr.To == semconv.BreakerClosed && !o.Success {
				t.Fatal("closed by a failure")
			}
			last = tr
			spans := entryOf(r, chat).spans
			for i, s := range spans {
				from := s.from
				if i == 0 {
					continue
				}
				before := spans[i-1]
				if s.at < before.at || s.generation <= before.generation {
					t.Fatalf("%+v after %+v", s, before)
				}
				if before.state == open {
					if s.at < before.until {
						t.Fatalf("half-open before its time: %+v, %+v", before, s)
					}
					before.state = halfOpen
				}
				if from != before.state || !slices.Contains(next[from], s.state) {
					t.Fatalf("%+v after %+v", s, before)
				}
			}
		}
	})
}

func entryOf(r *Registry, k Key) *entry { return r.shards.of(k).entries[k] }

// Asking changes nothing.
func TestAskingOnlyReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := settings(t)
		asked, quiet := New(s), New(s)
		for _, o := range outcomesWithin(300).Draw(t, "outcomes") {
			asked.StateAt(chat, o.Start)
			asked.State(chat, o.End)
			asked.Allow(chat, o.End)
			asked.List(o.End)
			a, aok := tell(asked, o)
			q, qok := tell(quiet, o)
			if a != q || aok != qok {
				t.Fatalf("%v, %v", a, q)
			}
		}
	})
}

// An outcome that comes late may open a breaker, but a time that was told to be open stays so.
func TestLateOutcomesRemoveNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := New(settings(t))
		var newest time.Time
		for _, o := range history(t) {
			before := map[float64]bool{}
			for s := 0.0; s < 300; s++ {
				before[s] = stateOf(r, s) == semconv.BreakerOpen
			}
			tell(r, o)
			if !o.End.Before(newest) {
				newest = o.End
				continue
			}
			remembered := -1.0
			if e := entryOf(r, chat); len(e.spans) == maxSpans {
				remembered = seconds(e.spans[0].at)
			}
			for s, was := range before {
				if is := stateOf(r, s) == semconv.BreakerOpen; was && !is && s > remembered {
					t.Fatalf("%v undid the opening at %f", o, s)
				}
			}
		}
	})
}

// buckets is what the window holds of a key.
func buckets(r *Registry, k Key) map[int64]Counts {
	out := map[int64]Counts{}
	e := entryOf(r, k)
	if e == nil {
		return out
	}
	w := &e.window
	for b := w.head - int64(len(w.own)) + 1; b <= w.head; b++ {
		c := w.own[w.at(b)]
		if w.shared != nil {
			c = c.plus(w.shared.others[w.at(b)])
		}
		if c != (Counts{}) {
			out[b] = c
		}
	}
	return out
}

// As long as nothing is too late and no breaker closes, the counts do not depend on the order in which outcomes
// come, on how often, or by how many processes.
func TestCountsDoNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := settings(t)
		s.AllowedLateness, s.OpenFor, s.MaxOpenFor = 30*time.Second, time.Hour, time.Hour
		all := outcomesWithin(30).Draw(t, "outcomes")
		one := New(s)
		for _, o := range all {
			tell(one, o)
		}
		want := buckets(one, chat)

		twice := make([]int, 0, 2*len(all))
		for i := range all {
			twice = append(twice, i, i)
		}
		once, seen := New(s), map[int]bool{}
		nodes := []*Registry{New(s), New(s), New(s)}
		for _, i := range rapid.Permutation(twice).Draw(t, "order") {
			if seen[i] {
				continue
			}
			seen[i] = true
			tell(once, all[i])
			tell(nodes[rapid.IntRange(0, 2).Draw(t, "node")], all[i])
		}
		if got := buckets(once, chat); !maps.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
		var place store
		for range 2 {
			place.exchange(later, nodes...)
		}
		for _, n := range nodes {
			if got := buckets(n, chat); !maps.Equal(got, want) {
				t.Fatalf("shared: %v, want %v", got, want)
			}
		}
	})
}

// As long as the breaker stays closed, the order in which outcomes are told does not matter: the streak is what
// failed since the last success.
func TestStreakDoesNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := outcomesWithin(300).Draw(t, "outcomes")
		slices.SortFunc(all, func(a, b Outcome) int { return a.End.Compare(b.End) })
		all = slices.CompactFunc(all, func(a, b Outcome) bool { return a.End.Equal(b.End) })
		want := 0
		for _, o := range all {
			switch {
			case o.NotPermitted:
			case o.Success:
				want = 0
			default:
				want++
			}
		}
		r := New(Settings{ConsecutiveFailures: 1000, FailureRatio: -1, AllowedLateness: 10 * time.Minute})
		for _, o := range rapid.Permutation(all).Draw(t, "order") {
			tell(r, o)
		}
		if got := r.StateAt(chat, at(1000)).ConsecutiveFailures; got != want {
			t.Fatalf("streak %d, want %d", got, want)
		}
	})
}

// What was restored goes on as if nothing had happened.
func TestRestoredGoesOnAsBefore(t *testing.T) {
	keys := []Key{chat, {"chat", "x"}, {"stt", "openai"}, {"", ""}}
	rapid.Check(t, func(t *rapid.T) {
		s := settings(t)
		s.MaxKeys = rapid.IntRange(1, 5).Draw(t, "keys")
		a := New(s)
		key := rapid.SampledFrom(keys)
		for _, o := range history(t) {
			k := key.Draw(t, "key")
			switch rapid.IntRange(0, 20).Draw(t, "what") {
			case 0:
				_, _ = a.Force(k, Mode(rapid.IntRange(0, 2).Draw(t, "mode")), o.End)
			case 1:
				a.Delta()
			case 2:
				a.Apply([]Shared{{Key: k, Buckets: []BucketCounts{{entryBucket(a, o.End), Counts{Failures: 20}}}}}, later)
			default:
				a.Record(k, o, later)
			}
		}
		b := New(s)
		state := a.Export()
		if err := b.Restore(state); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(b.Export(), state) {
			t.Fatal("exported again it is another")
		}
		for _, o := range history(t) {
			k := key.Draw(t, "key")
			x, xok := a.Record(k, o, later)
			y, yok := b.Record(k, o, later)
			if x != y || xok != yok || !slices.Equal(a.List(o.Start), b.List(o.Start)) {
				t.Fatalf("%v, restored %v", x, y)
			}
		}
		if !slices.EqualFunc(a.Delta(), b.Delta(), func(x, y Shared) bool {
			return x.Key == y.Key && x.Epoch == y.Epoch && x.Phase == y.Phase && slices.Equal(x.Buckets, y.Buckets)
		}) {
			t.Fatal("tells others something else")
		}
	})
}

func entryBucket(r *Registry, t time.Time) int64 { return r.geometry.bucket(nanos(t)) }

// Two processes that see one half each and tell each other after every call open together, and when one that sees
// all would have.
func TestTwoOpenAsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := settings(t)
		s.ConsecutiveFailures, s.OpenFor, s.MaxOpenFor = -1, time.Hour, time.Hour
		s.Source = "a"
		a, one := New(s), New(s)
		s.Source = "b"
		b := New(s)
		var place store
		for i, o := range history(t) {
			o.RetryAfter = 0 // is only known to the one that was told
			tell(one, o)
			tell([]*Registry{a, b}[rapid.IntRange(0, 1).Draw(t, "node")], o)
			place.exchange(later, a, b)
			x, y, want := a.StateAt(chat, later), b.StateAt(chat, later), one.StateAt(chat, later)
			if x.State != y.State || x.Generation != y.Generation || !x.OpenedAt.Equal(y.OpenedAt) {
				t.Fatalf("%d: a %+v, b %+v", i, x, y)
			}
			// Of others' calls only the bucket is known, which matters to when a late one opens a breaker.
			if s.AllowedLateness >= 40*time.Second && (x.State != want.State || x.OpenedAt.Sub(want.OpenedAt).Abs() > 6*time.Second) {
				t.Fatalf("%d: two %+v, one %+v", i, x, want)
			}
		}
	})
}

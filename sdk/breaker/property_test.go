// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func outcomes(t *rapid.T) []Outcome {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Outcome {
		return Outcome{
			Start:        at(rapid.Float64Range(0, 300).Draw(t, "start")),
			End:          at(rapid.Float64Range(0, 300).Draw(t, "end")),
			Success:      rapid.Bool().Draw(t, "success"),
			NotPermitted: rapid.IntRange(0, 9).Draw(t, "not permitted") == 0,
		}
	}), 0, 200).Draw(t, "outcomes")
}

func settings(t *rapid.T) Settings {
	return Settings{
		ConsecutiveFailures: rapid.IntRange(1, 6).Draw(t, "failures"),
		OpenFor:             time.Duration(rapid.IntRange(1, 60).Draw(t, "open")) * time.Second,
		HalfOpenSuccesses:   rapid.IntRange(1, 4).Draw(t, "successes"),
	}
}

// Whatever is told in whatever order, the breaker goes closed > open > half-open > open or closed, forward in
// time, and is never half-open before its time.
func TestTransitionsAreLawful(t *testing.T) {
	next := map[semconv.BreakerState][]semconv.BreakerState{
		semconv.BreakerClosed:   {semconv.BreakerOpen},
		semconv.BreakerOpen:     {semconv.BreakerHalfOpen},
		semconv.BreakerHalfOpen: {semconv.BreakerOpen, semconv.BreakerClosed},
	}
	rapid.Check(t, func(t *rapid.T) {
		s := settings(t)
		r := New(s)
		var last Transition
		last.To = semconv.BreakerClosed
		for _, o := range outcomes(t) {
			tr, changed := r.Record(chat, o)
			if !changed {
				continue
			}
			if o.NotPermitted {
				t.Fatal("a call that was not permitted changed the state")
			}
			if tr.Generation <= last.Generation || tr.At.Before(last.At) {
				t.Fatalf("%v after %v", tr, last)
			}
			if o.Success != (tr.To == semconv.BreakerClosed) {
				t.Fatalf("%v by success %v", tr, o.Success)
			}
			if tr.From == semconv.BreakerHalfOpen && tr.At.Before(last.At.Add(s.OpenFor)) {
				t.Fatalf("%v before its time, after %v", tr, last)
			}
			last = tr
			var m machine
			if el := r.entries[chat]; el != nil {
				m = el.Value.(*entry).machine
			}
			for i, h := range m.history {
				if !slices.Contains(next[h.From], h.To) {
					t.Fatalf("unlawful %v", h)
				}
				if i > 0 && (m.history[i-1].To != h.From || m.history[i-1].At.After(h.At) || m.history[i-1].Generation+1 != h.Generation) {
					t.Fatalf("%v after %v", h, m.history[i-1])
				}
			}
		}
	})
}

// Asking changes nothing, and the past does not change unless an outcome from then is still told.
func TestStateAtOnlyReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := settings(t)
		asked, quiet := New(s), New(s)
		for _, o := range outcomes(t) {
			asked.StateAt(chat, o.Start)
			asked.List(o.End)
			a, aok := asked.Record(chat, o)
			q, qok := quiet.Record(chat, o)
			if a != q || aok != qok {
				t.Fatalf("%v, %v", a, q)
			}
		}
	})
}

// As long as the breaker stays closed, the order in which outcomes are told does not matter: the streak is what
// failed since the last success.
func TestStreakDoesNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := outcomes(t)
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
		r := New(Settings{ConsecutiveFailures: 1000})
		for _, o := range rapid.Permutation(all).Draw(t, "order") {
			r.Record(chat, o)
		}
		if got := r.StateAt(chat, at(1000)).ConsecutiveFailures; got != want {
			t.Fatalf("streak %d, want %d", got, want)
		}
	})
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"cmp"
	"slices"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// reference is one breaker, written for being obviously right: it keeps all outcomes and computes everything anew
// from them. Times are seconds on the tests' scale, and no clock is ever set back.
type reference struct {
	s       Settings
	key     Key
	told    []refOutcome
	phases  []refPhase
	newest  float64
	anybody bool
}

type refOutcome struct {
	start, end float64
	wait       float64
	success    bool
	slow       bool
	// phase is the number of phases there were when it was told.
	phase int
}

type refPhase struct {
	open       bool
	at, until  float64
	generation uint64
	openings   int
}

func seconds(n int64) float64 { return float64(n-epoch.UnixNano()) / 1e9 }

func newReference(s Settings, k Key) *reference {
	return &reference{s: s.orDefaults(), key: k, phases: []refPhase{{at: -1e18}}}
}

func (r *reference) now() *refPhase { return &r.phases[len(r.phases)-1] }

// record is told at now, in seconds.
func (r *reference) record(o Outcome, now float64) (Transition, bool) {
	start, end := seconds(o.Start.UnixNano()), seconds(o.End.UnixNano())
	end = min(end, now+r.s.ClockTolerance.Seconds())
	start = min(start, end)
	if r.anybody && end < r.newest-r.s.AllowedLateness.Seconds() {
		return Transition{}, false
	}
	if !r.anybody || end > r.newest {
		r.newest, r.anybody = end, true
	}
	in := r.now()
	if o.NotPermitted || !in.open && start < in.at {
		return Transition{}, false
	}
	this := refOutcome{
		start: start, end: end, wait: max(o.RetryAfter, 0).Seconds(), success: o.Success,
		slow: r.s.SlowCallDuration > 0 && end-start >= r.s.SlowCallDuration.Seconds(), phase: len(r.phases),
	}
	r.told = append(r.told, this)
	if in.open {
		return r.halfOpen(this, now)
	}
	return r.closed(this, now)
}

func (r *reference) closed(this refOutcome, now float64) (Transition, bool) {
	if this.success && !this.slow {
		return Transition{}, false
	}
	if streak := r.streak(); !this.success && r.s.ConsecutiveFailures > 0 && len(streak) >= r.s.ConsecutiveFailures {
		return r.opens(min(streak[len(streak)-1].end, now), ReasonConsecutiveFailures)
	}
	first := r.bucket(this.end)
	for b := first; b <= r.bucket(r.newest) && b < first+r.s.Buckets; b++ {
		at := min(this.end, now)
		if b > first {
			at = min(float64(b+1)*r.width(), r.newest, now)
		}
		failures, slow, calls := r.window(b)
		if calls < r.s.MinimumCalls {
			continue
		}
		if r.s.FailureRatio > 0 && float64(failures)/float64(calls) >= r.s.FailureRatio {
			return r.opens(at, ReasonFailureRatio)
		}
		if r.s.SlowCallDuration > 0 && r.s.SlowCallRatio > 0 && float64(slow)/float64(calls) >= r.s.SlowCallRatio {
			return r.opens(at, ReasonSlowCallRatio)
		}
	}
	return Transition{}, false
}

func (r *reference) width() float64 { return r.s.Window.Seconds() / float64(r.s.Buckets) }

// bucket is counted from the start of the tests' scale, which is the start of a bucket.
func (r *reference) bucket(t float64) int {
	b := 0
	for float64(b)*r.width() > t {
		b--
	}
	for float64(b+1)*r.width() <= t {
		b++
	}
	return b
}

// window counts what was told since the last close.
func (r *reference) window(last int) (failures, slow, calls int) {
	since := 0
	for i, p := range r.phases {
		if !p.open {
			since = i + 1
		}
	}
	for _, o := range r.told {
		b := r.bucket(o.end)
		if o.phase < since || b > last || b <= last-r.s.Buckets {
			continue
		}
		calls++
		if !o.success {
			failures++
		}
		if o.slow {
			slow++
		}
	}
	return failures, slow, calls
}

// inPhase is what was told in the present phase, by its end.
func (r *reference) inPhase() []refOutcome {
	var out []refOutcome
	for _, o := range r.told {
		if o.phase == len(r.phases) {
			out = append(out, o)
		}
	}
	slices.SortStableFunc(out, func(a, b refOutcome) int { return cmp.Compare(a.end, b.end) })
	return out
}

// streak is the failures after the last success.
func (r *reference) streak() []refOutcome {
	in := r.inPhase()
	n := len(in)
	for n > 0 && !in[n-1].success {
		n--
	}
	return in[n:]
}

func (r *reference) halfOpen(this refOutcome, now float64) (Transition, bool) {
	until := r.now().until
	if this.start < until {
		return Transition{}, false
	}
	if !this.success || this.slow && r.s.SlowCallRatio > 0 {
		return r.opens(max(min(this.end, now), until), ReasonProbeFailed)
	}
	n, at := 0, until
	for _, o := range r.inPhase() {
		if o.start >= until {
			n++
			at = max(at, min(o.end, now))
		}
	}
	if n < r.s.HalfOpenSuccesses {
		return Transition{}, false
	}
	r.phases = append(r.phases, refPhase{at: at, generation: r.now().generation + 2})
	return r.transition(semconv.BreakerHalfOpen, semconv.BreakerClosed, ReasonProbesSucceeded), true
}

func (r *reference) opens(at float64, why Reason) (Transition, bool) {
	from, before := semconv.BreakerClosed, *r.now()
	p := refPhase{open: true, at: max(at, before.at), generation: before.generation + 1, openings: 1}
	if before.open {
		from, p.generation, p.openings = semconv.BreakerHalfOpen, before.generation+2, before.openings+1
	}
	retry := p.at
	for _, o := range r.inPhase() {
		probe := before.open && o.start >= before.until
		if !o.success && (probe || !before.open) || probe && o.slow {
			if o.wait > 0 {
				retry = max(retry, o.end+min(o.wait, r.s.MaxOpenFor.Seconds()))
			}
		}
	}
	d := r.s.policy(false).openTime(uint32(p.openings), hashOf(r.key), p.generation) // tested by itself
	p.until = max(p.at+float64(d)/1e9, min(retry, p.at+r.s.MaxOpenFor.Seconds()))
	r.phases = append(r.phases, p)
	return r.transition(from, semconv.BreakerOpen, why), true
}

func (r *reference) transition(from, to semconv.BreakerState, why Reason) Transition {
	p := r.now()
	return Transition{From: from, To: to, At: at(p.at), Generation: p.generation, Reason: why}
}

func (r *reference) state(t float64) (semconv.BreakerState, uint64) {
	for _, p := range slices.Backward(r.phases) {
		switch {
		case p.at > t:
		case !p.open:
			return semconv.BreakerClosed, p.generation
		case p.until <= t:
			return semconv.BreakerHalfOpen, p.generation + 1
		default:
			return semconv.BreakerOpen, p.generation
		}
	}
	return "", 0
}

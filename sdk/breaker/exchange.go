// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"cmp"
	"slices"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Delta returns what is new since it was last called, sorted by key. It is told once: a caller that could not pass
// it on keeps it, and merges it with the next.
func (r *Registry) Delta() []Shared {
	var out []Shared
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for _, e := range s.entries {
			if d := e.delta(r.settings.Source); d.news() {
				d.Key = e.key
				out = append(out, d)
			}
		}
		s.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b Shared) int { return compareKeys(a.Key, b.Key) })
	return out
}

func (m *machine) delta(source string) Shared {
	w := &m.window
	s := w.share()
	d := Shared{Epoch: m.epoch, Streak: s.newFailures(m.streak)}
	for b := w.head - int64(len(w.own)) + 1; b <= w.head; b++ {
		i := w.at(b)
		if news := w.own[i].minus(s.sent[i]); news != (Counts{}) {
			d.Buckets = append(d.Buckets, BucketCounts{b, news})
			s.sent[i] = w.own[i]
		}
	}
	if m.lastSuccess > s.lastSuccess {
		d.LastSuccess, s.lastSuccess = timeOf(m.lastSuccess), m.lastSuccess
	}
	if m.good > s.good {
		d.Probes = Probes{m.phase.generation, uint32(m.good - s.good)} //nolint:gosec // at most maxInARow
		s.good = m.good
	}
	if m.phase != s.told {
		d.Phase = m.phase.export(source)
		s.told = m.phase
	}
	return d
}

// newFailures is what is in the streak, but was not when last told. Both are sorted.
func (s *sharedCounts) newFailures(streak []int64) (out []time.Time) {
	told := s.streak
	for _, t := range streak {
		for len(told) > 0 && told[0] < t {
			told = told[1:]
		}
		if len(told) > 0 && told[0] == t {
			told = told[1:]
		} else {
			out = append(out, timeOf(t))
		}
	}
	s.streak = append(s.streak[:0], streak...)
	return out
}

// Retell makes the next [Registry.Delta] tell everything: the place that was told has lost it.
func (r *Registry) Retell() {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for _, e := range s.entries {
			if w := &e.window; w.shared != nil {
				clear(w.shared.sent)
				w.shared.forget()
				w.shared.told = noPhase
			}
		}
		s.mu.Unlock()
	}
}

func (p *phase) export(source string) Phase {
	out := Phase{
		State:      semconv.BreakerClosed,
		At:         timeOf(p.at),
		Until:      timeOf(p.until),
		Generation: p.generation,
		Openings:   p.openings,
		Source:     cmp.Or(p.source, source),
	}
	if p.open {
		out.State = semconv.BreakerOpen
	}
	return out
}

// Change is a transition of one key.
type Change struct {
	Key        Key
	Transition Transition
}

// Apply takes the sums of what all processes told, this one included, and returns the changes of state that they
// caused: by what others decided, or because their counts and the own ones open a breaker together. To apply the
// same sums again changes nothing. What makes no sense is left out.
func (r *Registry) Apply(sums []Shared, now time.Time) []Change {
	var out []Change
	t := nanos(now)
	for i := range sums {
		sum := &sums[i]
		s := r.shards.of(sum.Key)
		s.mu.Lock()
		if e := s.touch(sum.Key, r); e != nil {
			out = e.apply(sum, t, &r.geometry, r.settings.Source, out)
		}
		s.mu.Unlock()
	}
	return out
}

func (e *entry) apply(sum *Shared, now int64, g *geometry, source string, out []Change) []Change {
	told := func(t Transition, changed bool) {
		if changed {
			out = append(out, Change{e.key, t})
		}
	}
	limit := now + g.tolerance
	e.rewind(limit, g)
	told(e.adopt(&sum.Phase, now, source))
	if own := e.phase.export(source); e.phase.generation > 0 && own.Wins(sum.Phase) {
		e.window.share().told = noPhase // the place has lost it, or not heard of it yet
	}
	if e.phase.open && sum.Probes.Generation == e.phase.generation && int(sum.Probes.Successes) >= e.policy.halfSuccesses {
		told(e.close(now))
	}
	switch {
	case sum.Epoch < e.epoch || sum.Epoch > e.phase.generation:
		return out
	case sum.Epoch > e.epoch: // it closed, and opened again, since the own counts began
		e.window.clear()
		e.epoch = sum.Epoch
	}
	worst, worse := e.sumUp(sum.Buckets, g.bucket(limit), g)
	if e.phase.open || e.policy.disabled {
		return out
	}
	if at, long := e.sharedStreak(sum, limit); long {
		told(e.open(min(at, now), ReasonConsecutiveFailures))
	} else if worse {
		told(e.judgeWindows(worst, e.window.head, now, g))
	}
	return out
}

// sharedStreak tells when all processes together had seen too many failures in a row.
func (m *machine) sharedStreak(sum *Shared, limit int64) (at int64, long bool) {
	if sum.Epoch != m.epoch || m.policy.consecutive <= 0 {
		return 0, false
	}
	if !sum.LastSuccess.IsZero() { // of the own failures, too, only those after it are in a row
		s := m.window.share()
		s.lastSuccess = max(s.lastSuccess, min(nanos(sum.LastSuccess), limit))
		m.endStreak(s.lastSuccess)
	}
	last, n := max(m.lastSuccess, m.phase.at), 0
	for _, t := range sum.Streak {
		if end := nanos(t); end > last {
			n, at = n+1, max(at, end)
		}
	}
	return at, n >= m.policy.consecutive
}

// adopt takes over what another process decided, if it wins.
func (m *machine) adopt(p *Phase, now int64, source string) (Transition, bool) {
	next := phase{open: p.State == semconv.BreakerOpen, generation: p.Generation, source: p.Source, until: never}
	if !next.open && p.State != semconv.BreakerClosed || next.generation == 0 || next.generation > maxGeneration {
		return Transition{}, false
	}
	if !p.Wins(m.phase.export(source)) {
		return Transition{}, false
	}
	next.at = min(nanos(p.At), now)
	if next.open {
		next.openings = max(p.Openings, 1)
		next.until = min(max(nanos(p.Until), next.at), next.at+m.policy.maxOpen)
	}
	m.window.share().told = next
	if next.generation != m.phase.generation || next.open != m.phase.open {
		return m.move(next, ReasonShared)
	}
	m.phase = next // the same decision, a little earlier
	if n := len(m.spans); n > 0 && m.mode == Auto {
		s := &m.spans[n-1]
		if s.at = next.at; n > 1 {
			s.at = max(s.at, m.spans[n-2].at)
		}
		if next.open {
			s.until, s.opened = next.until, next.at
		}
	}
	return Transition{}, false
}

// maxGeneration bounds what comes from elsewhere, so that there is always a higher one.
const maxGeneration = 1 << 62

// sumUp takes the counts of the others from the sums; worst is the first bucket in which there are more failures
// or slow calls than before.
func (m *machine) sumUp(sums []BucketCounts, latest int64, g *geometry) (worst int64, worse bool) {
	w := &m.window
	s := w.share()
	for _, sum := range sums {
		if sum.Bucket > latest || sum.Bucket < g.bucket(minTime) {
			continue
		}
		m.reach(g.start(sum.Bucket), sum.Bucket)
		i := w.at(sum.Bucket)
		if i < 0 {
			continue
		}
		others := Counts{}.plus(sum.Counts).minus(s.sent[i])
		if others.Failures > s.others[i].Failures || others.Slow > s.others[i].Slow {
			if !worse || sum.Bucket < worst {
				worst, worse = sum.Bucket, true
			}
		}
		s.others[i] = others
	}
	return worst, worse
}

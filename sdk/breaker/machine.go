// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"math"
	"slices"
	"time"
)

// machine is the breaker of one key.
type machine struct {
	policy *policy
	// hash of the key.
	hash   uint64
	window window
	// newest is the latest time at which a call of this key is known to have ended.
	newest int64
	phase  phase
	// epoch is the generation with which the present counts began: that of the last close.
	epoch uint64
	// lastSuccess is the latest end of a good call while closed.
	lastSuccess int64
	*trouble
}

// phase is what the machine decided last. Half-open is no decision: it is the part of an open phase after until,
// with the next generation.
type phase struct {
	open bool
	// openings in a row, this one included.
	openings uint32
	// at is when it began: never for a breaker that never opened.
	at, until  int64
	generation uint64
	// source is who decided it; "" is this process.
	source string
}

// noPhase is that of a breaker that never opened.
var noPhase = phase{at: never, until: never}

func newMachine(p *policy, g *geometry, hash uint64) machine {
	return machine{
		policy:      p,
		hash:        hash,
		window:      window{own: make([]Counts, g.ring)},
		newest:      never,
		phase:       noPhase,
		lastSuccess: never,
		trouble:     &noTrouble,
	}
}

// ended is an outcome as the machine needs it.
type ended struct {
	start, end int64
	retryAfter int64
	// now is when it was told. What it decides begins no later, or those who ask would not see it yet.
	now  int64
	kind outcomeKind
}

type outcomeKind uint8

const (
	succeeded outcomeKind = iota
	failed
	rejected
)

func (o *Outcome) ended(now time.Time) ended {
	e := ended{
		start: nanos(o.Start), end: nanos(o.End), retryAfter: int64(max(o.RetryAfter, 0)),
		now: nanos(now), kind: failed,
	}
	switch {
	case o.NotPermitted:
		e.kind = rejected
	case o.Success:
		e.kind = succeeded
	}
	return e
}

// tally counts what became of outcomes.
type tally struct{ late, stale, ahead, evicted uint64 }

// record takes one outcome and returns the change of what is to be seen that it caused.
func (m *machine) record(e *ended, g *geometry, n *tally) (Transition, bool) {
	limit := e.now + g.tolerance
	m.rewind(limit, g)
	if e.end > limit {
		e.end = limit
		n.ahead++
	}
	e.start = min(e.start, e.end)
	if m.newest != never && e.end < m.newest-g.lateness {
		n.late++
		return Transition{}, false
	}
	b := g.bucket(e.end)
	m.reach(e.end, b)
	if e.kind == rejected {
		count(&m.window.own[m.window.at(b)].NotPermitted)
		return Transition{}, false
	}
	if !m.phase.open && e.start < m.phase.at {
		n.stale++ // it tells of a provider that was still, or again, thought to be down
		return Transition{}, false
	}
	slow := m.policy.slow > 0 && e.end-e.start >= m.policy.slow
	in := &m.window.own[m.window.at(b)]
	if slow {
		count(&in.Slow)
	}
	if e.kind == succeeded {
		count(&in.Successes)
	} else {
		count(&in.Failures)
	}
	if m.phase.open {
		return m.probed(e, slow)
	}
	if e.kind == succeeded {
		m.endStreak(e.end)
		if !slow {
			return Transition{}, false // a good call never opens a breaker, whatever the counts
		}
	} else {
		m.extendStreak(e.end)
		m.askedToWait(e)
	}
	return m.judge(e, b, g)
}

// reach makes t, in bucket b, the newest time unless there is a newer one.
func (m *machine) reach(t, b int64) {
	if m.newest == never {
		m.window.head = b
	}
	m.newest = max(m.newest, t)
	m.window.roll(b)
}

// judge decides whether a closed breaker opens by a failure or a slow call in bucket b.
func (m *machine) judge(e *ended, b int64, g *geometry) (Transition, bool) {
	p := m.policy
	if p.disabled {
		return Transition{}, false
	}
	if p.consecutive > 0 && len(m.streak) >= p.consecutive {
		return m.open(min(m.streak[len(m.streak)-1], e.now), ReasonConsecutiveFailures)
	}
	if why := p.tooBad(m.window.sum(b, g.window)); why != ReasonNone {
		return m.open(min(e.end, e.now), why)
	}
	return m.judgeWindows(b+1, b+int64(g.window)-1, min(m.newest, e.now), g)
}

// judgeWindows decides by the windows that end with the buckets from first to last, as far as they are known. One
// that is too bad opened the breaker when it ended, but no later than now.
func (m *machine) judgeWindows(first, last, now int64, g *geometry) (Transition, bool) {
	for b := first; b <= min(last, m.window.head); b++ {
		if why := m.policy.tooBad(m.window.sum(b, g.window)); why != ReasonNone {
			return m.open(min(g.start(b+1), now), why)
		}
	}
	return Transition{}, false
}

// tooBad says why a window opens a breaker.
func (p *policy) tooBad(t total) Reason {
	calls := t.calls()
	if calls < p.minCalls {
		return ReasonNone
	}
	if p.failureRatio > 0 && float64(t.failures) >= p.failureRatio*float64(calls) {
		return ReasonFailureRatio
	}
	if p.slow > 0 && p.slowRatio > 0 && float64(t.slow) >= p.slowRatio*float64(calls) {
		return ReasonSlowCallRatio
	}
	return ReasonNone
}

// endStreak: the later of two outcomes with the same end is the one that came later.
func (m *machine) endStreak(end int64) {
	if end < m.lastSuccess {
		return
	}
	m.lastSuccess = end
	if len(m.streak) > 0 {
		m.streak = slices.Delete(m.streak, 0, afterAll(m.streak, end))
	}
}

func (m *machine) extendStreak(end int64) {
	if end < m.lastSuccess {
		return
	}
	m.troubled()
	m.streak = slices.Insert(m.streak, afterAll(m.streak, end), end)
	if longest := m.policy.longestStreak(); len(m.streak) > longest {
		m.streak = slices.Delete(m.streak, 0, len(m.streak)-longest) // it opens nothing: disabled, or off
	}
}

// afterAll is where the elements after t begin.
func afterAll(sorted []int64, t int64) int {
	n := len(sorted)
	for n > 0 && sorted[n-1] > t { // mostly none are
		n--
	}
	return n
}

// askedToWait remembers until when the provider wants to be left alone.
func (m *machine) askedToWait(e *ended) {
	if e.retryAfter > 0 {
		m.troubled()
		m.retry = max(m.retry, e.end+min(e.retryAfter, m.policy.maxOpen))
	}
}

// probed judges a half-open breaker: only calls that started in it say anything.
func (m *machine) probed(e *ended, slow bool) (Transition, bool) {
	if e.start < m.phase.until {
		return Transition{}, false
	}
	if e.kind == failed || slow && m.policy.slowRatio > 0 {
		m.askedToWait(e)
		return m.open(min(e.end, e.now), ReasonProbeFailed)
	}
	m.troubled()
	m.good++
	m.lastGood = max(m.lastGood, e.end)
	if m.good < m.policy.halfSuccesses {
		return Transition{}, false
	}
	return m.close(min(m.lastGood, e.now))
}

// close ends half-open.
func (m *machine) close(at int64) (Transition, bool) {
	next := phase{at: max(at, m.phase.until), until: never, generation: m.phase.generation + 2}
	return m.move(next, ReasonProbesSucceeded)
}

func (m *machine) open(at int64, why Reason) (Transition, bool) {
	if at = max(at, m.phase.at); m.phase.open {
		at = max(at, m.phase.until)
	}
	next := phase{open: true, at: at, generation: m.phase.generation + 1, openings: 1}
	if m.phase.open {
		next.generation++ // half-open had one
		next.openings = m.phase.openings
		if next.openings < math.MaxUint32 {
			next.openings++
		}
	}
	next.until = max(at+m.policy.openTime(next.openings, m.hash, next.generation), min(m.retry, at+m.policy.maxOpen))
	return m.move(next, why)
}

// openTime is how long the nth opening in a row lasts: twice as long as the one before, up to the cap. At the cap
// the jitter is turned inward, not cut off, or all that reached the cap would try again at one moment.
func (p *policy) openTime(n uint32, hash, generation uint64) int64 {
	d := p.openFor
	for ; n > 1 && d < p.maxOpen; n-- {
		d *= 2
	}
	d = min(d, p.maxOpen)
	d += int64(float64(d) * p.jitter * spread(hash, generation))
	if d > p.maxOpen {
		d = 2*p.maxOpen - d
	}
	return d
}

// spread is a number from -1 to 1 that looks random but is the same everywhere.
func spread(hash, generation uint64) float64 {
	x := mix(hash + generation*0x9e3779b97f4a7c15)
	return float64(x>>11)/(1<<52) - 1
}

// move enters the next phase. A closed one begins with empty counts: what was before it closed must not open it.
func (m *machine) move(next phase, why Reason) (Transition, bool) {
	m.phase = next
	m.troubled()
	m.streak, m.lastSuccess, m.retry = m.streak[:0], never, never
	m.good, m.lastGood, m.probes = 0, never, m.probes[:0]
	if s := m.window.shared; s != nil {
		s.forget()
	}
	if !next.open {
		m.window.clear()
		m.epoch = next.generation
	}
	if m.mode != Auto {
		return Transition{}, false // not to be seen
	}
	return m.show(m.phaseSpan(next.at), why), true
}

// phaseSpan is the phase as it is to be seen from at on.
func (m *machine) phaseSpan(at int64) span {
	s := span{at: max(at, m.shown()), until: never, opened: never, generation: m.phase.generation + m.forcings}
	if m.phase.open {
		s.state, s.until, s.opened = open, m.phase.until, m.phase.at
	}
	return s
}

// rewind follows a clock that was set back: a time after limit is one that will not come for long, and would keep
// the breaker as it is, and every outcome late, until then. All times move together; nothing else changes.
func (m *machine) rewind(limit int64, g *geometry) {
	d := max(m.newest, m.phase.at, m.shown()) - limit
	if d <= 0 {
		return
	}
	if m.newest != never {
		m.newest = back(m.newest, d)
		m.window.head = g.bucket(m.newest)
	}
	if s := m.window.shared; s != nil {
		clear(s.others) // the buckets have other numbers now
		s.lastSuccess = back(s.lastSuccess, d)
		for i := range s.streak {
			s.streak[i] = back(s.streak[i], d)
		}
	}
	for _, t := range []*int64{&m.phase.at, &m.phase.until, &m.lastSuccess} {
		*t = back(*t, d)
	}
	if m.trouble != &noTrouble {
		m.trouble.rewind(d)
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"slices"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Permit is the answer to whether a call may be made.
type Permit struct {
	// Allowed: the call may be made, and [Registry.Release] is told when it is over.
	Allowed bool
	// State of the breaker when it was asked.
	State semconv.BreakerState
	// RetryAfter is how long an open breaker stays so yet; zero when it does not say.
	RetryAfter time.Duration

	// at and generation name the probe that was permitted; generation is 0 for other calls.
	at         int64
	generation uint64
}

// State of the breaker of k, for those who want to make a call. It does not allocate, and writes nothing.
func (r *Registry) State(k Key, now time.Time) semconv.BreakerState {
	s, t := r.shards.of(k), nanos(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[k]; e != nil && !e.isClosed(t) {
		return stateNames[e.asked(t).state]
	}
	return semconv.BreakerClosed
}

// IsOpen reports whether a call should not be made now: whether the breaker is open, or forced open.
func (r *Registry) IsOpen(k Key, now time.Time) bool {
	s := r.State(k, now)
	return s == semconv.BreakerOpen || s == semconv.BreakerForcedOpen
}

// asked is the state for those who ask to make a call. An opening of which is not known how long it lasts is over
// for them: that happens only when the clock was set back behind all that is remembered, and nobody would dare to
// make the call that puts it right.
func (m *machine) asked(t int64) span {
	s := m.seen(t)
	if s.state == open && s.until == never {
		s.state = halfOpen
	}
	return s
}

// Allow reports whether a call may be made now, and counts it where the breaker is half-open: of these it permits
// only [Settings.HalfOpenProbes] at once. Whoever is permitted tells Release when the call is over. A call that
// never is, is given up after [Settings.OpenFor], so that the breaker does not wait for it for ever.
//
// The state itself does not depend on permits: outcomes of calls that nobody asked for are judged like others.
func (r *Registry) Allow(k Key, now time.Time) Permit {
	s, t := r.shards.of(k), nanos(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[k]
	if e == nil || e.isClosed(t) {
		return Permit{Allowed: true, State: semconv.BreakerClosed}
	}
	in := e.asked(t)
	p := in.permit(t)
	if in.state == halfOpen {
		e.permitProbe(&p, t, &r.geometry)
	}
	return p
}

// permit is the answer where no probes are counted.
func (s span) permit(t int64) Permit {
	p := Permit{Allowed: s.state != open && s.state != forcedOpen, State: stateNames[s.state], at: t}
	if s.state == open {
		p.RetryAfter = time.Duration(s.until - t)
	}
	return p
}

func (m *machine) permitProbe(p *Permit, t int64, g *geometry) {
	m.troubled()
	m.probes = slices.DeleteFunc(m.probes, func(at int64) bool {
		return at <= t-m.policy.openFor || at > t+g.tolerance // lost, or of a clock that was set back
	})
	if p.Allowed = len(m.probes) < m.policy.maxProbes; p.Allowed {
		m.probes = append(m.probes, t)
		p.generation = m.phase.generation
	}
}

// Release tells that the call that p permitted is over, whatever came of it. Tell its outcome first. A permit that
// was refused, or released before, changes nothing.
func (r *Registry) Release(k Key, p Permit) {
	if p.generation == 0 {
		return
	}
	s := r.shards.of(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[k]
	if e == nil || e.phase.generation != p.generation {
		return
	}
	if i := slices.Index(e.probes, p.at); i >= 0 {
		e.probes = slices.Delete(e.probes, i, i+1)
	}
}

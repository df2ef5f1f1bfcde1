// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"slices"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Transition is one change of a breaker's state.
type Transition struct {
	From, To semconv.BreakerState
	// At is event time: the end of the call that caused it, or the moment the open period was over.
	At time.Time
	// Generation counts the transitions of one breaker, from 1.
	Generation uint64
}

// String is the transition as telemetry shows it: "closed>open".
func (t Transition) String() string { return string(t.From) + ">" + string(t.To) }

// maxHistory bounds the transitions that are remembered per breaker, to tell the state at an earlier time: with
// the defaults at least four minutes of a provider that fails every probe.
const maxHistory = 16

// machine is the breaker of one key.
type machine struct {
	// history holds the last transitions, oldest first; times never go back.
	history []Transition
	// failures are the ends of the failures since lastSuccess, in order. Closed only.
	failures    []time.Time
	lastSuccess time.Time
	// probes counts the successes of this half-open period, lastProbe is the latest end of one.
	probes    int
	lastProbe time.Time
}

// current is the state after the last transition. An open breaker whose time is over is still open here.
func (m *machine) current() Transition {
	if len(m.history) == 0 {
		return Transition{To: semconv.BreakerClosed}
	}
	return m.history[len(m.history)-1]
}

// record takes one outcome and returns the transition that it caused.
func (m *machine) record(o Outcome, s *Settings) (Transition, bool) {
	if o.Start.After(o.End) {
		o.Start = o.End
	}
	m.advance(o.End, s)
	now := m.current()
	if o.End.Before(now.At) {
		return Transition{}, false // it belongs to a state that is over
	}
	switch now.To {
	case semconv.BreakerClosed:
		return m.recordClosed(o, s)
	case semconv.BreakerHalfOpen:
		return m.recordHalfOpen(o, now.At, s)
	}
	return Transition{}, false // started before the breaker opened, or slipped past it
}

func (m *machine) recordClosed(o Outcome, s *Settings) (Transition, bool) {
	// The later of two outcomes with the same end is the one that came later.
	if o.Success {
		if o.End.Before(m.lastSuccess) {
			return Transition{}, false
		}
		m.lastSuccess = o.End
		n, _ := slices.BinarySearchFunc(m.failures, o.End, afterOrEqual)
		m.failures = slices.Delete(m.failures, 0, n)
		return Transition{}, false
	}
	if o.End.Before(m.lastSuccess) {
		return Transition{}, false
	}
	n, _ := slices.BinarySearchFunc(m.failures, o.End, afterOrEqual)
	m.failures = slices.Insert(m.failures, n, o.End)
	if len(m.failures) < s.ConsecutiveFailures {
		return Transition{}, false
	}
	return m.move(semconv.BreakerOpen, m.failures[len(m.failures)-1]), true
}

// afterOrEqual makes a binary search find the first element after t.
func afterOrEqual(element, t time.Time) int {
	if element.After(t) {
		return 1
	}
	return -1
}

func (m *machine) recordHalfOpen(o Outcome, since time.Time, s *Settings) (Transition, bool) {
	if o.Start.Before(since) {
		return Transition{}, false // no probe
	}
	if !o.Success {
		return m.move(semconv.BreakerOpen, o.End), true
	}
	m.probes++
	if o.End.After(m.lastProbe) {
		m.lastProbe = o.End
	}
	if m.probes < s.HalfOpenSuccesses {
		return Transition{}, false
	}
	return m.move(semconv.BreakerClosed, m.lastProbe), true
}

// advance makes an open breaker half-open when its time is over at t.
func (m *machine) advance(t time.Time, s *Settings) {
	if now := m.current(); now.To == semconv.BreakerOpen && !t.Before(now.At.Add(s.OpenFor)) {
		m.move(semconv.BreakerHalfOpen, now.At.Add(s.OpenFor))
	}
}

func (m *machine) move(to semconv.BreakerState, at time.Time) Transition {
	now := m.current()
	tr := Transition{From: now.To, To: to, At: at, Generation: now.Generation + 1}
	if len(m.history) == maxHistory {
		m.history = slices.Delete(m.history, 0, 1)
	}
	m.history = append(m.history, tr)
	m.failures, m.lastSuccess = m.failures[:0], time.Time{}
	m.probes, m.lastProbe = 0, time.Time{}
	return tr
}

// stateAt is the state in force at t, and since when. An outcome that is told later may still change the answer.
func (m *machine) stateAt(t time.Time, s *Settings) Transition {
	for i := len(m.history) - 1; i >= 0; i-- {
		tr := m.history[i]
		if tr.At.After(t) {
			continue
		}
		if half := tr.At.Add(s.OpenFor); tr.To == semconv.BreakerOpen && !half.After(t) {
			return Transition{From: tr.To, To: semconv.BreakerHalfOpen, At: half, Generation: tr.Generation + 1}
		}
		return tr
	}
	if len(m.history) == 0 {
		return Transition{To: semconv.BreakerClosed}
	}
	oldest := m.history[0] // before all that is remembered
	return Transition{To: oldest.From, Generation: oldest.Generation - 1}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

type state uint8

const (
	closed state = iota
	open
	halfOpen
	forcedOpen
	forcedClosed
)

var stateNames = [...]semconv.BreakerState{
	closed:       semconv.BreakerClosed,
	open:         semconv.BreakerOpen,
	halfOpen:     semconv.BreakerHalfOpen,
	forcedOpen:   semconv.BreakerForcedOpen,
	forcedClosed: semconv.BreakerForcedClosed,
}

// Reason says why a breaker changed its state.
type Reason uint8

// The reasons.
const (
	// ReasonNone: nobody knows, or nothing changed.
	ReasonNone Reason = iota
	ReasonFailureRatio
	ReasonConsecutiveFailures
	ReasonSlowCallRatio
	// ReasonProbeFailed: a call in half-open failed, or was slow where that counts.
	ReasonProbeFailed
	// ReasonProbesSucceeded: enough calls in half-open succeeded.
	ReasonProbesSucceeded
	// ReasonForced: somebody forced the state, or took that back.
	ReasonForced
	// ReasonShared: another process decided it.
	ReasonShared
)

var reasonNames = [...]string{
	ReasonNone:                "",
	ReasonFailureRatio:        "failure_ratio",
	ReasonConsecutiveFailures: "consecutive_failures",
	ReasonSlowCallRatio:       "slow_call_ratio",
	ReasonProbeFailed:         "probe_failed",
	ReasonProbesSucceeded:     "probes_succeeded",
	ReasonForced:              "forced",
	ReasonShared:              "shared",
}

// String is the reason as telemetry shows it.
func (r Reason) String() string {
	if int(r) >= len(reasonNames) {
		return ""
	}
	return reasonNames[r]
}

// Transition is one change of a breaker's state.
type Transition struct {
	From, To semconv.BreakerState
	// At is event time: the end of the call that caused it, or of the window in which it showed.
	At time.Time
	// Generation is higher with every transition of one breaker. That an open one becomes half-open takes one, too.
	Generation uint64
	Reason     Reason
}

// String is the transition as telemetry shows it: "closed>open".
func (t Transition) String() string { return string(t.From) + ">" + string(t.To) }

// span is a time in which one state was to be seen. It ends where the next begins.
type span struct {
	// at is when it began, never for the time before all that is remembered.
	at int64
	// until is when an open one becomes half-open; opened is when the breaker opened. Both never for the others.
	until, opened int64
	generation    uint64
	state, from   state
}

// maxSpans bounds what is remembered per breaker to tell the state at an earlier time: with the defaults over half
// an hour of a provider that fails every probe.
const maxSpans = 16

// show makes s the state to be seen from now on.
func (m *machine) show(s span, why Reason) Transition {
	before := m.seen(s.at)
	s.from = before.state
	if len(m.spans) == maxSpans {
		m.spans = m.spans[:copy(m.spans, m.spans[1:])]
	}
	m.spans = append(m.spans, s)
	after := m.seen(s.at)
	return Transition{
		From:       stateNames[before.state],
		To:         stateNames[after.state],
		At:         timeOf(s.at),
		Generation: after.generation,
		Reason:     why,
	}
}

// shown is when the state to be seen began.
func (m *machine) shown() int64 {
	if len(m.spans) == 0 {
		return never
	}
	return m.spans[len(m.spans)-1].at
}

// isClosed tells quickly what seen tells, too, of a healthy breaker: that it is closed at t.
func (m *machine) isClosed(t int64) bool {
	n := len(m.spans)
	return n == 0 || m.spans[n-1].state == closed && m.spans[n-1].at <= t
}

// seen is the state at t. An outcome that is told later may still change the answer.
func (m *machine) seen(t int64) span {
	s := m.spanAt(t)
	if m.policy.disabled && (s.state == open || s.state == halfOpen) {
		return span{at: s.at, until: never, opened: never, generation: s.generation}
	}
	return s
}

func (m *machine) spanAt(t int64) span {
	for i := len(m.spans) - 1; i >= 0; i-- {
		s := &m.spans[i]
		if s.at > t {
			continue
		}
		if s.state == open && s.until <= t {
			return span{at: s.until, until: never, opened: s.opened, generation: s.generation + 1, state: halfOpen, from: open}
		}
		return *s
	}
	before := span{at: never, until: never, opened: never}
	if len(m.spans) > 0 {
		oldest := &m.spans[0]
		before.state, before.generation = oldest.from, oldest.generation-1
	}
	return before
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// settled is what is remembered of a run whose spans have left.
type settled struct {
	id       string
	service  string
	trace    semconv.TraceID
	parent   semconv.SpanID
	parentID string
	start    pcommon.Timestamp
	end      semconv.EndKind
	status   semconv.Status
	attempts map[string][]sentAttempt
	// calls are those whose end has not come: it may, and says little by itself.
	calls map[string]*call
	// attributes, cause and notes are kept only while a stronger end may still come, and the run span with it.
	attributes folded
	cause      event.Attributes
	notes      []Note
	until      time.Time
	// keys are those of the run's events.
	keys []event.Key
	// claim is on the mark in the journal that says this.
	claim *journal.Claim
}

// memory holds settled runs for a while, the oldest first to go.
type memory struct {
	byID  map[string]*settled
	queue []*settled
	max   int
	// evicted counts those that were forgotten before their time.
	evicted int
}

func (m *memory) get(id string) *settled { return m.byID[id] }

// put remembers a run as it left; earlier is what was remembered of it before.
func (m *memory) put(r *Run, earlier *settled, now time.Time) *settled {
	s := &settled{
		id: r.ID, service: r.Service, trace: r.Trace, parent: r.Parent, parentID: r.ParentID, start: r.Start, end: r.EndKind, status: r.Status,
		attempts: make(map[string][]sentAttempt, len(r.Attempts)), until: now.Add(rememberFor),
	}
	if earlier != nil {
		if r.Sent {
			s.end, s.status, s.start, s.parent, s.parentID = earlier.end, earlier.status, earlier.start, earlier.parent, earlier.parentID
			if earlier.attributes != nil {
				r.attributes.addOlder(earlier.attributes)
				s.attributes, s.cause, s.notes = r.attributes, earlier.cause, addNotes(earlier.notes, r.notes)
			}
		}
		for stage, sent := range earlier.attempts {
			s.attempts[stage] = sent
		}
	}
	if !r.Sent && r.EndKind.Rank() < semconv.EndExplicit.Rank() {
		s.attributes, s.cause, s.notes = r.attributes, r.cause, r.notes
	}
	for _, a := range r.Attempts {
		delete(s.attempts, a.Stage) // what is known now has all that was known before
	}
	sent := make([]sentAttempt, len(r.Attempts)) // most stages have one attempt, so these share their room
	for i, a := range r.Attempts {
		sent[i] = a.remember()
		if known := s.attempts[a.Stage]; known != nil {
			s.attempts[a.Stage] = append(known, sent[i])
		} else {
			s.attempts[a.Stage] = sent[i : i+1 : i+1]
		}
	}
	m.keep(s)
	return s
}

// openCalls are the provider calls of a run whose end nobody told.
func (r *run) openCalls() map[string]*call {
	var open map[string]*call
	for id, c := range r.calls {
		if c.status == semconv.StatusRunning {
			if open == nil {
				open = map[string]*call{}
			}
			open[id] = c
		}
	}
	return open
}

func (m *memory) keep(s *settled) {
	m.byID[s.id] = s
	m.queue = append(m.queue, s)
	for len(m.queue) > m.max {
		if first := m.queue[0]; m.byID[first.id] == first { // else it is remembered as it left later
			m.evicted++
		}
		m.drop()
	}
}

// remember is what stays known of an attempt; one that left complete stays as it left.
func (a *Attempt) remember() sentAttempt {
	if a.sent != nil && !a.leaves() {
		return *a.sent
	}
	return sentAttempt{number: a.Number, start: a.Start, end: a.End, ended: a.Status != semconv.StatusAbandoned, wide: a.wide()}
}

func (m *memory) expire(now time.Time) {
	for len(m.queue) > 0 && !m.queue[0].until.After(now) {
		m.drop()
	}
}

func (m *memory) drop() {
	s := m.queue[0]
	m.queue[0] = nil
	m.queue = m.queue[1:]
	if m.byID[s.id] == s { // a run that came back is remembered anew
		delete(m.byID, s.id)
		s.claim.Release()
	}
}

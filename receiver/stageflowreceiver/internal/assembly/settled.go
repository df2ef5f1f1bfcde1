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

// settled is what is known of a run whose spans have left.
type settled struct {
	id       string
	service  string
	trace    semconv.TraceID
	parent   semconv.SpanID
	parentID string
	start    pcommon.Timestamp
	end      semconv.EndKind
	status   semconv.Status
	attempts []sentAttempt
	// keys are those of the run's events.
	keys []event.Key
	unfinished
	// claim is on the mark in the journal that says this.
	claim *journal.Claim
}

// unfinished is what is known besides of a run that may have more to say; nearly none has.
type unfinished struct {
	// calls are those whose end has not come: it may, and says little by itself.
	calls map[string]*call
	// attributes, cause and notes are kept only while a stronger end may still come, and the run span with it.
	attributes folded
	cause      event.Attributes
	notes      []Note
}

// toSettled is what is known of a run as it leaves; earlier is what was known of it before.
func (r *Run) toSettled(earlier *settled) settled {
	s := settled{
		id: r.ID, service: r.Service, trace: r.Trace, parent: r.Parent, parentID: r.ParentID, start: r.Start, end: r.EndKind, status: r.Status,
		attempts: make([]sentAttempt, 0, len(r.Attempts)),
	}
	for _, a := range r.Attempts {
		s.attempts = append(s.attempts, a.remember())
	}
	if earlier != nil {
		if r.Sent {
			s.end, s.status, s.start, s.parent, s.parentID = earlier.end, earlier.status, earlier.start, earlier.parent, earlier.parentID
			if earlier.attributes != nil {
				r.attributes.addOlder(earlier.attributes)
				s.attributes, s.cause, s.notes = r.attributes, earlier.cause, addNotes(earlier.notes, r.notes)
			}
		}
		s.attempts = append(s.attempts, r.untold(earlier.attempts)...)
	}
	if !r.Sent && r.EndKind.Rank() < semconv.EndExplicit.Rank() {
		s.attributes, s.cause, s.notes = r.attributes, r.cause, r.notes
	}
	return s
}

// untold are the attempts of stages of which nothing is known now. What is known now of a stage has all that was known
// before.
func (r *Run) untold(earlier []sentAttempt) []sentAttempt {
	told := make(map[string]bool, len(r.Attempts))
	for _, a := range r.Attempts {
		told[a.Stage] = true
	}
	var left []sentAttempt
	for _, a := range earlier {
		if !told[a.stage] {
			left = append(left, a)
		}
	}
	return left
}

// remember is what stays known of an attempt; one that left complete stays as it left.
func (a *Attempt) remember() sentAttempt {
	if a.sent != nil && !a.leaves() {
		return *a.sent
	}
	return sentAttempt{
		stage: a.Stage, number: a.Number, start: a.Start, end: a.End, ended: a.Status != semconv.StatusAbandoned, wide: a.wide(),
	}
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

// isEmpty tells whether there is nothing.
func (u *unfinished) isEmpty() bool {
	return u.calls == nil && u.attributes == nil && u.cause == nil && u.notes == nil
}

// kept is a copy that holds nothing else of the run in memory, nil when there is nothing.
func (u *unfinished) kept() *unfinished {
	if u.isEmpty() {
		return nil
	}
	var texts event.Texts
	out := &unfinished{attributes: u.attributes.kept(&texts), cause: u.cause.Kept(&texts)}
	for _, n := range u.notes {
		out.notes = append(out.notes, n.kept(&texts))
	}
	if len(u.calls) > 0 {
		out.calls = make(map[string]*call, len(u.calls))
	}
	for _, c := range u.calls {
		again := *c
		again.id, again.stage, again.attributes = texts.Keep(c.id), texts.Keep(c.stage), c.attributes.kept(&texts)
		out.calls[again.id] = &again
	}
	return out
}

// kept is a copy with its texts in memory of their own.
func (f folded) kept(in *event.Texts) folded {
	if f == nil {
		return nil
	}
	out := make(folded, len(f))
	for i := range f {
		out[i] = foldedValue{f[i].Kept(in), f[i].at}
	}
	return out
}

// memory holds settled runs for a while, the oldest first to go.
type memory struct {
	byID  map[string]*remembered
	queue []*remembered
	max   int
	// evicted counts those that were forgotten before their time.
	evicted int
	// packing is room for packing.
	packing []byte
}

// remembered is a settled run as it waits for what comes late. There may be a hundred thousand, for most of which nothing
// comes, and the garbage collector follows every pointer of theirs again and again. So all is packed into one text but
// what few have.
type remembered struct {
	packed packed
	*unfinished
	until time.Time
	// claim is on the mark in the journal that says this.
	claim *journal.Claim
}

// get is what is known of a run that has settled, nil for another.
func (m *memory) get(id string) *settled {
	if in := m.byID[id]; in != nil {
		return in.unpack()
	}
	return nil
}

// trace is the trace of a run that has settled; ok is false for another.
func (m *memory) trace(id string) (trace semconv.TraceID, ok bool) {
	in := m.byID[id]
	if in == nil {
		return trace, false
	}
	return in.packed.trace(), true
}

// unpack is what is known of the run. Nobody changes what is in it.
func (in *remembered) unpack() *settled {
	s := in.packed.unpack()
	s.claim = in.claim
	if in.unfinished != nil {
		s.unfinished = *in.unfinished
	}
	return s
}

// keep remembers a run from now on.
func (m *memory) keep(s *settled, now time.Time) *remembered {
	m.packing = s.pack(m.packing[:0])
	in := &remembered{packed: packed(m.packing), unfinished: s.kept(), until: now.Add(rememberFor), claim: s.claim}
	m.byID[in.packed.id()] = in
	m.queue = append(m.queue, in)
	for len(m.queue) > m.max {
		if first := m.queue[0]; m.byID[first.packed.id()] == first { // else it is remembered as it left later
			m.evicted++
		}
		m.drop()
	}
	if cap(m.packing) > maxPacking {
		m.packing = nil
	}
	return in
}

func (m *memory) expire(now time.Time) {
	for len(m.queue) > 0 && !m.queue[0].until.After(now) {
		m.drop()
	}
}

func (m *memory) drop() {
	first := m.queue[0]
	m.queue[0] = nil
	m.queue = m.queue[1:]
	if id := first.packed.id(); m.byID[id] == first { // a run that came back is remembered anew
		delete(m.byID, id)
		first.claim.Release()
	}
}

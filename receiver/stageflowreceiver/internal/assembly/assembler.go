// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Settings say how long to wait for what.
type Settings struct {
	// Settle is how long a run that told its end waits for stragglers.
	Settle time.Duration
	// FlushAfter is how long a run that goes on keeps what has finished; then it is sent, and so again and again.
	FlushAfter time.Duration
	// IdleTimeout is the silence after which a run with nothing open has ended.
	IdleTimeout time.Duration
	// AbandonAfter is the silence after which a run with something open is given up.
	AbandonAfter time.Duration
	// MaxActive bounds the runs in flight.
	MaxActive int
	// Journal is where the facts come from that are added, nil for none.
	Journal *journal.Journal
}

// rememberFor is how long a settled run is remembered, so that what comes late finds its place.
const rememberFor = 10 * time.Minute

// ErrTooManyRuns is returned when a run cannot be taken because too many are in flight.
var ErrTooManyRuns = errors.New("too many runs in flight: raise runs::max_active, or wait until some have settled")

// Assembler keeps the runs in flight. It is safe for concurrent use and reads no clock.
type Assembler struct {
	set Settings

	mu     sync.Mutex
	active map[string]*run
	// promised is for how many runs there is room kept that are not active yet.
	promised  int
	deadlines deadlines
	settled   memory
	orphans   *orphans
	// lost and late count facts: those that no bound left room for, and those of runs that had settled.
	lost, late int
	// abandoned counts the runs given up, by service.
	abandoned map[string]int64
	foreign   foreign
}

// New makes an assembler.
func New(set Settings) *Assembler {
	a := &Assembler{
		set: set, active: map[string]*run{}, abandoned: map[string]int64{}, foreign: newForeign(),
		settled: memory{byID: map[string]*remembered{}, max: set.MaxActive},
	}
	a.orphans = newOrphans()
	return a
}

// Admit keeps room for the runs of these facts, and returns for how many; [ErrTooManyRuns] when there is none. The room
// goes to the next Add, or back by Cancel.
func (a *Assembler) Admit(facts []Fact) (room int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	room = a.fresh(facts)
	if room > 0 && len(a.active)+a.promised+room > a.set.MaxActive {
		return 0, ErrTooManyRuns
	}
	a.promised += room
	return room, nil
}

// fresh counts the runs of facts that are not in flight.
func (a *Assembler) fresh(facts []Fact) int {
	var fresh map[string]struct{}
	last := ""
	for i := range facts {
		id := facts[i].RunID
		if id == last || id == "" { // the events of a run mostly come one after the other
			continue
		}
		if last = id; a.active[id] != nil {
			continue
		}
		if fresh == nil {
			fresh = map[string]struct{}{}
		}
		fresh[id] = struct{}{}
	}
	return len(fresh)
}

// Cancel gives back the room that Admit kept.
func (a *Assembler) Cancel(room int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.promised -= room
}

// Add takes facts that arrived now, with the journal's entry at pos, into the room that Admit kept.
func (a *Assembler) Add(facts []Fact, room int, now time.Time, pos journal.Position) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.promised -= room
	for i := range facts {
		a.add(&facts[i], now, pos)
	}
}

func (a *Assembler) add(f *Fact, now time.Time, pos journal.Position) {
	if f.RunID == "" {
		if f.Call != nil && f.Call.ID != "" {
			a.addOrphan(f, pos)
		}
		return
	}
	r := a.active[f.RunID]
	if r == nil {
		r = a.begin(f.RunID, now)
	}
	r.claim.Add(pos)
	r.add(f)
	if r.earlier != nil {
		a.late++
	}
	r.arrived = now
	if r.closing() && r.ended.IsZero() {
		r.ended = now
	}
	if f.Call != nil {
		a.adopt(r, f.Call.ID)
	}
	a.deadlines.set(r, a.deadline(r))
}

// begin takes a run in flight.
func (a *Assembler) begin(id string, now time.Time) *run {
	r := newRun(id)
	r.arrived, r.flushAt = now, now.Add(a.set.FlushAfter)
	r.claim = a.claim(ownerRun, id)
	if r.earlier = a.settled.get(id); r.earlier != nil {
		r.left = r.earlier.attempts
		for id, c := range r.earlier.calls {
			again := *c
			again.attributes, again.left = slices.Clone(c.attributes), true
			r.addKnown(id, &again)
		}
	}
	a.active[r.id] = r
	a.deadlines.push(r, a.deadline(r))
	return r
}

// claim is on entries of the journal, nil without one: then the owner's whole name, which takes memory, is not made.
func (a *Assembler) claim(owner, id string) *journal.Claim {
	if a.set.Journal == nil {
		return nil
	}
	return a.set.Journal.Claim(owner + id)
}

// deadline is when the run should be looked at again.
func (a *Assembler) deadline(r *run) time.Time {
	over := a.overAt(r)
	if r.flushAt.Before(over) {
		return r.flushAt
	}
	return over
}

// overAt is when the run is over, unless something comes before or is still open.
func (a *Assembler) overAt(r *run) time.Time {
	if !r.ended.IsZero() {
		return r.ended.Add(a.set.Settle)
	}
	if r.earlier != nil {
		// The run is over; what came late waits for its siblings no longer than stragglers do.
		return r.arrived.Add(a.set.Settle)
	}
	return r.arrived.Add(a.set.IdleTimeout)
}

// MaxDue bounds the runs that are taken out at once: until they have been handed on nobody else counts them.
const MaxDue = 256

// Due takes out the runs that are over at now, and what has finished of those that go on for long, at most [MaxDue] at
// once: it is to be called until there are none. With all, also runs that told their end but still wait for stragglers.
// What was over is remembered as settled.
func (a *Assembler) Due(now time.Time, all bool) []*Run {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settled.expire(now)
	var due []*Run
	for r := a.deadlines.first(); r != nil && len(due) < MaxDue && !r.deadline.After(now); r = a.deadlines.first() {
		if !r.flushAt.After(now) && a.overAt(r).After(now) {
			if out := a.flush(r); out != nil {
				due = append(due, out)
			}
			r.flushAt = now.Add(a.set.FlushAfter)
			a.deadlines.set(r, a.deadline(r))
			continue
		}
		if wait := r.arrived.Add(a.set.AbandonAfter); wait.After(now) && r.ended.IsZero() && r.earlier == nil && len(r.ends) == 0 {
			out := r.resolve(a.traceOf)
			if out.EndKind == semconv.EndAbandoned {
				a.deadlines.set(r, wait)
				continue
			}
			due = append(due, a.settle(r, out, now))
			continue
		}
		due = append(due, a.settle(r, r.resolve(a.traceOf), now))
	}
	if all {
		for _, r := range a.active {
			if len(due) == MaxDue {
				break
			}
			if !r.ended.IsZero() || r.earlier != nil {
				due = append(due, a.settle(r, r.resolve(a.traceOf), now))
			}
		}
	}
	return due
}

// settle remembers a run as it was resolved, and forgets its facts.
func (a *Assembler) settle(r *run, out *Run, now time.Time) *Run {
	out.Calls = slices.DeleteFunc(out.Calls, func(c *Call) bool { return r.leftCalls[c.ID] })
	out.Tools = slices.DeleteFunc(out.Tools, func(t *Tool) bool { return r.leftTools[t.ID] })
	if r.earlier != nil {
		out.Sent = len(r.ends) == 0 || out.EndKind.Rank() <= r.earlier.end.Rank()
		out.Revised = !out.Sent
		if out.Revised {
			out.restore(r.earlier, r.trace, a.traceOf)
		}
	}
	a.leaveToOthers(out, r)
	out.claim = r.claim
	out.claim.Join(r.flushMark)
	if r.earlier != nil {
		out.claim.Join(r.earlier.claim)
	}
	s := out.toSettled(r.earlier)
	s.calls = r.openCalls()
	s.claim = a.claim(ownerSettled, r.id)
	if s.keys = r.keys; r.earlier != nil {
		all := slices.Concat(r.earlier.keys, r.keys)
		s.keys = all[:min(len(all), maxKeys)]
	}
	out.memory = a.settled.keep(&s, now)
	a.lost += r.dropped
	a.countAbandoned(out)
	delete(a.active, r.id)
	a.deadlines.remove(r)
	return out
}

func (a *Assembler) traceOf(runID string) semconv.TraceID {
	if r := a.active[runID]; r != nil {
		return r.traceID()
	}
	if trace, ok := a.settled.trace(runID); ok {
		return trace
	}
	return semconv.RunTraceID(runID)
}

// TraceOf is the trace of a run, known or derived.
func (a *Assembler) TraceOf(runID string) semconv.TraceID {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.traceOf(runID)
}

// Active is the number of runs in flight.
func (a *Assembler) Active() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.active)
}

// Lost is the number of facts that no bound left room for.
func (a *Assembler) Lost() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lost
}

// Late is the number of facts of runs that had settled.
func (a *Assembler) Late() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.late
}

// Evicted is the number of settled runs that were forgotten early, to make room.
func (a *Assembler) Evicted() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.settled.evicted
}

// restore fills a run that is sent again with what its first span said and the late events did not. Where the span
// hangs does not change any more: what became known too late is linked.
func (out *Run) restore(s *settled, late traceContext, parentTrace func(runID string) semconv.TraceID) {
	out.attributes.addOlder(s.attributes)
	out.notes = addNotes(s.notes, out.notes)
	if s.start != 0 && s.start < out.Start {
		out.Start = s.start
	}
	if out.Status == semconv.StatusFailed && s.status == semconv.StatusFailed {
		fill(&out.cause, semconv.RunFailedStageKey, s.cause)
		stage, _ := out.cause.Get(semconv.RunFailedStageKey)
		if blamed, ok := s.cause.Get(semconv.RunFailedStageKey); !ok || blamed.Equal(stage) {
			fillText(&out.cause, s.cause)
		}
	}
	out.Parent = s.parent
	if late.trace != s.trace || late.parent != s.parent {
		out.late = late
	}
	if out.ParentID = s.parentID; out.ParentID == "" {
		out.ParentID = out.attributes.text(semconv.RunParentIDKey)
		out.lateParent = true
	}
	if out.ParentID != "" {
		out.ParentTrace = parentTrace(out.ParentID)
	}
}

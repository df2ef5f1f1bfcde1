// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Restore brings back what a journal holds: all its marks first, then its events. The silence of the time in between
// is nobody's, so everything arrives now.
type Restore struct {
	to  *Assembler
	now time.Time
	// consumed are the places of what has been handed on, by owner.
	consumed map[string]map[journal.Position]bool
	// settled and flushed are the latest marks of each run.
	settled, flushed map[string]mark
	// foreign are the calls that foreign spans tell of.
	foreign map[string]journal.Position
	// orphans are ends of calls that were joined to no run when they came. Their starts may have come since.
	orphans []orphanAt
}

type orphanAt struct {
	Fact
	at journal.Position
}

type mark struct {
	at    journal.Position
	attrs pcommon.Map
}

// NewRestore begins to bring back what the assembler's journal holds.
func (a *Assembler) NewRestore(now time.Time) *Restore {
	return &Restore{
		to: a, now: now, consumed: map[string]map[journal.Position]bool{},
		settled: map[string]mark{}, flushed: map[string]mark{}, foreign: map[string]journal.Position{},
	}
}

// Marks takes the records of an entry of marks.
func (rs *Restore) Marks(records plog.Logs, at journal.Position) {
	for _, rl := range records.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				rs.mark(lr, at)
			}
		}
	}
}

func (rs *Restore) mark(lr plog.LogRecord, at journal.Position) {
	m := mark{at, lr.Attributes()}
	id := textOf(m.attrs, markRun)
	switch lr.EventName() {
	case markFlushed:
		rs.flushed[id] = m
	case markForeign:
		rs.foreign[textOf(m.attrs, markCall)] = at
	case markSettled:
		rs.settled[id] = m
		v, ok := m.attrs.Get(markConsumed)
		if !ok || v.Type() != pcommon.ValueTypeMap {
			return
		}
		for owner, positions := range v.Map().All() {
			if positions.Type() != pcommon.ValueTypeBytes {
				continue
			}
			places := rs.consumed[owner]
			if places == nil {
				places = map[journal.Position]bool{}
				rs.consumed[owner] = places
			}
			for _, p := range readPositions(positions.Bytes().AsRaw()) {
				places[p] = true
			}
		}
	}
}

// Remembered is what others than the assembler need to know of the runs that have left.
type Remembered struct {
	// Keys are those of their events.
	Keys []event.Key
	// Calls are the provider calls whose end has not come.
	Calls []OpenCall
}

// OpenCall is a provider call whose end has not come.
type OpenCall struct {
	ID, RunID  string
	Attributes event.Attributes
}

// EndMarks tells that no more marks come: runs that have left are remembered again.
func (rs *Restore) EndMarks() Remembered {
	rs.to.mu.Lock()
	defer rs.to.mu.Unlock()
	var out Remembered
	latest := slices.SortedFunc(maps.Values(rs.settled), func(a, b mark) int { return cmp.Compare(a.at, b.at) })
	for _, m := range latest {
		s := readSettled(m.attrs)
		s.claim = rs.to.set.Journal.Claim(ownerSettled + s.id)
		s.claim.Add(m.at)
		rs.to.settled.keep(s, rs.now)
		out.Keys = append(out.Keys, s.keys...)
		for id, c := range s.calls {
			open := OpenCall{ID: id, RunID: s.id}
			for _, a := range c.attributes {
				open.Attributes = append(open.Attributes, a.Attribute)
			}
			if c.attempt > 0 {
				open.Attributes.Put(semconv.StageAttemptKey, event.IntValue(c.attempt))
			}
			out.Calls = append(out.Calls, open)
		}
	}
	for id, at := range rs.foreign {
		if !rs.consumed[ownerForeign+id][at] {
			rs.to.addForeign(id, at)
		}
	}
	rs.settled, rs.foreign = nil, nil
	return out
}

// Facts takes what an event of an entry says, but for what has been handed on. lr is the record. The order of entries
// does not matter, and it is safe for concurrent use.
func (rs *Restore) Facts(facts []Fact, lr plog.LogRecord, at journal.Position) {
	rs.to.mu.Lock()
	defer rs.to.mu.Unlock()
	for i := range facts {
		f := &facts[i]
		owner := ownerOf(f)
		if rs.consumed[owner][at] || !journal.OnlyFor(lr, owner) {
			continue
		}
		if f.RunID == "" {
			rs.orphans = append(rs.orphans, orphanAt{f.kept(&event.Texts{}), at})
			continue
		}
		rs.to.add(f, rs.now, at)
		if m, ok := rs.flushed[f.RunID]; ok {
			delete(rs.flushed, f.RunID)
			if r := rs.to.active[f.RunID]; r != nil && !rs.consumed[ownerFlushed+f.RunID][m.at] {
				r.restoreMark(m.attrs)
				r.flushMark = rs.to.set.Journal.Claim(ownerFlushed + f.RunID)
				r.flushMark.Add(m.at)
			}
		}
	}
}

// EndEvents tells that no more events come. runOf is the run of a call whose start is known, "" for none.
func (rs *Restore) EndEvents(runOf func(callID string) string) {
	rs.to.mu.Lock()
	defer rs.to.mu.Unlock()
	slices.SortStableFunc(rs.orphans, func(a, b orphanAt) int { return cmp.Compare(a.at, b.at) })
	for i := range rs.orphans {
		o := &rs.orphans[i]
		rs.to.add(&o.Fact, rs.now, o.at)
		if r := rs.to.active[runOf(o.Call.ID)]; r != nil {
			rs.to.adopt(r, o.Call.ID)
			rs.to.deadlines.set(r, rs.to.deadline(r))
		}
	}
	rs.orphans = nil
}

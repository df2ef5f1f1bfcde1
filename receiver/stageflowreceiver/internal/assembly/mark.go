// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"context"
	"encoding/binary"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Who may need an entry of the journal: prefixes to the id of a run or a call.
const (
	ownerRun     = "run/"
	ownerCall    = "call/"
	ownerSettled = "settled/"
	ownerFlushed = "flushed/"
	ownerForeign = "foreign/"
)

// Marks are records in the journal that say what has been handed on. The event name tells which: a run that is
// over, with what is remembered of it, what has left of a run that goes on, or a call that a foreign span tells of.
const (
	markSettled = "settled"
	markFlushed = "flushed"
	markForeign = "foreign"
)

// The attributes of a mark.
const (
	markRun        = "run"
	markConsumed   = "consumed"
	markService    = "service"
	markTrace      = "trace"
	markParent     = "parent"
	markParentID   = "parent_id"
	markStart      = "start"
	markEnd        = "end"
	markStatus     = "status"
	markAttempts   = "attempts"
	markCalls      = "calls"
	markTools      = "tools"
	markAttributes = "attributes"
	markCause      = "cause"
	markKeys       = "keys"
	markStage      = "stage"
	markCall       = "call"
	markNotes      = "notes"
	markTime       = "time"
	markName       = "name"
)

func ownerOf(f *Fact) string {
	if f.RunID == "" && f.Call != nil {
		return ownerCall + f.Call.ID
	}
	return ownerRun + f.RunID
}

// Owners are those who may need a record of the journal: the runs that an event tells of, or the one that a mark is
// about.
func Owners(lr plog.LogRecord) []string {
	switch lr.EventName() {
	case markSettled:
		return []string{ownerSettled + textOf(lr.Attributes(), markRun)}
	case markFlushed:
		return []string{ownerFlushed + textOf(lr.Attributes(), markRun)}
	case markForeign:
		return []string{ownerForeign + textOf(lr.Attributes(), markCall)}
	}
	e, _, ok := event.Open(lr)
	if !ok {
		return nil
	}
	var facts Facts
	facts.Read(&e, nil, 0, e.JoinedRunID(), "", 0)
	var owners []string
	for i := range facts.List {
		owners = append(owners, ownerOf(&facts.List[i]))
	}
	return owners
}

// HandedOn tells that the spans of runs have been taken: the journal is told, and then what it has of them is no
// longer needed. It is called by whoever calls Due, before the next Due.
func (a *Assembler) HandedOn(ctx context.Context, runs []*Run, now time.Time) error {
	if a.set.Journal == nil {
		return nil
	}
	if err := a.tellJournal(ctx, runs, now); err != nil {
		return err
	}
	for _, r := range runs {
		r.claim.Release()
	}
	return nil
}

// HandedOnUntold is HandedOn for a storage that is full: what it has of the runs is given up without telling it. After
// a crash, what could not be cut off of them (because a run before them goes on) is assembled again as if it were all
// there is.
func (a *Assembler) HandedOnUntold(runs []*Run) {
	for _, r := range runs {
		r.claim.Release()
	}
}

func marksOf(runs []*Run) plog.Logs {
	marks := plog.NewLogs()
	records := marks.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	records.EnsureCapacity(len(runs))
	for _, r := range runs {
		if r.of != nil {
			r.of.mark(records.AppendEmpty())
		} else {
			r.memory.unpack().mark(r.claim.Owned(), records.AppendEmpty())
		}
	}
	return marks
}

func (a *Assembler) tellJournal(ctx context.Context, runs []*Run, now time.Time) error {
	pos, err := a.set.Journal.Append(ctx, &journal.Entry{Kind: journal.Marks, Arrival: now, Records: marksOf(runs)})
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.of == nil {
			r.memory.claim.Add(pos)
			continue
		}
		old := r.of.flushMark
		r.of.flushMark = a.set.Journal.Claim(ownerFlushed + r.ID)
		r.of.flushMark.Add(pos)
		old.Release()
	}
	a.set.Journal.Done(pos)
	return nil
}

// mark writes what has left of a run that goes on.
func (r *run) mark(lr plog.LogRecord) {
	lr.SetEventName(markFlushed)
	attrs := lr.Attributes()
	attrs.PutStr(markRun, r.id)
	putAttempts(attrs, r.left)
	putSet(attrs, markCalls, r.leftCalls)
	putSet(attrs, markTools, r.leftTools)
}

func (r *run) restoreMark(attrs pcommon.Map) {
	r.left = attemptsOf(attrs)
	r.leftCalls, r.leftTools = setOf(attrs, markCalls), setOf(attrs, markTools)
}

// mark writes what is remembered of a run that is over, and which entries told of it.
func (s *settled) mark(consumed []journal.Owned, lr plog.LogRecord) {
	lr.SetEventName(markSettled)
	attrs := lr.Attributes()
	attrs.EnsureCapacity(12)
	attrs.PutStr(markRun, s.id)
	attrs.PutStr(markService, s.service)
	attrs.PutEmptyBytes(markTrace).FromRaw(s.trace[:])
	attrs.PutEmptyBytes(markParent).FromRaw(s.parent[:])
	attrs.PutStr(markParentID, s.parentID)
	attrs.PutInt(markStart, int64(s.start))
	attrs.PutStr(markEnd, string(s.end))
	attrs.PutStr(markStatus, string(s.status))
	putAttempts(attrs, s.attempts)
	if s.attributes != nil {
		putFolded(attrs, markAttributes, s.attributes)
		s.cause.CopyTo(attrs.PutEmptyMap(markCause))
		putNotes(attrs, s.notes)
	}
	putOpenCalls(attrs, s.calls)
	keys := make([]byte, 0, 8*len(s.keys))
	for _, k := range s.keys {
		keys = binary.BigEndian.AppendUint64(keys, uint64(k))
	}
	attrs.PutEmptyBytes(markKeys).FromRaw(keys)
	positions := attrs.PutEmptyMap(markConsumed)
	for _, o := range consumed {
		positions.PutEmptyBytes(o.Owner).FromRaw(appendPositions(nil, o.Positions))
	}
}

func readSettled(attrs pcommon.Map) *settled {
	s := &settled{
		id: textOf(attrs, markRun), service: textOf(attrs, markService), parentID: textOf(attrs, markParentID),
		end: semconv.EndKind(textOf(attrs, markEnd)), status: semconv.Status(textOf(attrs, markStatus)),
		attempts: attemptsOf(attrs),
	}
	for keys := bytesOf(attrs, markKeys); len(keys) >= 8; keys = keys[8:] {
		s.keys = append(s.keys, event.Key(binary.BigEndian.Uint64(keys)))
	}
	copy(s.trace[:], bytesOf(attrs, markTrace))
	copy(s.parent[:], bytesOf(attrs, markParent))
	if v, ok := attrs.Get(markStart); ok {
		s.start = pcommon.Timestamp(v.Int())
	}
	if s.attributes = foldedOf(attrs, markAttributes); s.attributes != nil {
		if v, ok := attrs.Get(markCause); ok && v.Type() == pcommon.ValueTypeMap {
			s.cause = event.AttributesOf(v.Map())
		}
		s.notes = readNotes(attrs)
	}
	s.calls = openCallsOf(attrs)
	return s
}

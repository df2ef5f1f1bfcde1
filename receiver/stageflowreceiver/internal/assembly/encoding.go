// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"encoding/binary"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// How the parts of a mark are written as attributes, and read back. What is not as it was written reads as nothing.

// An attempt that has left is four numbers: its own, its start, its end, and two flags.
const (
	flagEnded = 1 << iota
	flagWide
)

func (a *sentAttempt) flags() int64 {
	flags := int64(0)
	if a.ended {
		flags |= flagEnded
	}
	if a.wide {
		flags |= flagWide
	}
	return flags
}

func (a *sentAttempt) setFlags(flags int64) {
	a.ended, a.wide = flags&flagEnded != 0, flags&flagWide != 0
}

// putAttempts writes attempts that are in the order of their stages.
func putAttempts(attrs pcommon.Map, attempts []sentAttempt) {
	stages := attrs.PutEmptyMap(markAttempts)
	var list pcommon.Slice
	for i := range attempts {
		a := &attempts[i]
		if i == 0 || a.stage != attempts[i-1].stage {
			list = stages.PutEmptySlice(a.stage)
		}
		for _, n := range [...]int64{a.number, int64(a.start), int64(a.end), a.flags()} {
			list.AppendEmpty().SetInt(n)
		}
	}
}

// attemptsOf reads attempts, in the order of their stages.
func attemptsOf(attrs pcommon.Map) []sentAttempt {
	v, ok := attrs.Get(markAttempts)
	if !ok || v.Type() != pcommon.ValueTypeMap {
		return nil
	}
	var out []sentAttempt
	for stage, list := range v.Map().All() {
		if list.Type() != pcommon.ValueTypeSlice {
			continue
		}
		n := list.Slice()
		for i := 0; i+3 < n.Len(); i += 4 {
			a := sentAttempt{
				stage: stage, number: n.At(i).Int(), start: pcommon.Timestamp(n.At(i + 1).Int()), end: pcommon.Timestamp(n.At(i + 2).Int()),
			}
			a.setFlags(n.At(i + 3).Int())
			out = append(out, a)
		}
	}
	sortByStage(out)
	return out
}

func putOpenCalls(attrs pcommon.Map, calls map[string]*call) {
	if len(calls) == 0 {
		return
	}
	all := attrs.PutEmptyMap(markCalls)
	for id, c := range calls {
		one := all.PutEmptyMap(id)
		one.PutInt(markStart, int64(c.start))
		one.PutStr(markStage, c.stage)
		one.PutInt(markAttempts, c.attempt)
		putFolded(one, markAttributes, c.attributes)
	}
}

func openCallsOf(attrs pcommon.Map) map[string]*call {
	v, ok := attrs.Get(markCalls)
	if !ok || v.Type() != pcommon.ValueTypeMap {
		return nil
	}
	out := map[string]*call{}
	for id, one := range v.Map().All() {
		if one.Type() != pcommon.ValueTypeMap {
			continue
		}
		c := &call{id: id, status: semconv.StatusRunning, caller: caller{stage: textOf(one.Map(), markStage)}, attributes: foldedOf(one.Map(), markAttributes)}
		if v, ok := one.Map().Get(markStart); ok {
			c.start = pcommon.Timestamp(v.Int())
		}
		if v, ok := one.Map().Get(markAttempts); ok {
			c.attempt = v.Int()
		}
		out[id] = c
	}
	return out
}

func putNotes(attrs pcommon.Map, notes []Note) {
	if len(notes) == 0 {
		return
	}
	all := attrs.PutEmptySlice(markNotes)
	all.EnsureCapacity(len(notes))
	for _, n := range notes {
		one := all.AppendEmpty().SetEmptyMap()
		one.PutInt(markTime, int64(n.Time))
		one.PutStr(markName, n.Name)
		n.Attributes.CopyTo(one.PutEmptyMap(markAttributes))
	}
}

func readNotes(attrs pcommon.Map) []Note {
	v, ok := attrs.Get(markNotes)
	if !ok || v.Type() != pcommon.ValueTypeSlice {
		return nil
	}
	var out []Note
	for _, one := range v.Slice().All() {
		if one.Type() != pcommon.ValueTypeMap {
			continue
		}
		n := Note{Name: textOf(one.Map(), markName)}
		if v, ok := one.Map().Get(markTime); ok {
			n.Time = pcommon.Timestamp(v.Int())
		}
		if v, ok := one.Map().Get(markAttributes); ok && v.Type() == pcommon.ValueTypeMap {
			n.Attributes = event.AttributesOf(v.Map())
		}
		out = append(out, n)
	}
	return out
}

// putFolded writes attributes, each with the time that it is of.
func putFolded(attrs pcommon.Map, key string, f folded) {
	all := attrs.PutEmptyMap(key)
	all.EnsureCapacity(len(f))
	for _, v := range f {
		pair := all.PutEmptySlice(v.Key)
		pair.EnsureCapacity(2)
		pair.AppendEmpty().SetInt(int64(v.at))
		v.Value.CopyTo(pair.AppendEmpty())
	}
}

// foldedOf is nil when there are none.
func foldedOf(attrs pcommon.Map, key string) folded {
	v, ok := attrs.Get(key)
	if !ok || v.Type() != pcommon.ValueTypeMap {
		return nil
	}
	f := folded{}
	for key, pair := range v.Map().All() {
		if pair.Type() == pcommon.ValueTypeSlice && pair.Slice().Len() == 2 {
			at, v := pair.Slice().At(0), pair.Slice().At(1)
			f.set(foldedValue{event.Attribute{Key: key, Value: event.ValueOf(v)}, pcommon.Timestamp(at.Int())})
		}
	}
	return f
}

func putSet(attrs pcommon.Map, key string, set map[string]bool) {
	list := attrs.PutEmptySlice(key)
	list.EnsureCapacity(len(set))
	for id := range set {
		list.AppendEmpty().SetStr(id)
	}
}

func setOf(attrs pcommon.Map, key string) map[string]bool {
	out := map[string]bool{}
	if v, ok := attrs.Get(key); ok && v.Type() == pcommon.ValueTypeSlice {
		for _, id := range v.Slice().All() {
			out[id.AsString()] = true
		}
	}
	return out
}

// appendPositions writes positions as the differences between one and the next.
func appendPositions(b []byte, positions []journal.Position) []byte {
	last := journal.Position(0)
	for _, p := range positions {
		b = binary.AppendVarint(b, int64(p-last))
		last = p
	}
	return b
}

func readPositions(b []byte) []journal.Position {
	var out []journal.Position
	last := int64(0)
	for len(b) > 0 {
		d, n := binary.Varint(b)
		if n <= 0 {
			break
		}
		last += d
		out, b = append(out, journal.Position(last)), b[n:]
	}
	return out
}

func textOf(attrs pcommon.Map, key string) string {
	if v, ok := attrs.Get(key); ok {
		return v.AsString()
	}
	return ""
}

func bytesOf(attrs pcommon.Map, key string) []byte {
	if v, ok := attrs.Get(key); ok && v.Type() == pcommon.ValueTypeBytes {
		return v.Bytes().AsRaw()
	}
	return nil
}

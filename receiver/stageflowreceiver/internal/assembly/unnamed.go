// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"cmp"
	"maps"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// unnamedTool is an event of a tool call that names the tool and not the call: the Rust port tells the id when a tool is
// invoked and never again (catalogue 1.9). It belongs to the call of that tool which was open at its time, as the end of
// a stage belongs to the attempt that was; where several were, nothing tells which, and it is a log record only.
type unnamedTool struct {
	*ToolFact
	at   pcommon.Timestamp
	tool string
}

func (r *run) addUnnamed(f *ToolFact, at pcommon.Timestamp) {
	name, ok := f.Attributes.Get(semconv.GenAIToolNameKey)
	if !ok {
		return
	}
	if len(r.unnamed) >= maxTools {
		r.dropped++
		return
	}
	r.unnamed = append(r.unnamed, unnamedTool{f.kept(&r.texts), at, r.texts.Keep(name.AsText())})
}

// kept is a copy that a run can keep.
func (f *ToolFact) kept(in *event.Texts) *ToolFact {
	out := *f
	out.ID, out.Stage, out.Attributes = in.Keep(f.ID), in.Keep(f.Stage), f.Attributes.Kept(in)
	if f.Note != nil {
		note := f.Note.kept(in)
		out.Note = &note
	}
	return &out
}

// namedTools are the tool calls by id, with what the events that name none say of them.
func (r *run) namedTools() map[string]*tool {
	if len(r.unnamed) == 0 || len(r.tools) == 0 {
		return r.tools
	}
	byName := map[string][]string{}
	for _, id := range sortedKeys(r.tools) {
		name := r.tools[id].attributes.text(semconv.GenAIToolNameKey)
		byName[name] = append(byName[name], id)
	}
	facts := slices.SortedFunc(slices.Values(r.unnamed), compareUnnamed)
	facts = slices.CompactFunc(facts, func(a, b unnamedTool) bool { return compareUnnamed(a, b) == 0 })
	tools := maps.Clone(r.tools)
	for _, f := range facts {
		id, ok := onlyOpen(tools, byName[f.tool], f.at)
		if !ok {
			continue
		}
		if tools[id] == r.tools[id] {
			tools[id] = r.tools[id].clone()
		}
		tools[id].take(f.ToolFact, f.at, &r.texts)
		if f.Note != nil && len(tools[id].notes) < maxNotesOfTool {
			if i, has := slices.BinarySearchFunc(tools[id].notes, *f.Note, compareNotes); !has {
				tools[id].notes = slices.Insert(tools[id].notes, i, *f.Note)
			}
		}
	}
	return tools
}

// compareUnnamed is the order of time; of events at one time, ends come last.
func compareUnnamed(a, b unnamedTool) int {
	if d := cmp.Or(
		cmp.Compare(a.at, b.at),
		compareToolEnds(a.End, b.End),
		cmp.Compare(a.Started, b.Started),
		cmp.Compare(a.Invoked, b.Invoked),
		cmp.Compare(a.Attempt, b.Attempt),
	); d != 0 {
		return d
	}
	return cmp.Or(cmp.Compare(noteText(a), noteText(b)), a.Attributes.Compare(b.Attributes))
}

func noteText(f unnamedTool) string {
	if f.Note == nil {
		return ""
	}
	return f.Note.Name + " " + f.Note.Attributes.Canonical()
}

// onlyOpen is the one tool call, of those with the ids, that was open at the time.
func onlyOpen(tools map[string]*tool, ids []string, at pcommon.Timestamp) (id string, ok bool) {
	for _, i := range ids {
		t := tools[i]
		if t.first > at || (t.end.Strength >= endDecided && t.end.Time <= at) {
			continue
		}
		if ok {
			return "", false
		}
		id, ok = i, true
	}
	return id, ok
}

func (t *tool) clone() *tool {
	c := *t
	c.attributes, c.notes = slices.Clone(t.attributes), slices.Clone(t.notes)
	return &c
}

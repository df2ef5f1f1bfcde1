// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// maxShown bounds the notes on a run and its stages, of which the earliest stay.
const maxShown = 512

// Note is something that befell the subject of a span beside its start and its end: an event on the span.
type Note struct {
	Time       pcommon.Timestamp
	Name       string
	Attributes event.Attributes
}

// kept is a copy that a run can keep.
func (n Note) kept(in *event.Texts) Note {
	return Note{Time: n.Time, Name: in.Keep(n.Name), Attributes: n.Attributes.Kept(in)}
}

func compareNotes(a, b Note) int {
	if d := cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.Name, b.Name)); d != 0 {
		return d
	}
	return a.Attributes.Compare(b.Attributes)
}

// addNotes puts notes of two times together, each once, and keeps the earliest.
func addNotes(earlier, later []Note) []Note {
	all := slices.Concat(earlier, later)
	slices.SortFunc(all, compareNotes)
	all = slices.CompactFunc(all, func(a, b Note) bool { return compareNotes(a, b) == 0 })
	return all[:min(len(all), maxShown)]
}

func writeNotes(notes []Note, span ptrace.Span) {
	span.Events().EnsureCapacity(len(notes))
	for _, n := range notes {
		to := span.Events().AppendEmpty()
		to.SetTimestamp(n.Time)
		to.SetName(n.Name)
		n.Attributes.CopyTo(to.Attributes())
	}
}

// ShownFact is a note on a run or on one of its stages.
type ShownFact struct {
	Note
	On semconv.Place
	// Stage is the stage that the event names, "" for none.
	Stage string
}

func shownFact(s *said) *ShownFact {
	return &ShownFact{Note: Note{s.at, s.Type, s.own}, On: s.Name.ShownOn(), Stage: s.StageName()}
}

// addShown keeps the earliest notes, each once.
func (r *run) addShown(f *ShownFact) {
	i, has := slices.BinarySearchFunc(r.shown, f, func(a ShownFact, b *ShownFact) int { return compareNotes(a.Note, b.Note) })
	if has {
		return
	}
	if len(r.shown) == maxShown {
		r.dropped++
		if i == maxShown {
			return
		}
		r.shown = r.shown[:maxShown-1]
	}
	r.shown = slices.Insert(r.shown, i, ShownFact{f.kept(&r.texts), f.On, r.texts.Keep(f.Stage)})
}

// resolveShown puts each note on the stage attempt that it is about, as a call is put under the one that made it, else
// on the run. What comes after its span has left is a log record only.
func (r *run) resolveShown(out *Run) {
	for _, f := range r.shown {
		var stage *Attempt
		if f.On == semconv.OnStage {
			stage = callerOf(f.Stage, 0, f.Time, out.Attempts)
		}
		if stage == nil {
			out.notes = append(out.notes, f.Note)
			continue
		}
		stage.notes = append(stage.notes, f.Note)
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"cmp"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// ToolFact is what one event says of one tool call.
type ToolFact struct {
	ID string
	// Invoked and Started are 0 where the event is not about that.
	Invoked, Started pcommon.Timestamp
	// End has no strength when the event tells of none.
	End ToolEnd
	// Stage and Attempt name the stage attempt that called the tool; "" and 0 when the event does not tell.
	Stage      string
	Attempt    int64
	Attributes event.Attributes
	// Note is what goes on the span as an event, nil for nothing.
	Note *Note
}

// ToolEnd is an end of a tool call.
type ToolEnd struct {
	Strength endStrength
	Time     pcommon.Timestamp
	Status   semconv.Status
	// Duration is what the event told, 0 when it told none.
	Duration time.Duration
}

// endStrength is how directly an event says that a tool call ended. The stronger end holds.
type endStrength int

const (
	_ endStrength = iota
	// endImplied: it was undone, so it had completed.
	endImplied
	// endDecided: its approval was denied. The framework has no other event for that (catalogue 1.7).
	endDecided
	// endTold: it completed, failed, or was denied.
	endTold
)

func compareToolEnds(a, b ToolEnd) int {
	return cmp.Or(
		cmp.Compare(a.Strength, b.Strength),
		cmp.Compare(a.Time, b.Time),
		cmp.Compare(badness[a.Status], badness[b.Status]),
		cmp.Compare(a.Duration, b.Duration),
	)
}

// toolKeys are the attributes of a note that belong on the span.
var toolKeys = map[string]bool{semconv.GenAIToolNameKey: true, semconv.GenAIToolCallIDKey: true, semconv.StageNameKey: true}

func (fs *Facts) toolFact(s *said) *ToolFact {
	t := &ToolFact{ID: s.ToolID(), Stage: s.ToolStage()}
	t.Attempt, _ = s.Int("stage_attempt")
	s.own.Remove(semconv.StageAttemptKey)
	if t.ID != "" {
		s.own.Put(semconv.GenAIToolCallIDKey, event.TextValue(t.ID))
	}
	end := ToolEnd{Time: s.at, Status: s.ToolStatus()}
	note := true
	switch s.Name {
	case semconv.EventToolRequested, semconv.EventToolInvoked:
		t.Invoked, note = s.at, false
	case semconv.EventToolStarted:
		t.Started, note = s.at, false
	case semconv.EventToolEnded, semconv.EventToolDenied, semconv.EventToolUnresolved:
		end.Strength, note = endTold, false
		end.Duration, _ = s.Duration("duration_ms")
	case semconv.EventApprovalDecided:
		if decision := s.ApprovalDecision(); decision != "" {
			s.own.Put(semconv.ApprovalDecisionKey, event.TextValue(decision))
		}
		if end.Status == semconv.StatusSkipped {
			end.Strength = endDecided
		}
	case semconv.EventToolUndone, semconv.EventToolUndoFailed:
		end.Strength = endImplied
		if original := s.TimeOf("original_action_timestamp"); original != 0 {
			end.Time = original
		}
	}
	if end.Strength != 0 {
		t.End = end
	}
	if !note {
		t.Attributes = s.own
		return t
	}
	t.Attributes = s.own.TakeOut(toolKeys, fs.attributes.Make(len(s.own)+1))
	t.Note = &Note{s.at, s.Type, s.own}
	return t
}

// tool gathers the facts of one tool call.
type tool struct {
	attributes              folded
	invoked, started, first pcommon.Timestamp
	end                     ToolEnd
	caller
	notes []Note // in order
}

func (r *run) addTool(f *ToolFact, at pcommon.Timestamp) {
	if f.ID == "" {
		r.addUnnamed(f, at)
		return
	}
	t := r.tools[f.ID]
	if t == nil {
		if len(r.tools) >= maxTools {
			r.dropped++
			return
		}
		t = &tool{}
		if r.tools == nil {
			r.tools = map[string]*tool{}
		}
		r.tools[r.texts.Keep(f.ID)] = t
	}
	t.take(f, at, &r.texts)
	if f.Note != nil {
		r.addNote(t, f.Note)
	}
}

// take takes all of a fact but its note.
func (t *tool) take(f *ToolFact, at pcommon.Timestamp, texts *event.Texts) {
	t.attributes.add(at, f.Attributes, texts)
	t.first = earliest(t.first, at)
	t.invoked = earliest(t.invoked, f.Invoked)
	t.started = earliest(t.started, f.Started)
	if compareToolEnds(f.End, t.end) > 0 {
		t.end = f.End
	}
	t.addCaller(f.Stage, f.Attempt, texts)
}

// addNote keeps the earliest notes, each once.
func (r *run) addNote(t *tool, n *Note) {
	i, has := slices.BinarySearchFunc(t.notes, *n, compareNotes)
	switch {
	case has:
		return
	case i == maxNotesOfTool, r.notes >= maxNotes && len(t.notes) < maxNotesOfTool:
		r.dropped++
		return
	case len(t.notes) == maxNotesOfTool:
		r.dropped++
		t.notes = t.notes[:maxNotesOfTool-1]
	default:
		r.notes++
	}
	t.notes = slices.Insert(t.notes, i, n.kept(&r.texts))
}

// earliest is the smaller of two times, of which 0 is none.
func earliest(a, b pcommon.Timestamp) pcommon.Timestamp {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// start is when the tool began to work: after gating and approval, where an event tells it.
func (t *tool) start() pcommon.Timestamp {
	start := cmp.Or(t.started, t.invoked)
	if start == 0 && t.end.Duration > 0 {
		start = event.Before(t.end.Time, t.end.Duration)
	}
	if start == 0 && t.end.Strength == endDecided {
		start = t.first // it waited for the decision
	}
	return cmp.Or(start, t.end.Time, t.first)
}

// aside tells that only notes are known of the tool call. When they come after the run has settled, its span has
// left and says more than they do: they are log records only.
func (t *tool) aside() bool { return t.invoked == 0 && t.started == 0 && t.end.Strength < endDecided }

// Tool is one tool call.
type Tool struct {
	ID         string
	Start, End pcommon.Timestamp
	Status     semconv.Status
	// Stage is the attempt that called the tool, nil when nothing tells.
	Stage *Attempt

	attributes folded
	// denied is set when nothing but the decision on its approval ended the call.
	denied bool
	notes  []Note
}

func (r *run) resolveTools(out *Run) {
	tools := r.namedTools()
	for _, id := range sortedKeys(tools) {
		t := tools[id]
		if r.earlier != nil && t.aside() {
			continue
		}
		o := &Tool{
			ID: id, Start: t.start(), Status: semconv.StatusRunning,
			attributes: slices.Clone(t.attributes), denied: t.end.Strength == endDecided, notes: slices.Clone(t.notes),
		}
		if t.end.Strength != 0 {
			o.Status, o.End = t.end.Status, max(t.end.Time, o.Start)
		}
		o.Stage = callerOf(t.stage, t.attempt, o.Start, out.Attempts)
		out.Tools = append(out.Tools, o)
	}
}

func (r *Run) writeTool(t *Tool, above semconv.SpanID, span ptrace.Span) {
	name := t.attributes.text(semconv.GenAIToolNameKey)
	attrs := r.begin(span, semconv.ToolSpanID(r.ID, t.ID), nameOf(semconv.OperationExecuteTool, name), t.Start, t.End, len(t.attributes)+6)
	attrs.PutStr(semconv.GenAIOperationNameKey, semconv.OperationExecuteTool)
	t.attributes.copyTo(attrs)
	parent := above
	if t.Stage != nil {
		parent = t.Stage.spanID(r.ID)
		attrs.PutStr(semconv.StageNameKey, t.Stage.Stage)
		attrs.PutInt(semconv.StageAttemptKey, t.Stage.Number)
	}
	span.SetParentSpanID(pcommon.SpanID(parent))
	// A tool call that was denied never ran: it is skipped, and the reason tells why.
	attrs.PutStr(semconv.ToolStatusKey, string(t.Status))
	if t.denied {
		attrs.PutStr(semconv.ToolReasonKey, semconv.ToolReasonApprovalDenied)
	}
	writeNotes(t.notes, span)
	setStatus(span, t.Status)
	if t.Status == semconv.StatusAbandoned {
		setAbandoned(span)
	}
}

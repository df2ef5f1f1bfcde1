// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// What the fields of an event mean, for the kinds that runs are made of. Both the log record that leaves at once
// and the assembly ask here, so they cannot disagree.

// Detail is one entry of a wide event's stage_details as a wide event of that stage. What else is known of the event is
// of the whole one.
func (e *Event) Detail(entry *Fields) Event {
	return Event{Name: semconv.EventWideStage, Time: e.Time, data: *entry, hasData: true, beside: e.beside, trace: e.trace, parent: e.parent}
}

// EndKind is how strongly the event says that its run ended; [semconv.EndNone] when it does not.
func (e *Event) EndKind() semconv.EndKind {
	switch e.Name {
	case semconv.EventRunEnded:
		return semconv.EndExplicit
	case semconv.EventWideRun:
		if e.RunStatus() == semconv.StatusRunning {
			return semconv.EndNone
		}
		return semconv.EndExplicit
	case semconv.EventChildEnded:
		return semconv.EndParent
	case semconv.EventRunCancelRequested:
		return semconv.EndRequested
	}
	return semconv.EndNone
}

// statusByType is the status of the run that a type tells by itself, whatever its data says or leaves out.
var statusByType = map[string]semconv.Status{
	"pipeline.failed":          semconv.StatusFailed,
	"pipeline.cancelled":       semconv.StatusCancelled,
	"pipeline_cancelled":       semconv.StatusCancelled,
	"pipeline.canceled":        semconv.StatusCancelled,
	"pipeline.child_completed": semconv.StatusCompleted,
	"pipeline.child_failed":    semconv.StatusFailed,
}

// RunStatus is the status of the run after the event: completed, failed, cancelled or running. The run logger has
// no call for cancelled runs, so users say completed with status "cancelled" (catalogue 2.1); words nobody knows
// count as completed.
func (e *Event) RunStatus() semconv.Status {
	if s, ok := statusByType[e.Type]; ok {
		return s
	}
	switch e.Name {
	case semconv.EventRunEnded, semconv.EventWideRun:
	default:
		return semconv.StatusRunning
	}
	switch s, _ := semconv.ParseStatus(e.Text("status")); s {
	case semconv.StatusFailed, semconv.StatusRetried, semconv.StatusAbandoned:
		return semconv.StatusFailed
	case semconv.StatusCancelled:
		return semconv.StatusCancelled
	case semconv.StatusRunning:
		if e.Name == semconv.EventWideRun {
			return semconv.StatusRunning
		}
	}
	return semconv.StatusCompleted
}

// StageName is the stage that the event is about; on a provider call the stage that made it.
func (e *Event) StageName() string {
	for _, field := range [...]string{"stage", "stage_name"} {
		if v, ok := e.Field(field); ok {
			return v.AsText()
		}
	}
	return semconv.StageOfType(e.Type)
}

// StageStatus is the status of the stage after the event, as the event says it: see [Restore].
func (e *Event) StageStatus() semconv.Status {
	if e.Name == semconv.EventStageStarted {
		return semconv.StatusRunning
	}
	word := e.Text("status")
	if word == "" {
		word = lastSegment(e.Type)
	}
	s, ok := semconv.ParseStatus(word)
	if !ok || s == semconv.StatusRunning {
		return semconv.StatusCompleted
	}
	return s
}

// DataKeys are the names of the stage's results, nil when the event does not tell them.
func (e *Event) DataKeys() []string {
	v, _ := e.Field("data_keys")
	return v.texts()
}

// Restore undoes the framework's flattening: its wide events know completed and failed only, and a stage that
// cancelled the run or skipped itself is completed there, recognisable by the names of its results
// (catalogue 1.4).
func Restore(s semconv.Status, dataKeys []string) semconv.Status {
	if s != semconv.StatusCompleted {
		return s
	}
	for _, key := range dataKeys {
		switch key {
		case "cancel_reason":
			return semconv.StatusCancelled
		case "skip_reason":
			return semconv.StatusSkipped
		}
	}
	// "reason" is what a skip leaves, but also a name that a stage's own results may have: it must stand alone.
	if len(dataKeys) == 1 && dataKeys[0] == "reason" {
		return semconv.StatusSkipped
	}
	return s
}

// nilCallID is what the framework's no-op logger returns for every call, so it joins nothing (catalogue 2.1).
const nilCallID = "00000000-0000-0000-0000-000000000000"

// CallID is the provider call's id, or that of a tool call that a model asked for; "" when there is none to tell it from
// others.
func (e *Event) CallID() string {
	id := e.Text("call_id")
	if id == nilCallID {
		return ""
	}
	return id
}

// CallStatus is running for a start, completed or failed for an end.
func (e *Event) CallStatus() semconv.Status {
	if e.Name == semconv.EventCallStarted {
		return semconv.StatusRunning
	}
	if v, ok := e.Field("success"); ok {
		if v.Bool() {
			return semconv.StatusCompleted
		}
		return semconv.StatusFailed
	}
	if e.Text("error") != "" {
		return semconv.StatusFailed
	}
	return semconv.StatusCompleted
}

// OfTool tells whether the event is about a tool call.
func (e *Event) OfTool() bool { return e.Name.OfTool() }

// ActionID is the id of the action that a tool call carries out, "" when there is none.
func (e *Event) ActionID() string { return e.Text("action_id") }

// ToolID tells the tool call from others, "" when nothing does: its action, else the call that an agent's model made of
// it. Only actions are unique among runs; models may number the calls of each run from one.
func (e *Event) ToolID() string {
	if id := e.ActionID(); id != "" {
		return id
	}
	return e.CallID()
}

// ToolStage is the stage that called the tool, "" when the event does not tell: the framework's does not, that of one
// of its branches names a parent. In the other's envelope that is the stage which spawned the whole run.
func (e *Event) ToolStage() string {
	if name := e.StageName(); name != "" || e.around != nil {
		return name
	}
	return e.Text("parent_stage_id")
}

// ToolStatus is the status of the tool call after the event: running, completed, failed, or skipped when it was
// denied. Only what has completed is undone, whether that works or not.
func (e *Event) ToolStatus() semconv.Status {
	switch e.Name {
	case semconv.EventToolEnded:
		if lastSegment(e.Type) == "failed" || e.toolOutputFailed() {
			return semconv.StatusFailed
		}
		return semconv.StatusCompleted
	case semconv.EventToolUnresolved:
		return semconv.StatusFailed
	case semconv.EventToolDenied:
		return semconv.StatusSkipped
	case semconv.EventApprovalDecided:
		if e.ApprovalDecision() == decisionDenied {
			return semconv.StatusSkipped
		}
	case semconv.EventToolUndone, semconv.EventToolUndoFailed:
		return semconv.StatusCompleted
	}
	return semconv.StatusRunning
}

// toolOutputFailed tells whether a tool that returned says itself that it did not succeed: the framework calls it
// completed all the same (catalogue 1.7).
func (e *Event) toolOutputFailed() bool {
	success, ok := e.Field("success")
	if summary, has := e.Field("output_summary"); has {
		if v, told := summary.Map().Get("success"); told {
			success, ok = v, true
		}
	}
	return ok && success.Type() == pcommon.ValueTypeBool && !success.Bool()
}

const (
	decisionApproved = "approved"
	decisionDenied   = "denied"
)

// ApprovalDecision is approved or denied, "" while nobody has decided. The Rust port tells it by a flag.
func (e *Event) ApprovalDecision() string {
	if word := e.Text("decision"); word != "" {
		return word
	}
	if v, ok := e.Field("approved"); ok && v.Type() == pcommon.ValueTypeBool {
		if v.Bool() {
			return decisionApproved
		}
		return decisionDenied
	}
	return ""
}

// TraceContext is the W3C trace context that the event's sender gave the run: the trace and the span above the
// run. A record's own trace id, without a traceparent, tells the trace but no parent: its span may be anything. So does
// the trace_id of an envelope and of the run's own events (catalogue 1.9); elsewhere that is a field like any other.
// Both are zero when there is none.
func (e *Event) TraceContext() (trace semconv.TraceID, parent semconv.SpanID) {
	return e.trace, e.parent
}

// ZeroParent tells whether the event has a traceparent whose span id is the all-zero one. That is invalid: its trace is
// kept, and there is no parent.
func (e *Event) ZeroParent() bool { return e.zeroParent }

// traceContext reads what [Event.TraceContext] tells; of is the trace id of the event's record.
func (e *Event) traceContext(of semconv.TraceID) {
	if trace, parent, ok := e.traceParent(); ok {
		e.trace, e.parent, e.zeroParent = trace, parent, parent.IsZero()
		return
	}
	if e.trace = of; e.trace.IsZero() && (e.around != nil || (e.Name.OfRun() && !e.OfChild())) {
		e.trace, _ = semconv.ParseTraceID(e.Text("trace_id"))
	}
}

func (e *Event) traceParent() (trace semconv.TraceID, parent semconv.SpanID, ok bool) {
	if v := e.beside[besideTraceParent]; !v.IsNull() {
		if trace, parent, ok = semconv.ParseTraceParent(v.AsText()); ok {
			return trace, parent, true
		}
	}
	if v, told := e.Field("traceparent"); told {
		return semconv.ParseTraceParent(v.AsText())
	}
	return trace, parent, false
}

func lastSegment(s string) string {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '.' {
			return s[i+1:]
		}
	}
	return s
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Spans writes the spans of runs: one resource per service, the spans of a run one after another, the run first.
func Spans(runs []*Run) ptrace.Traces {
	td := ptrace.NewTraces()
	count := map[string]int{}
	for _, r := range runs {
		count[r.Service] += 1 + len(r.Attempts) + len(r.Calls) + len(r.Tools)
	}
	byService := make(map[string]ptrace.SpanSlice, len(count))
	var room folded
	for _, r := range runs {
		spans, ok := byService[r.Service]
		if !ok {
			rs := td.ResourceSpans().AppendEmpty()
			rs.Resource().Attributes().PutStr(semconv.ServiceNameKey, r.Service)
			ss := rs.ScopeSpans().AppendEmpty()
			ss.Scope().SetName(semconv.ScopeName)
			spans = ss.Spans()
			spans.EnsureCapacity(count[r.Service])
			byService[r.Service] = spans
		}
		room = r.write(spans, room)
	}
	// Of a run that said nothing new, nothing is left.
	td.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool { return rs.ScopeSpans().At(0).Spans().Len() == 0 })
	return td
}

// write writes the spans of the run. The attributes of one after another are put together in room, which is returned for
// the next run.
func (r *Run) write(spans ptrace.SpanSlice, room folded) folded {
	top := semconv.RunSpanID(r.ID)
	if !r.Sent {
		r.writeRun(top, spans.AppendEmpty())
	}
	for _, a := range r.Attempts {
		if a.leaves() {
			room = a.attributes(room)
			r.writeAttempt(a, room, top, spans.AppendEmpty())
		}
	}
	for _, c := range r.Calls {
		room = append(room[:0], c.attributes...)
		r.writeCall(c, room, top, spans.AppendEmpty())
	}
	for _, t := range r.Tools {
		r.writeTool(t, top, spans.AppendEmpty())
	}
	return room
}

// leaves tells whether the attempt has something to say that no earlier span said.
func (a *Attempt) leaves() bool {
	return a.sent == nil || (!a.sent.ended && len(a.facts) > 0)
}

// begin writes what all spans have. more is how many attributes come to the run's id.
func (r *Run) begin(span ptrace.Span, id semconv.SpanID, name string, start, end pcommon.Timestamp, more int) pcommon.Map {
	span.SetTraceID(pcommon.TraceID(r.Trace))
	span.SetSpanID(pcommon.SpanID(id))
	span.SetName(name)
	span.SetKind(ptrace.SpanKindInternal)
	span.SetStartTimestamp(start)
	span.SetEndTimestamp(end)
	attrs := span.Attributes()
	attrs.EnsureCapacity(1 + more)
	attrs.PutStr(semconv.RunIDKey, r.ID)
	return attrs
}

func (r *Run) writeRun(id semconv.SpanID, span ptrace.Span) {
	pipeline := r.attributes.text(semconv.GenAIWorkflowNameKey)
	attrs := r.begin(span, id, nameOf(semconv.OperationInvokeWorkflow, pipeline), r.Start, r.End, len(r.attributes)+len(r.cause)+r.more())
	attrs.PutStr(semconv.GenAIOperationNameKey, semconv.OperationInvokeWorkflow)
	r.attributes.copyTo(attrs)
	r.cause.CopyTo(attrs)
	attrs.PutStr(semconv.RunStatusKey, string(r.Status))
	attrs.PutStr(semconv.RunEndKey, string(r.EndKind))
	attrs.PutInt(semconv.RunRevisionKey, int64(r.EndKind.Rank()))
	if len(r.EarlierEnds) > 0 {
		list := attrs.PutEmptySlice(semconv.RunEarlierEndsKey)
		list.EnsureCapacity(len(r.EarlierEnds))
		for _, e := range r.EarlierEnds {
			list.AppendEmpty().SetStr(string(e.Status) + " " + e.Time.AsTime().Format(time.RFC3339Nano))
		}
	}
	if r.Status == semconv.StatusAbandoned {
		setAbandoned(span)
	}
	if !r.Parent.IsZero() {
		span.SetParentSpanID(pcommon.SpanID(r.Parent))
		if r.ParentID == "" {
			span.SetKind(ptrace.SpanKindServer)
		}
	}
	if r.ParentID != "" && r.Parent.IsZero() {
		r.linkParent(span)
	}
	if !r.late.parent.IsZero() {
		link := span.Links().AppendEmpty()
		link.SetTraceID(pcommon.TraceID(r.late.trace))
		link.SetSpanID(pcommon.SpanID(r.late.parent))
	}
	writeNotes(r.notes, span)
	setStatus(span, r.Status)
}

// more is how many attributes the span of the run has that no event tells.
func (r *Run) more() int {
	n := 4 // the operation, the status, the end and its revision
	if r.cause.Has(semconv.RunStatusKey) {
		n--
	}
	if len(r.EarlierEnds) > 0 {
		n++
	}
	return n + ofError(r.Status)
}

// linkParent ties a child to its parent run: as a child span in the same trace, else by a link.
func (r *Run) linkParent(span ptrace.Span) {
	parent := pcommon.SpanID(semconv.RunSpanID(r.ParentID))
	if r.ParentTrace == r.Trace && !r.lateParent {
		span.SetParentSpanID(parent)
		return
	}
	link := span.Links().AppendEmpty()
	link.SetTraceID(pcommon.TraceID(r.ParentTrace))
	link.SetSpanID(parent)
	link.Attributes().PutStr(semconv.RunIDKey, r.ParentID)
}

// writeAttempt writes a span with the attributes told, which are the span's own.
func (r *Run) writeAttempt(a *Attempt, told folded, above semconv.SpanID, span ptrace.Span) {
	own := told.cover([]event.Attribute{
		{Key: semconv.StageNameKey, Value: event.TextValue(a.Stage)},
		{Key: semconv.StageStatusKey, Value: event.TextValue(string(a.Status))},
		{Key: semconv.StageAttemptKey, Value: event.IntValue(a.Number)},
	})
	more := len(told) + len(own)
	if isError(a.Status) {
		more++ // the error's type
	}
	attrs := r.begin(span, a.spanID(r.ID), nameOf("stage", a.Stage), a.Start, a.End, more)
	span.SetParentSpanID(pcommon.SpanID(above))
	told.copyTo(attrs)
	own.CopyTo(attrs)
	writeNotes(a.notes, span)
	setStatus(span, a.Status)
}

// writeCall writes a span with the attributes told, which are the span's own.
func (r *Run) writeCall(c *Call, told folded, above semconv.SpanID, span ptrace.Span) {
	operation, model := told.text(semconv.GenAIOperationNameKey), told.text(semconv.GenAIRequestModelKey)
	if operation == "" {
		operation = "provider_call"
	}
	status := event.Attribute{Key: semconv.CallStatusKey, Value: event.TextValue(string(c.Status))}
	parent := above
	var own event.Attributes
	if c.Stage != nil {
		parent = c.Stage.spanID(r.ID)
		own = told.cover([]event.Attribute{
			{Key: semconv.StageNameKey, Value: event.TextValue(c.Stage.Stage)},
			{Key: semconv.StageAttemptKey, Value: event.IntValue(c.Stage.Number)},
			status,
		})
	} else {
		own = told.cover([]event.Attribute{status})
	}
	attrs := r.begin(span, semconv.CallSpanID(r.ID, c.ID), nameOf(operation, model), c.Start, c.End, len(told)+len(own)+ofError(c.Status))
	span.SetKind(ptrace.SpanKindClient)
	span.SetParentSpanID(pcommon.SpanID(parent))
	told.copyTo(attrs)
	own.CopyTo(attrs)
	setStatus(span, c.Status)
	if c.Status == semconv.StatusAbandoned {
		setAbandoned(span)
	}
}

// cover puts values in the place of those that have the same keys, and returns the ones that are left: they come last. It
// uses the memory of own.
func (f folded) cover(own event.Attributes) (left event.Attributes) {
	left = own[:0]
	for _, o := range own {
		if i, ok := f.find(o.Key); ok {
			f[i].Value = o.Value
		} else {
			left = append(left, o)
		}
	}
	return left
}

func nameOf(operation, what string) string {
	if what == "" {
		return operation
	}
	return operation + " " + what
}

// setStatus leaves success Unset. A failure is Error, its text the message and its type error.type; an attempt
// that was retried failed, too.
func setStatus(span ptrace.Span, s semconv.Status) {
	if !isError(s) {
		return
	}
	attrs := span.Attributes()
	span.Status().SetCode(ptrace.StatusCodeError)
	errorType := semconv.ErrorTypeOther
	if v, ok := attrs.Get(semconv.ExceptionTypeKey); ok && v.AsString() != "" {
		errorType = v.AsString()
	}
	if v, ok := attrs.Get(semconv.ExceptionMessageKey); ok {
		span.Status().SetMessage(v.AsString())
	}
	attrs.PutStr(semconv.ErrorTypeKey, errorType)
	attrs.Remove(semconv.ExceptionTypeKey)
	attrs.Remove(semconv.ExceptionMessageKey)
}

// ofError is how many attributes the span of a run or a call has for its error: the type, and of what was given up the
// code.
func ofError(s semconv.Status) int {
	switch {
	case isError(s):
		return 1
	case s == semconv.StatusAbandoned:
		return 2
	}
	return 0
}

func isError(s semconv.Status) bool { return s == semconv.StatusFailed || s == semconv.StatusRetried }

// setAbandoned marks a run that fell silent, or a call, of a provider or a tool, that nobody saw return: not known to
// have failed, but no success either. Stages are not marked: of a run that told its end, a stage without one may be a
// lost event.
func setAbandoned(span ptrace.Span) {
	span.Status().SetCode(ptrace.StatusCodeError)
	span.Attributes().PutStr(semconv.ErrorTypeKey, string(semconv.StatusAbandoned))
	span.Attributes().PutStr(semconv.ErrorCodeKey, semconv.ErrorCodeAbandoned)
}

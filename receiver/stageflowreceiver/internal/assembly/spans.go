// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Spans writes the spans of runs: one resource per service, the spans of a run one after another, the run first.
func Spans(runs []*Run) ptrace.Traces {
	td := ptrace.NewTraces()
	count := map[string]int{}
	for _, r := range runs {
		count[r.Service] += 1 + len(r.Attempts) + len(r.Calls) + len(r.Tools)
	}
	byService := map[string]ptrace.SpanSlice{}
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
		r.write(spans)
	}
	// Of a run that said nothing new, nothing is left.
	td.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool { return rs.ScopeSpans().At(0).Spans().Len() == 0 })
	return td
}

func (r *Run) write(spans ptrace.SpanSlice) {
	top := semconv.RunSpanID(r.ID)
	if !r.Sent {
		r.writeRun(top, spans.AppendEmpty())
	}
	for _, a := range r.Attempts {
		if a.leaves() {
			r.writeAttempt(a, top, spans.AppendEmpty())
		}
	}
	for _, c := range r.Calls {
		r.writeCall(c, top, spans.AppendEmpty())
	}
	for _, t := range r.Tools {
		r.writeTool(t, top, spans.AppendEmpty())
	}
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
	attrs := r.begin(span, id, nameOf(semconv.OperationInvokeWorkflow, pipeline), r.Start, r.End, len(r.attributes)+len(r.cause)+6)
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

func (r *Run) writeAttempt(a *Attempt, above semconv.SpanID, span ptrace.Span) {
	attrs := r.begin(span, semconv.StageSpanID(r.ID, a.Stage, a.Number), nameOf("stage", a.Stage), a.Start, a.End, len(a.attributes)+4)
	span.SetParentSpanID(pcommon.SpanID(above))
	a.attributes.copyTo(attrs)
	attrs.PutStr(semconv.StageNameKey, a.Stage)
	attrs.PutStr(semconv.StageStatusKey, string(a.Status))
	attrs.PutInt(semconv.StageAttemptKey, a.Number)
	writeNotes(a.notes, span)
	setStatus(span, a.Status)
}

func (r *Run) writeCall(c *Call, above semconv.SpanID, span ptrace.Span) {
	operation, model := c.attributes.text(semconv.GenAIOperationNameKey), c.attributes.text(semconv.GenAIRequestModelKey)
	if operation == "" {
		operation = "provider_call"
	}
	attrs := r.begin(span, semconv.CallSpanID(r.ID, c.ID), nameOf(operation, model), c.Start, c.End, len(c.attributes)+5)
	span.SetKind(ptrace.SpanKindClient)
	parent := above
	c.attributes.copyTo(attrs)
	if c.Stage != nil {
		parent = semconv.StageSpanID(r.ID, c.Stage.Stage, c.Stage.Number)
		attrs.PutStr(semconv.StageNameKey, c.Stage.Stage)
		attrs.PutInt(semconv.StageAttemptKey, c.Stage.Number)
	}
	span.SetParentSpanID(pcommon.SpanID(parent))
	attrs.PutStr(semconv.CallStatusKey, string(c.Status))
	setStatus(span, c.Status)
	if c.Status == semconv.StatusAbandoned {
		setAbandoned(span)
	}
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
	if s != semconv.StatusFailed && s != semconv.StatusRetried {
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

// setAbandoned marks a run that fell silent, or a call, of a provider or a tool, that nobody saw return: not known to
// have failed, but no success either. Stages are not marked: of a run that told its end, a stage without one may be a
// lost event.
func setAbandoned(span ptrace.Span) {
	span.Status().SetCode(ptrace.StatusCodeError)
	span.Attributes().PutStr(semconv.ErrorTypeKey, string(semconv.StatusAbandoned))
	span.Attributes().PutStr(semconv.ErrorCodeKey, semconv.ErrorCodeAbandoned)
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// normalise writes beside the event's data what it means: everything after the receiver reads attributes only.
func (b *batch) normalise(e event.Event, runID string, arrival pcommon.Timestamp) {
	lr, attrs := e.Record, e.Record.Attributes()
	if lr.ObservedTimestamp() == 0 {
		lr.SetObservedTimestamp(arrival)
	}
	if clock := e.Clock(arrival); clock != "" {
		attrs.PutStr(semconv.ClockKey, clock)
	}
	if e.ZeroParent() {
		b.telemetry.ReceiverStageflowZeroParents.Add(b.ctx, 1)
	}
	e.Attributes(attrs, attrs, false)
	if runID == "" {
		attrs.Remove(semconv.RunIDKey)
	} else {
		attrs.PutStr(semconv.RunIDKey, runID)
	}

	status := semconv.StatusCompleted
	var span semconv.SpanID
	switch e.Name {
	case semconv.EventStageStarted, semconv.EventStageEnded, semconv.EventWideStage:
		status = normaliseStage(e, attrs)
		if attempt, ok := e.Int("attempt"); ok && attempt > 0 && runID != "" {
			span = semconv.StageSpanID(runID, e.StageName(), attempt)
		}
	case semconv.EventCallStarted, semconv.EventCallEnded:
		b.joins.complete(e, attrs)
		status = normaliseCall(e, attrs)
		if id := e.CallID(); id != "" && runID != "" {
			span = semconv.CallSpanID(runID, id)
		}
	default:
		switch {
		case e.Name.OfRun():
			status = normaliseRun(e, attrs)
			span = semconv.RunSpanID(runID)
		case e.OfTool():
			status = normaliseTool(e, attrs)
			if id := e.ToolID(); id != "" && runID != "" {
				span = semconv.ToolSpanID(runID, id)
			}
		}
	}
	if runID != "" {
		b.correlate(e, runID, span)
	}
	if lr.SeverityNumber() == plog.SeverityNumberUnspecified {
		lr.SetSeverityNumber(plog.SeverityNumberInfo)
		if status == semconv.StatusFailed {
			lr.SetSeverityNumber(plog.SeverityNumberError)
		}
	}
}

// correlate sets the record's trace and span: of the run, and of the stage attempt, call or tool call it is about
// where that is known before the run has settled.
func (b *batch) correlate(e event.Event, runID string, span semconv.SpanID) {
	trace, _ := e.TraceContext()
	if trace.IsZero() {
		trace = b.assembler.TraceOf(runID)
	}
	e.Record.SetTraceID(pcommon.TraceID(trace))
	if !span.IsZero() {
		e.Record.SetSpanID(pcommon.SpanID(span))
	}
}

func normaliseRun(e event.Event, attrs pcommon.Map) semconv.Status {
	status := e.RunStatus()
	attrs.PutStr(semconv.RunStatusKey, string(status))
	kind := e.EndKind()
	if kind == semconv.EndNone {
		return status
	}
	attrs.PutStr(semconv.RunEndKey, string(kind))
	putStart(e, attrs, runStart(e))
	return status
}

// runStart is the earliest start that an end of a run tells: of its stages, or its own less its duration.
func runStart(e event.Event) pcommon.Timestamp {
	start := startByDuration(e, "duration_ms")
	if t := e.StartedAt(); t != 0 && (start == 0 || t < start) {
		start = t
	}
	details, ok := e.Field("stage_details")
	if !ok || details.Type() != pcommon.ValueTypeSlice {
		return start
	}
	for _, item := range details.Slice().All() {
		if item.Type() != pcommon.ValueTypeMap {
			continue
		}
		if v, ok := item.Map().Get("started_at"); ok {
			if t := event.ParseTime(v); t != 0 && (start == 0 || t < start) {
				start = t
			}
		}
	}
	return start
}

func normaliseStage(e event.Event, attrs pcommon.Map) semconv.Status {
	status := event.Restore(e.StageStatus(), e.DataKeys())
	attrs.PutStr(semconv.StageNameKey, e.StageName())
	attrs.PutStr(semconv.StageStatusKey, string(status))
	putStart(e, attrs, e.StartedAt())
	return status
}

func normaliseCall(e event.Event, attrs pcommon.Map) semconv.Status {
	status := e.CallStatus()
	attrs.PutStr(semconv.CallStatusKey, string(status))
	if e.CallID() == "" {
		attrs.Remove(semconv.CallIDKey)
	}
	putStart(e, attrs, startByDuration(e, "latency_ms"))
	return status
}

// startByDuration is the start that an end tells by its duration, 0 when it tells none.
func startByDuration(e event.Event, field string) pcommon.Timestamp {
	d, ok := e.Duration(field)
	if !ok {
		return 0
	}
	return event.Before(e.Record.Timestamp(), d)
}

// normaliseTool returns how the event went, for the record's severity: the undoing of a tool call may fail, although
// the call itself completed.
func normaliseTool(e event.Event, attrs pcommon.Map) semconv.Status {
	status := e.ToolStatus()
	attrs.PutStr(semconv.ToolStatusKey, string(status))
	if id := e.ToolID(); id != "" {
		attrs.PutStr(semconv.GenAIToolCallIDKey, id)
	} else {
		attrs.Remove(semconv.GenAIToolCallIDKey)
	}
	switch e.Name {
	case semconv.EventToolEnded:
		putStart(e, attrs, startByDuration(e, "duration_ms"))
	case semconv.EventToolUndoFailed:
		return semconv.StatusFailed
	case semconv.EventApprovalDecided:
		if decision := e.ApprovalDecision(); decision != "" {
			attrs.PutStr(semconv.ApprovalDecisionKey, decision)
		}
		if status == semconv.StatusSkipped {
			attrs.PutStr(semconv.ToolReasonKey, semconv.ToolReasonApprovalDenied)
		}
	}
	return status
}

// putStart writes when it began, if that is known; not after the event's own time, or something would have taken less
// than no time.
func putStart(e event.Event, attrs pcommon.Map, start pcommon.Timestamp) {
	if t := e.Record.Timestamp(); t != 0 {
		start = min(start, t)
	}
	if start != 0 {
		attrs.PutStr(semconv.StartTimeKey, start.AsTime().Format(time.RFC3339Nano))
	}
}

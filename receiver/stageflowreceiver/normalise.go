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

// normaliseAll writes into all records what their events mean, and takes down what they say of metrics: after that the
// records are the logs pipeline's.
func (b *batch) normaliseAll() {
	for i := range b.items {
		it := &b.items[i]
		if it.known == duplicate {
			continue
		}
		if it.ZeroParent() {
			b.telemetry.ReceiverStageflowZeroParents.Add(b.ctx, 1)
		}
		it.told = b.joins.complete(it.Event, it.told)
		if b.next != nil {
			b.normalise(it, it.record)
		}
		if b.metrics != nil {
			b.measurements.add(it)
		}
	}
}

// normalise writes beside the event's data what it means: everything after the receiver reads attributes only.
func (b *batch) normalise(it *item, lr plog.LogRecord) {
	attrs := lr.Attributes()
	if lr.ObservedTimestamp() == 0 {
		lr.SetObservedTimestamp(b.arrival)
	}
	if clock := it.Clock(b.arrival); clock != "" {
		attrs.PutStr(semconv.ClockKey, clock)
	}
	for i := range it.told {
		if told := &it.told[i]; !told.Extra {
			told.Value.PutIn(attrs, told.Key)
		}
	}
	if it.runID == "" {
		attrs.Remove(semconv.RunIDKey)
	} else {
		attrs.PutStr(semconv.RunIDKey, it.runID)
	}

	status := semconv.StatusCompleted
	var span semconv.SpanID
	switch it.Name {
	case semconv.EventStageStarted, semconv.EventStageEnded, semconv.EventWideStage:
		status = normaliseStage(it.Event, attrs)
		if attempt, ok := it.Int("attempt"); ok && attempt > 0 && it.runID != "" {
			span = semconv.StageSpanID(it.runID, it.StageName(), attempt)
		}
	case semconv.EventCallStarted, semconv.EventCallEnded:
		status = normaliseCall(it.Event, attrs)
		if id := it.CallID(); id != "" && it.runID != "" {
			span = semconv.CallSpanID(it.runID, id)
		}
	default:
		switch {
		case it.Name.OfRun():
			status = normaliseRun(it.Event, attrs)
			span = semconv.RunSpanID(it.runID)
		case it.OfTool():
			status = normaliseTool(it.Event, attrs)
			if id := it.ToolID(); id != "" && it.runID != "" {
				span = semconv.ToolSpanID(it.runID, id)
			}
		}
	}
	if it.runID != "" {
		b.correlate(it, lr, span)
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
func (b *batch) correlate(it *item, lr plog.LogRecord, span semconv.SpanID) {
	trace, _ := it.TraceContext()
	if trace.IsZero() {
		trace = b.traceOf(it.runID)
	}
	lr.SetTraceID(pcommon.TraceID(trace))
	if !span.IsZero() {
		lr.SetSpanID(pcommon.SpanID(span))
	}
}

// traceCache is the trace of the run that was asked for last: the events of a run mostly come one after the other.
type traceCache struct {
	runID string
	trace semconv.TraceID
}

func (b *batch) traceOf(runID string) semconv.TraceID {
	if b.traces.runID != runID {
		b.traces = traceCache{runID, b.assembler.TraceOf(runID)}
	}
	return b.traces.trace
}

func normaliseRun(e *event.Event, attrs pcommon.Map) semconv.Status {
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
func runStart(e *event.Event) pcommon.Timestamp {
	start := startByDuration(e, "duration_ms")
	if t := e.StartedAt(); t != 0 && (start == 0 || t < start) {
		start = t
	}
	details, _ := e.Field("stage_details")
	for _, item := range details.List() {
		if v, ok := item.Map().Get("started_at"); ok {
			if t := event.ParseTime(v); t != 0 && (start == 0 || t < start) {
				start = t
			}
		}
	}
	return start
}

func normaliseStage(e *event.Event, attrs pcommon.Map) semconv.Status {
	status := event.Restore(e.StageStatus(), e.DataKeys())
	attrs.PutStr(semconv.StageNameKey, e.StageName())
	attrs.PutStr(semconv.StageStatusKey, string(status))
	putStart(e, attrs, e.StartedAt())
	return status
}

func normaliseCall(e *event.Event, attrs pcommon.Map) semconv.Status {
	status := e.CallStatus()
	attrs.PutStr(semconv.CallStatusKey, string(status))
	if e.CallID() == "" {
		attrs.Remove(semconv.CallIDKey)
	}
	putStart(e, attrs, startByDuration(e, "latency_ms"))
	return status
}

// startByDuration is the start that an end tells by its duration, 0 when it tells none.
func startByDuration(e *event.Event, field string) pcommon.Timestamp {
	d, ok := e.Duration(field)
	if !ok {
		return 0
	}
	return event.Before(e.Time, d)
}

// normaliseTool returns how the event went, for the record's severity: the undoing of a tool call may fail, although
// the call itself completed.
func normaliseTool(e *event.Event, attrs pcommon.Map) semconv.Status {
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
func putStart(e *event.Event, attrs pcommon.Map, start pcommon.Timestamp) {
	if e.Time != 0 {
		start = min(start, e.Time)
	}
	if start != 0 {
		attrs.PutStr(semconv.StartTimeKey, start.AsTime().Format(time.RFC3339Nano))
	}
}

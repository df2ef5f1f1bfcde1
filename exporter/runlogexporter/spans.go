// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// spanFacts reads the spans of runs, stages, provider calls and tool calls. Others are users' own and stay in the trace.
func spanFacts(traces ptrace.Traces) *runlog.Batch {
	b := runlog.NewBatch()
	for _, rs := range traces.ResourceSpans().All() {
		service := text(rs.Resource().Attributes(), semconv.ServiceNameKey)
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				s := span{s, s.Attributes()}
				if fact := spanFact(service, s); fact != nil {
					b.Add(fact)
				}
				if fact := callTransition(s.attrs, nanos(s.EndTimestamp()), true, s.TraceID(), s.SpanID()); fact != nil {
					b.Add(fact)
				}
			}
		}
	}
	return b
}

type span struct {
	ptrace.Span
	attrs pcommon.Map
}

func spanFact(service string, s span) *runlog.Row {
	runID := text(s.attrs, semconv.RunIDKey)
	switch {
	case s.has(semconv.RunStatusKey):
		if runID == "" {
			return nil
		}
		return s.run(runID, service)
	case s.has(semconv.StageStatusKey):
		// A stage may have the empty name; one without any is none.
		if runID == "" || !s.has(semconv.StageNameKey) {
			return nil
		}
		stage := text(s.attrs, semconv.StageNameKey)
		fact := s.fact(stageFields, statusOf(s.attrs, semconv.StageStatusKey),
			runlog.KeyValue(runID), runlog.KeyValue(stage), runlog.IntValue(attemptOf(s.attrs)))
		fact.Set(stageSpan, runlog.TextValue(s.SpanID().String()))
		return fact
	case s.has(semconv.ToolStatusKey) || text(s.attrs, semconv.GenAIOperationNameKey) == semconv.OperationExecuteTool:
		// Models number their calls, so without a run the id of a tool call says nothing.
		if id := text(s.attrs, semconv.GenAIToolCallIDKey); runID != "" && id != "" {
			return s.tool(runID, id)
		}
		return nil
	case text(s.attrs, semconv.CallIDKey) != "":
		return s.fact(callFields, s.statusOr(semconv.CallStatusKey), runlog.KeyValue(runID), runlog.KeyValue(text(s.attrs, semconv.CallIDKey)))
	case s.Kind() == ptrace.SpanKindClient && s.has(semconv.GenAIOperationNameKey) && s.has(semconv.GenAIProviderNameKey):
		// A call that another instrumentation saw: its span is its only name.
		id := s.TraceID().String() + "-" + s.SpanID().String()
		return s.fact(callFields, s.statusOr(semconv.CallStatusKey), runlog.KeyValue(runID), runlog.KeyValue(id))
	}
	return nil
}

func (s span) has(key string) bool {
	_, ok := s.attrs.Get(key)
	return ok
}

func (s span) run(runID, service string) *runlog.Row {
	status := statusOf(s.attrs, semconv.RunStatusKey)
	fact := s.fact(runFields, status, runlog.KeyValue(runID))
	fact.Set(runTrace, runlog.TextValue(s.TraceID().String()))
	fact.Set(runService, runlog.TextValue(service))
	if status == semconv.StatusRunning {
		return fact
	}
	kind := endKindOf(s.attrs)
	if kind.Rank() == 0 {
		kind = semconv.EndInferred // the status says that it ended, nobody says how surely
	}
	fact.Set(runEndKind, runlog.KeyValue(string(kind)))
	if fact.Value(runFailedStage).IsNull() {
		fact.Set(runFailedStage, runlog.TextValue(text(s.attrs, semconv.ErrorStageKey)))
	}
	return fact
}

// fact is what all spans say alike: attributes, times, and what went wrong.
func (s span) fact(f fields, status semconv.Status, key ...runlog.Value) *runlog.Row {
	start, end := nanos(s.StartTimestamp()), nanos(s.EndTimestamp())
	if end == 0 {
		end = start
	}
	fact := runlog.NewFact(f.table, end, true, key...)
	ended := status != semconv.StatusRunning
	f.fill(fact, s.attrs, ended, true)
	fact.Set(f.startedAt, runlog.TimeValue(start))
	if !ended {
		return fact
	}
	f.end(fact, status, end)
	if fact.Value(f.duration).IsNull() && start > 0 && end >= start {
		fact.Set(f.duration, runlog.FloatValue(float64(end-start)/float64(time.Millisecond)))
	}
	if s.Status().Code() == ptrace.StatusCodeError {
		f.fillError(fact, text(s.attrs, semconv.ErrorTypeKey), s.Status().Message())
	}
	return fact
}

// tool reads the span of a tool call, and what its events say of approvals.
func (s span) tool(runID, id string) *runlog.Row {
	fact := s.fact(toolFields, s.statusOr(semconv.ToolStatusKey), runlog.KeyValue(runID), runlog.KeyValue(id))
	for _, e := range s.Events().All() {
		for key, v := range e.Attributes().All() {
			if name, ok := toolFields.kept[key]; ok && v.Type() != pcommon.ValueTypeEmpty {
				fact.SetAttribute(name, canonicalJSON(v))
			}
		}
	}
	return fact
}

// statusOr is the status that an attribute tells, else the span's own.
func (s span) statusOr(key string) semconv.Status {
	if s.has(key) {
		return statusOf(s.attrs, key)
	}
	if s.Status().Code() == ptrace.StatusCodeError {
		return semconv.StatusFailed
	}
	return semconv.StatusCompleted
}

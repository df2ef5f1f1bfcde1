// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// logReader reads log records.
type logReader struct {
	// storeEvents keeps the events themselves, too.
	storeEvents bool
}

// facts reads the stageflow events among log records. Every one that belongs to a run tells that the run exists; what
// it tells of stages and calls is provisional until their spans come.
func (l logReader) facts(logs plog.Logs) *runlog.Batch {
	b := runlog.NewBatch()
	for _, rl := range logs.ResourceLogs().All() {
		resource := rl.Resource().Attributes()
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				l.addEvent(b, resource, record)
			}
		}
	}
	return b
}

// event is a log record with what every fact made from it needs.
type event struct {
	name  semconv.EventName
	runID string
	time  int64
	attrs pcommon.Map
	// data is what the event holds; hasData is false where it holds nothing.
	data    pcommon.Map
	hasData bool
}

func newEvent(record plog.LogRecord) event {
	e := event{name: semconv.EventName(record.EventName()), attrs: record.Attributes(), time: nanos(record.Timestamp())}
	e.runID = text(e.attrs, semconv.RunIDKey)
	if e.time == 0 {
		e.time = nanos(record.ObservedTimestamp())
	}
	if v, ok := e.attrs.Get(semconv.EventDataKey); ok && v.Type() == pcommon.ValueTypeMap {
		e.data, e.hasData = v.Map(), true
	}
	return e
}

func (l logReader) addEvent(b *runlog.Batch, resource pcommon.Map, record plog.LogRecord) {
	if !strings.HasPrefix(record.EventName(), semconv.EventNamePrefix) {
		return
	}
	e := newEvent(record)
	if l.storeEvents {
		b.Add(e.stored())
	}
	if e.name == semconv.EventBreakerTransition {
		if fact := e.sdkTransition(resource, record.TraceID(), record.SpanID()); fact != nil {
			b.Add(fact)
		}
	} else if fact := callTransition(e.attrs, e.time, false, record.TraceID(), record.SpanID()); fact != nil {
		b.Add(fact)
	}
	if e.runID == "" {
		return
	}

	run := e.run()
	run.Set(runService, runlog.TextValue(text(resource, semconv.ServiceNameKey)))
	if id := record.TraceID(); !id.IsEmpty() {
		run.Set(runTrace, runlog.TextValue(id.String()))
	}
	b.Add(run)

	switch e.name {
	case semconv.EventStageStarted, semconv.EventStageEnded, semconv.EventWideStage:
		// A stage may have the empty name; one without any is none.
		if stage, ok := e.attrs.Get(semconv.StageNameKey); ok {
			b.Add(e.fact(stageFields, semconv.StageStatusKey, e.name == semconv.EventStageStarted,
				runlog.KeyValue(stage.AsString()), runlog.IntValue(attemptOf(e.attrs))))
		}
	case semconv.EventCallStarted, semconv.EventCallEnded:
		if call := text(e.attrs, semconv.CallIDKey); call != "" {
			b.Add(e.fact(callFields, semconv.CallStatusKey, e.name == semconv.EventCallStarted, runlog.KeyValue(call)))
		}
	case semconv.EventToolRequested, semconv.EventToolInvoked, semconv.EventToolStarted, semconv.EventToolUpdated,
		semconv.EventToolEnded, semconv.EventToolDenied, semconv.EventToolUnresolved,
		semconv.EventApprovalRequested, semconv.EventApprovalDecided:
		e.addTool(b, false)
	case semconv.EventToolUndone, semconv.EventToolUndoFailed:
		// It had completed before, but when is not told here.
		e.addTool(b, true)
	}
}

// addTool adds what the event says of a tool call; open tells that it does not say how the call ended.
func (e event) addTool(b *runlog.Batch, open bool) {
	if id := text(e.attrs, semconv.GenAIToolCallIDKey); id != "" {
		b.Add(e.fact(toolFields, semconv.ToolStatusKey, open, runlog.KeyValue(id)))
	}
}

// stored is the event itself.
func (e event) stored() *runlog.Row {
	eventType, data := text(e.attrs, semconv.EventTypeKey), ""
	if eventType == "" {
		eventType = string(e.name)
	}
	if v, ok := e.attrs.Get(semconv.EventDataKey); ok {
		data = canonicalJSON(v)
	}
	fact := runlog.NewFact(runlog.Events, e.time, false, runlog.KeyValue(e.runID), runlog.KeyValue(runlog.EventHash(eventType, e.time, data)))
	fact.Set(eventTypeColumn, runlog.TextValue(eventType))
	fact.Set(eventTime, runlog.TimeValue(e.time))
	fact.Set(eventData, runlog.TextValue(data))
	return fact
}

// run is what the event says of its run.
func (e event) run() *runlog.Row {
	fact := runlog.NewFact(runlog.Runs, e.time, false, runlog.KeyValue(e.runID))
	about := e.name.OfRun()
	status, kind := statusOf(e.attrs, semconv.RunStatusKey), endKindOf(e.attrs)
	ended := status != semconv.StatusRunning && kind.Rank() > 0
	runFields.fill(fact, e.attrs, ended, about)
	if about {
		e.extras(fact)
	}
	// The run began no later than anything in it: many streams have no event for the start of a run.
	fact.Set(runFields.startedAt, runlog.TimeValue(e.start()))
	if ended {
		runFields.end(fact, status, e.time)
		e.failure(runFields, fact, status)
		fact.Set(runEndKind, runlog.KeyValue(string(kind)))
	}
	return fact
}

// fact is what the event says of anything in a run.
func (e event) fact(f fields, statusKey string, started bool, key ...runlog.Value) *runlog.Row {
	fact := runlog.NewFact(f.table, e.time, false, append([]runlog.Value{runlog.KeyValue(e.runID)}, key...)...)
	status := semconv.StatusRunning
	if !started {
		status = statusOf(e.attrs, statusKey)
	}
	ended := status != semconv.StatusRunning
	f.fill(fact, e.attrs, ended, true)
	e.extras(fact)
	fact.Set(f.startedAt, runlog.TimeValue(e.start()))
	if ended {
		f.end(fact, status, e.time)
		e.failure(f, fact, status)
	}
	return fact
}

// failure sets what went wrong where no processor has summed it up before.
func (e event) failure(f fields, fact *runlog.Row, status semconv.Status) {
	if status == semconv.StatusFailed || status == semconv.StatusRetried {
		f.fillError(fact, text(e.attrs, semconv.ExceptionTypeKey), text(e.attrs, semconv.ExceptionMessageKey))
	}
}

// extras sets the data fields that have no attribute of their own: spans bring them behind [semconv.DataPrefix], log
// records leave them in the data.
func (e event) extras(fact *runlog.Row) {
	if !e.hasData {
		return
	}
	own := semconv.FieldsOf(e.name)
	_, enveloped := e.data.Get("event_version")
	for name, v := range e.data.All() {
		_, isOwn := own[name]
		_, isCommon := semconv.CommonFields[name]
		_, isEnvelope := semconv.EnvelopeFields[name]
		if isOwn || isCommon || (enveloped && isEnvelope) || v.Type() == pcommon.ValueTypeEmpty {
			continue
		}
		fact.SetAttribute(name, canonicalJSON(v))
	}
}

// start is when what the event tells of began, 0 when it does not say. A tool call begins when it is let, not when it
// is asked for.
func (e event) start() int64 {
	start := startOf(e.attrs)
	if start == 0 {
		switch e.name {
		case semconv.EventRunStarted, semconv.EventStageStarted, semconv.EventCallStarted, semconv.EventToolStarted:
			return e.time
		}
	}
	return start
}

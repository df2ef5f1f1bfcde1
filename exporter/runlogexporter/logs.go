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

// logFacts reads the stageflow events among log records. Every one of them tells that its run exists; what it
// tells of stages and calls is provisional until their spans come.
func logFacts(logs plog.Logs) *runlog.Batch {
	b := runlog.NewBatch()
	for _, rl := range logs.ResourceLogs().All() {
		service := text(rl.Resource().Attributes(), semconv.ServiceNameKey)
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				addEvent(b, service, record)
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
}

func addEvent(b *runlog.Batch, service string, record plog.LogRecord) {
	if !strings.HasPrefix(record.EventName(), semconv.EventNamePrefix) {
		return
	}
	e := event{name: semconv.EventName(record.EventName()), attrs: record.Attributes(), time: nanos(record.Timestamp())}
	if e.runID = text(e.attrs, semconv.RunIDKey); e.runID == "" {
		return
	}
	if e.time == 0 {
		e.time = nanos(record.ObservedTimestamp())
	}

	run := e.run()
	run.Set(runService, runlog.TextValue(service))
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
	}
}

// run is what the event says of its run.
func (e event) run() *runlog.Row {
	fact := runlog.NewFact(runlog.Runs, e.time, false, runlog.KeyValue(e.runID))
	about := e.name.OfRun()
	status, kind := statusOf(e.attrs, semconv.RunStatusKey), endKindOf(e.attrs)
	ended := status != semconv.StatusRunning && kind.Rank() > 0
	runFields.fill(fact, e.attrs, ended, about)
	// The run began no later than anything in it: many streams have no event for the start of a run.
	fact.Set(runFields.startedAt, runlog.TimeValue(e.start()))
	if ended {
		runFields.end(fact, status, e.time)
		fact.Set(runEndKind, runlog.KeyValue(string(kind)))
	}
	return fact
}

// fact is what the event says of a stage or a call.
func (e event) fact(f fields, statusKey string, started bool, key ...runlog.Value) *runlog.Row {
	fact := runlog.NewFact(f.table, e.time, false, append([]runlog.Value{runlog.KeyValue(e.runID)}, key...)...)
	status := semconv.StatusRunning
	if !started {
		status = statusOf(e.attrs, statusKey)
	}
	ended := status != semconv.StatusRunning
	f.fill(fact, e.attrs, ended, true)
	fact.Set(f.startedAt, runlog.TimeValue(e.start()))
	if ended {
		f.end(fact, status, e.time)
	}
	return fact
}

// start is when what the event tells of began, 0 when it does not say.
func (e event) start() int64 {
	start := startOf(e.attrs)
	if start == 0 {
		switch e.name {
		case semconv.EventRunStarted, semconv.EventStageStarted, semconv.EventCallStarted:
			return e.time
		}
	}
	return start
}

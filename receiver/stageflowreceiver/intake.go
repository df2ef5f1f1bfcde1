// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/assembly"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/runmetrics"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// intake is the way of a batch of log records, from whatever input: events are understood, everything else passes.
// First all records of the batch are read, without what is to be redacted, then it is put into the journal, then it is
// passed on.
type intake struct {
	// next is nil without a logs pipeline, assemble is false without a traces or metrics pipeline.
	next      consumer.Logs
	assemble  bool
	assembler *assembly.Assembler
	// journal is nil without a storage.
	journal *journal.Journal
	// metrics is nil without a metrics pipeline.
	metrics *runmetrics.T
	// redactor is nil when nothing is to be redacted.
	redactor  *redactor
	seen      *seen
	joins     *joins
	now       func() time.Time
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger
}

// take takes records that came as such. It is all or nothing: a batch that the journal or the logs pipeline refuses
// leaves no trace here, so it can be sent again.
func (in *intake) take(ctx context.Context, ld plog.Logs) error {
	return in.takeBy(ctx, ld, event.Open)
}

// takeDecoded takes records that were decoded here.
func (in *intake) takeDecoded(ctx context.Context, ld plog.Logs) error {
	return in.takeBy(ctx, ld, event.View)
}

func (in *intake) takeBy(ctx context.Context, ld plog.Logs, view func(plog.LogRecord) (event.Event, int, bool)) error {
	now := in.now()
	b := &batch{intake: in, ctx: ctx, view: view, arrival: pcommon.NewTimestampFromTime(now)}
	b.openAll(ld)
	taken := false
	defer func() { // also when the pipeline panics and the server recovers
		if taken {
			in.seen.keep(b.keys)
		} else {
			in.seen.forget(b.keys)
		}
	}()
	if b.underWay {
		return errUnderWay
	}
	room, err := b.assembler.Admit(b.facts)
	if err != nil {
		return errBusy(err)
	}
	var at journal.Position
	defer func() {
		if taken {
			in.journal.Done(at)
		} else {
			b.assembler.Cancel(room)
			b.withdraw(at)
		}
	}()
	if at, err = b.write(ld, now); err != nil {
		return err
	}
	b.normaliseAll()
	if b.next != nil && ld.LogRecordCount() > 0 {
		if err := b.next.ConsumeLogs(b.ctx, ld); err != nil {
			return err
		}
	}
	in.assembler.Add(b.facts, room, now, at)
	b.measure()
	b.count()
	taken = true
	return nil
}

// batch gathers what a request leaves behind once it has been passed on.
type batch struct {
	*intake
	ctx     context.Context
	arrival pcommon.Timestamp
	// view reads a record as an event.
	view   func(plog.LogRecord) (e event.Event, repairs int, ok bool)
	events []joinedEvent
	keys   []event.Key
	facts  []assembly.Fact
	// measured is what the events say of metrics, measuredOf the runs of those events.
	measured   []runmetrics.Fact
	measuredOf []string
	// telling is how many of the events tell something of a run.
	telling int
	// redacted counts the values that were redacted.
	redacted int
	// underWay is set when another batch has some of the events and it is not yet known whether they are taken.
	underWay bool
}

// joinedEvent is an event with the run that it was joined to.
type joinedEvent struct {
	event.Event
	runID string
	// service is the resource's, "" when it names none.
	service string
	// tells is set when the event tells something of a run.
	tells bool
}

// openAll understands the records that are events, and drops those that were here before.
func (b *batch) openAll(ld plog.Logs) {
	n := ld.LogRecordCount()
	b.events, b.keys, b.facts = make([]joinedEvent, 0, n), make([]event.Key, 0, n), make([]assembly.Fact, 0, n)
	ld.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		service := serviceOf(rl)
		dropped := false
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			before := sl.LogRecords().Len()
			sl.LogRecords().RemoveIf(func(lr plog.LogRecord) bool { return !b.open(lr, service) })
			dropped = dropped || sl.LogRecords().Len() < before
			return before > 0 && sl.LogRecords().Len() == 0
		})
		return dropped && rl.ScopeLogs().Len() == 0
	})
}

func serviceOf(rl plog.ResourceLogs) string {
	if v, ok := rl.Resource().Attributes().Get(semconv.ServiceNameKey); ok {
		return v.AsString()
	}
	return ""
}

// open understands one record if it is an event; it returns false for an event that was here before.
func (b *batch) open(lr plog.LogRecord, service string) bool {
	b.redacted += b.redactor.redact(lr)
	e, repairs, ok := b.view(lr)
	if !ok {
		return true
	}
	if repairs > 0 {
		b.telemetry.ReceiverStageflowRepairedValues.Add(b.ctx, int64(repairs))
	}
	key, known := e.Key()
	if known {
		fresh, underWay := b.seen.add(key, b)
		if underWay {
			b.underWay = true
			return false
		}
		if !fresh {
			b.telemetry.ReceiverStageflowDuplicateEvents.Add(b.ctx, 1)
			return false
		}
		b.keys = append(b.keys, key)
	}
	runID := b.joins.runOf(e)
	b.joins.keep(e, runID)
	var facts []assembly.Fact
	if !known || !b.seen.isAssembled(key) {
		facts = b.factsOf(e, key, runID, service, b.arrival)
	}
	b.facts = append(b.facts, facts...)
	b.events = append(b.events, joinedEvent{e, runID, service, len(facts) > 0})
	if len(facts) > 0 {
		b.telling++
	}
	return true
}

// normaliseAll writes into all records what their events mean, and takes down what they say of metrics: after that the
// records are the logs pipeline's.
func (b *batch) normaliseAll() {
	for _, e := range b.events {
		b.normalise(e.Event, e.runID, b.arrival)
		if b.metrics == nil {
			continue
		}
		b.measured = runmetrics.Facts(b.measured, e.Event, e.service, e.Record.Attributes())
		for len(b.measuredOf) < len(b.measured) {
			b.measuredOf = append(b.measuredOf, e.runID)
		}
	}
}

// measure takes what the events say of metrics. Those that name no service have that of their run.
func (b *batch) measure() {
	if b.metrics == nil {
		return
	}
	for i := range b.measured {
		if m := &b.measured[i]; m.Service() == "" {
			m.SetService(b.assembler.ServiceOf(b.measuredOf[i]))
		}
	}
	b.metrics.Add(b.measured)
}

// factsOf is what an event says of runs. Without an assembly nobody asks.
func (in *intake) factsOf(e event.Event, key event.Key, runID, service string, arrival pcommon.Timestamp) []assembly.Fact {
	if !in.assemble || (runID == "" && e.Name != semconv.EventCallEnded) {
		return nil
	}
	facts := assembly.Facts(e, runID, service, arrival)
	for i := range facts {
		facts[i].Key = key
	}
	return facts
}

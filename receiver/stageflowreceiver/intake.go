// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"context"
	"sync"
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

// intake is the way of a batch, from whatever input: events are understood, everything else passes. First all events of
// the batch are read, without what is to be redacted, then they are put into the journal, then they are passed on as log
// records, and at last their runs take what they say.
type intake struct {
	// gate is what senders pass before anything is done for their requests.
	gate *gate
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
	batches   sync.Pool
}

// take takes records that came as such. It is all or nothing: a batch that the journal or the logs pipeline refuses
// leaves no trace here, so it can be sent again.
func (in *intake) take(ctx context.Context, ld plog.Logs) error {
	b := in.newBatch(ctx)
	defer b.free()
	b.openRecords(ld)
	return b.take(ld, func() { b.dropDuplicates(ld) })
}

// takeDecoded is take for events that were decoded here. They become records only if somebody wants those.
func (in *intake) takeDecoded(ctx context.Context, events []event.Event) error {
	b := in.newBatch(ctx)
	defer b.free()
	b.openEvents(events)
	ld := plog.NewLogs()
	return b.take(ld, func() { b.writeRecords(ld) })
}

// batch is what a request leaves behind once it has been passed on. Its memory is used again.
type batch struct {
	*intake
	ctx          context.Context
	now          time.Time
	arrival      pcommon.Timestamp
	items        []item
	facts        assembly.Facts
	told         event.Arena[event.Told]
	measurements measurements
	counts       []eventCount
	// telling is how many of the events tell something of a run.
	telling int
	// redacted and repaired count values, duplicates events.
	redacted, repaired, duplicates int
	// reader reads records, opened are the events that it read.
	reader event.Decoder
	opened event.Arena[event.Event]
	traces traceCache
}

// item is an event on its way.
type item struct {
	*event.Event
	// record is its log record, once it has one.
	record plog.LogRecord
	has    bool
	// key is 0 when nothing tells the event from others.
	key   event.Key
	known acquaintance
	// runID is the run that the event was joined to, service the resource's, "" when it names none.
	runID, service string
	// told are the event's attributes.
	told []event.Told
	// tells is set when the event tells something of a run.
	tells bool
}

func (in *intake) newBatch(ctx context.Context) *batch {
	b, ok := in.batches.Get().(*batch)
	if !ok {
		b = &batch{intake: in}
	}
	b.ctx, b.now = ctx, in.now()
	b.arrival = pcommon.NewTimestampFromTime(b.now)
	return b
}

// maxItems bounds what a large batch leaves behind.
const maxItems = 2048

// free gives the memory of the batch to the next one. Nobody has kept anything of it but copies.
func (b *batch) free() {
	if len(b.items) > maxItems {
		return
	}
	clear(b.items)
	b.items = b.items[:0]
	b.opened.Reset()
	b.facts.Reset()
	b.told.Reset()
	b.reader.Reset()
	b.measurements.reset()
	b.counts, b.traces, b.ctx = b.counts[:0], traceCache{}, nil
	b.telling, b.redacted, b.repaired, b.duplicates = 0, 0, 0, 0
	b.batches.Put(b)
}

// take passes on what has been opened. prepare brings ld into the form that is passed on, once it is known which of the
// events are new.
func (b *batch) take(ld plog.Logs, prepare func()) error {
	if b.repaired > 0 {
		b.telemetry.ReceiverStageflowRepairedValues.Add(b.ctx, int64(b.repaired))
	}
	number, taken := b.seen.begin(b.items), false
	defer func() { b.seen.end(number, b.items, taken) }() // also when the pipeline panics and the server recovers
	for i := range b.items {
		if b.items[i].known == underWay {
			return errUnderWay
		}
	}
	b.understandAll()
	if b.duplicates > 0 {
		b.telemetry.ReceiverStageflowDuplicateEvents.Add(b.ctx, int64(b.duplicates))
	}
	room, err := b.assembler.Admit(b.facts.List)
	if err != nil {
		return errBusy(err)
	}
	var at journal.Position
	defer func() {
		if taken {
			b.journal.Done(at)
		} else {
			b.assembler.Cancel(room)
			b.withdraw(at)
		}
	}()
	prepare()
	if at, err = b.write(ld, b.now); err != nil {
		return err
	}
	b.normaliseAll()
	if b.next != nil && ld.LogRecordCount() > 0 {
		if err := b.next.ConsumeLogs(b.ctx, ld); err != nil {
			return err
		}
	}
	b.assembler.Add(b.facts.List, room, b.now, at)
	b.measure()
	b.count()
	taken = true
	return nil
}

// openRecords reads the records that are events.
func (b *batch) openRecords(ld plog.Logs) {
	for _, rl := range ld.ResourceLogs().All() {
		service := serviceOf(rl)
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				b.openRecord(lr, service)
			}
		}
	}
}

func (b *batch) openRecord(lr plog.LogRecord, service string) {
	b.redacted += b.redactor.redact(lr)
	e, repairs, ok := b.reader.Open(lr)
	if !ok {
		return
	}
	b.repaired += repairs
	kept := append(b.opened.Make(1), e)
	it := item{Event: &kept[0], record: lr, has: true, service: service}
	it.key, _ = it.Key()
	b.items = append(b.items, it)
}

func serviceOf(rl plog.ResourceLogs) string {
	if v, ok := rl.Resource().Attributes().Get(semconv.ServiceNameKey); ok {
		return v.AsString()
	}
	return ""
}

// openEvents takes up events that were decoded. Redaction is defined on records, so with it they become such at once.
func (b *batch) openEvents(events []event.Event) {
	if b.redactor != nil {
		for i := range events {
			lr := plog.NewLogRecord()
			events[i].Record(lr, 0)
			b.openRecord(lr, events[i].Text("service"))
		}
		return
	}
	for i := range events {
		it := item{Event: &events[i]}
		it.key, _ = it.Key()
		it.service = it.Text("service")
		b.items = append(b.items, it)
	}
}

// understandAll finds out what the events say that are new.
func (b *batch) understandAll() {
	for i := range b.items {
		it := &b.items[i]
		if it.known == duplicate {
			b.duplicates++
			continue
		}
		it.runID = b.joins.runOf(it.Event)
		it.told = it.AppendTold(b.told.Make(it.Data().Len()+maxTold), b.assemble)
		b.joins.keep(it.Event, it.told, it.runID)
		if it.known != assembled && b.factsOf(&b.facts, it, b.arrival) > 0 {
			it.tells = true
			b.telling++
		}
	}
}

// maxTold is how many attributes an event may have beside those of its data: its token counts, and what a call's start
// says. Where it has more, memory of its own is made for them.
const maxTold = 8

// factsOf reads what an event says of runs. Without an assembly nobody asks.
func (in *intake) factsOf(facts *assembly.Facts, it *item, arrival pcommon.Timestamp) int {
	if !in.assemble || (it.runID == "" && it.Name != semconv.EventCallEnded) {
		return 0
	}
	return facts.Read(it.Event, it.told, it.key, it.runID, it.service, arrival)
}

// dropDuplicates removes the records of events that were here before, and what is empty without them.
func (b *batch) dropDuplicates(ld plog.Logs) {
	if b.duplicates == 0 {
		return
	}
	gone := make(map[plog.LogRecord]bool, b.duplicates)
	for i := range b.items {
		if b.items[i].known == duplicate {
			gone[b.items[i].record] = true
		}
	}
	ld.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		dropped := false
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			before := sl.LogRecords().Len()
			sl.LogRecords().RemoveIf(func(lr plog.LogRecord) bool { return gone[lr] })
			dropped = dropped || sl.LogRecords().Len() < before
			return before > 0 && sl.LogRecords().Len() == 0
		})
		return dropped && rl.ScopeLogs().Len() == 0
	})
}

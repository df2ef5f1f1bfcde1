// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/assembly"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// intake is the way of a batch of log records, from whatever input: events are understood, everything else passes.
type intake struct {
	// next is nil without a logs pipeline, assemble is false without a traces pipeline.
	next      consumer.Logs
	assemble  bool
	assembler *assembly.Assembler
	seen      *seen
	joins     *joins
	now       func() time.Time
	telemetry *metadata.TelemetryBuilder
}

// take is all or nothing: a batch that the logs pipeline refuses leaves no trace here, so it can be sent again.
func (in *intake) take(ctx context.Context, ld plog.Logs) error {
	now := in.now()
	b := &batch{intake: in, ctx: ctx, arrival: pcommon.NewTimestampFromTime(now)}
	ld.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		service := ""
		if v, ok := rl.Resource().Attributes().Get(semconv.ServiceNameKey); ok {
			service = v.AsString()
		}
		dropped := false
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			before := sl.LogRecords().Len()
			sl.LogRecords().RemoveIf(func(lr plog.LogRecord) bool { return !b.open(lr, service) })
			dropped = dropped || sl.LogRecords().Len() < before
			return before > 0 && sl.LogRecords().Len() == 0
		})
		return dropped && rl.ScopeLogs().Len() == 0
	})

	taken := false
	defer func() { // also when the pipeline panics and the server recovers
		if taken {
			in.seen.keep(b.keys)
		} else {
			in.seen.forget(b.keys)
		}
	}()
	if err := b.passOn(ld); err != nil {
		return err
	}
	if in.assemble {
		in.assembler.Add(b.facts, now)
	}
	taken = true
	return nil
}

// passOn hands the records to the logs pipeline, if the batch can be taken at all.
func (b *batch) passOn(ld plog.Logs) error {
	if b.underWay {
		return errUnderWay
	}
	if b.assemble {
		if err := b.assembler.Admit(b.facts); err != nil {
			return errBusy(err)
		}
	}
	if b.next != nil && ld.LogRecordCount() > 0 {
		return b.next.ConsumeLogs(b.ctx, ld)
	}
	return nil
}

// batch gathers what a request leaves behind once it has been passed on.
type batch struct {
	*intake
	ctx     context.Context
	arrival pcommon.Timestamp
	keys    []event.Key
	facts   []assembly.Fact
	// underWay is set when another batch has some of the events and it is not yet known whether they are taken.
	underWay bool
}

// open understands one record if it is an event; it returns false for an event that was here before.
func (b *batch) open(lr plog.LogRecord, service string) bool {
	e, repairs, ok := event.Open(lr)
	if !ok {
		return true
	}
	if repairs > 0 {
		b.telemetry.ReceiverStageflowRepairedValues.Add(b.ctx, int64(repairs))
	}
	if key, ok := e.Key(); ok {
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
	if b.assemble && (runID != "" || e.Name == semconv.EventCallEnded) {
		b.facts = append(b.facts, assembly.Facts(e, runID, service, b.arrival)...)
	}
	b.normalise(e, runID, b.arrival)
	return true
}

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
	b := batch{intake: in, ctx: ctx, arrival: pcommon.NewTimestampFromTime(now)}
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

	if in.assemble {
		if err := in.assembler.Admit(b.facts); err != nil {
			in.seen.forget(b.keys)
			return errBusy(err)
		}
	}
	if in.next != nil && ld.LogRecordCount() > 0 {
		if err := in.next.ConsumeLogs(ctx, ld); err != nil {
			in.seen.forget(b.keys)
			return err
		}
	}
	if in.assemble {
		in.assembler.Add(b.facts, now)
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
		if !b.seen.add(key) {
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

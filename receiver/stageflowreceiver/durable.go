// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/internal/storageclient"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/assembly"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// What tells the journal from the other thing that the receiver stores.
const (
	journalName = "journal"
	offsetsName = "files"
)

// openJournal opens the journal in the storage extension of the configuration; nil when it names none.
func openJournal(ctx context.Context, host component.Host, cfg *Config, id component.ID) (*journal.Journal, error) {
	if cfg.Storage == nil {
		return nil, nil
	}
	client, err := storageclient.Open(ctx, host, *cfg.Storage, id, component.KindReceiver, journalName)
	if err != nil {
		return nil, err
	}
	j, err := journal.Open(ctx, client, assembly.Owners)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("storage %q: %w", cfg.Storage, err), client.Close(ctx))
	}
	return j, nil
}

// write puts the events that tell something of a run into the journal.
func (b *batch) write(ld plog.Logs, now time.Time) (journal.Position, error) {
	if b.journal == nil || b.telling == 0 {
		return 0, nil
	}
	for i := range b.items {
		if it := &b.items[i]; it.has && it.runID != "" && it.RunID() == "" {
			it.record.Attributes().PutStr(semconv.RunIDKey, it.runID) // or replay would have to join it again
		}
	}
	if b.telling < ld.LogRecordCount() {
		ld = b.onlyTelling(ld)
	}
	return b.journal.Append(b.ctx, &journal.Entry{Kind: journal.Events, Arrival: now, Records: ld})
}

// onlyTelling copies the events that tell something of a run.
func (b *batch) onlyTelling(ld plog.Logs) plog.Logs {
	telling := make(map[plog.LogRecord]bool, b.telling)
	for i := range b.items {
		if b.items[i].tells {
			telling[b.items[i].record] = true
		}
	}
	out := plog.NewLogs()
	for _, rl := range ld.ResourceLogs().All() {
		dst := out.ResourceLogs().AppendEmpty()
		rl.Resource().CopyTo(dst.Resource())
		records := dst.ScopeLogs().AppendEmpty().LogRecords()
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				if telling[lr] {
					lr.CopyTo(records.AppendEmpty())
				}
			}
		}
	}
	return out
}

// withdraw takes a batch that was refused out of the journal. Should that fail, the batch may be assembled after a
// restart although its sender was told to send it again: assembly takes the same events twice.
func (b *batch) withdraw(at journal.Position) {
	if err := b.journal.Withdraw(context.WithoutCancel(b.ctx), at); err != nil {
		b.logger.Warn("a batch that was refused could not be taken out of the journal", zap.Error(err))
	}
}

// replay takes in what the journal holds, as if it came now.
func (in *intake) replay(ctx context.Context) error {
	restore := in.assembler.NewRestore(in.now())
	err := in.journal.Replay(ctx, journal.Marks, func(r journal.Replayed) {
		if e := in.read(r); e != nil {
			restore.Marks(e.Records, r.Position)
		}
	})
	if err != nil {
		return err
	}
	left := restore.EndMarks()
	in.seen.keep(left.Keys...)
	for _, c := range left.Calls {
		in.joins.keepCall(c.ID, c.RunID, func(key string) event.Value {
			v, _ := c.Attributes.Get(key)
			return v
		})
	}
	events, err := in.replayEvents(ctx, restore)
	if err != nil {
		return err
	}
	restore.EndEvents(in.joins.runOfCall)
	in.journal.EndReplay()
	if events > 0 {
		in.logger.Info("runs in flight were read from the journal", zap.Int("runs", in.assembler.Active()),
			zap.Int64("events", events), zap.Int64("bytes", in.journal.Size()))
	}
	return nil
}

// read is the entry, nil when it cannot be read.
func (in *intake) read(r journal.Replayed) *journal.Entry {
	e, err := r.Entry()
	if err != nil {
		in.logger.Error("a part of the journal is lost", zap.Error(err))
		return nil
	}
	return e
}

// replayEvents reads with all processors, for nothing is received before: in what order events come does not matter.
func (in *intake) replayEvents(ctx context.Context, restore *assembly.Restore) (int64, error) {
	var events atomic.Int64
	var readers sync.WaitGroup
	entries := make(chan journal.Replayed, 64)
	for range runtime.GOMAXPROCS(0) {
		readers.Go(func() {
			for r := range entries {
				if e := in.read(r); e != nil {
					events.Add(in.replayEntry(e, r, restore))
				}
			}
		})
	}
	err := in.journal.Replay(ctx, journal.Events, func(r journal.Replayed) { entries <- r })
	close(entries)
	readers.Wait()
	return events.Load(), err
}

func (in *intake) replayEntry(entry *journal.Entry, from journal.Replayed, restore *assembly.Restore) (events int64) {
	arrival := pcommon.NewTimestampFromTime(entry.Arrival)
	var reader event.Decoder
	var facts assembly.Facts
	for _, rl := range entry.Records.ResourceLogs().All() {
		service := serviceOf(rl)
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				in.redactor.redact(lr) // the configuration may say more than it did then
				e, _, ok := reader.Open(lr)
				if !ok {
					continue
				}
				events++
				// The run is the one that it was joined to then, or the mark that it has been handed on would be missed.
				it := item{Event: &e, runID: e.JoinedRunID(), service: service, told: e.AppendTold(nil, true)}
				it.key, _ = e.Key()
				in.joins.keep(&e, it.told, it.runID)
				facts.Reset()
				in.factsOf(&facts, &it, arrival)
				restore.Facts(facts.List, lr, from.Position)
				switch {
				case it.key != 0 && from.Sure:
					in.seen.keep(it.key)
				case it.key != 0:
					in.seen.keepAssembled(it.key)
				}
			}
		}
	}
	return events
}

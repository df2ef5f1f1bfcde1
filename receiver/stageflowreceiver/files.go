// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/stanza/fileconsumer"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/stanza/fileconsumer/attrs"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/stanza/operator"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/internal/storageclient"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadata"
)

const (
	// refusedForLong is how long the pipeline may refuse lines before the component says that it is not well.
	refusedForLong = 10 * time.Second
	// complainEvery spaces what the log says of lines, of which a file may hold millions.
	complainEvery = 10 * time.Second
)

// filesInput takes events from files, one a line. Lines that the pipeline refuses are held, and with them their file,
// until they are taken or the receiver stops: the file is the queue.
//
// A line gets no identity of its own: a place in a file is another one after a rotation, and the same one for another
// line after a truncation. A line that is read again is known as every copy of an event is, by what it says.
type filesInput struct {
	cfg       fileconsumer.Config
	intake    *intake
	obs       *receiverhelper.ObsReport
	telemetry *metadata.TelemetryBuilder
	set       receiver.Settings
	now       func() time.Time
	decoders  *sync.Pool

	host    component.Host
	manager *fileconsumer.Manager
	// offsets is nil without a storage.
	offsets *offsets
	// unwell is set while the status says that the pipeline refuses.
	unwell atomic.Bool
	// What the log has said of late of lines that are no events, are refused, are refused for good.
	bad, refused, lost complaint
}

func newFilesInput(cfg fileconsumer.Config, in *intake, obs *receiverhelper.ObsReport, telemetry *metadata.TelemetryBuilder, set receiver.Settings, now func() time.Time) *filesInput {
	return &filesInput{cfg: cfg, intake: in, obs: obs, telemetry: telemetry, set: set, now: now, decoders: newDecoders()}
}

func (f *filesInput) start(ctx context.Context, host component.Host, named *component.ID) error {
	f.host = host
	cfg := f.cfg
	cfg.IncludeFilePath = true // for the log
	cfg.Encoding = "nop"       // broken UTF-8 is repaired, and counted, as on the other inputs
	// A buffer larger than the longest line would never be full, and the reader never get past a line that is too long.
	cfg.InitialBufferSize = min(cfg.InitialBufferSize, cfg.MaxLogSize)
	manager, err := cfg.Build(f.set.TelemetrySettings, f.emit, fileconsumer.WithSplitFunc(splitLines))
	if err != nil {
		return fmt.Errorf("files: %w", err)
	}
	var persister operator.Persister
	if named != nil {
		client, err := storageclient.Open(ctx, host, *named, f.set.ID, component.KindReceiver, offsetsName)
		if err != nil {
			return err
		}
		f.offsets = &offsets{Client: client}
		persister = f.offsets
	} else {
		f.set.Logger.Warn("how far files have been read is kept in memory only: after a restart they are read from files::start_at; name a storage to go on where it was",
			zap.String("start_at", cfg.StartAt))
	}
	if err := manager.Start(persister); err != nil {
		return errors.Join(fmt.Errorf("files: %w", err), f.offsets.Close(ctx))
	}
	f.manager = manager
	return nil
}

func (f *filesInput) shutdown(ctx context.Context) error {
	if f.manager == nil {
		return nil
	}
	f.offsets.hold()
	return errors.Join(f.manager.Stop(), f.offsets.Close(ctx))
}

// emit takes lines of a file, at most a hundred. It returns when nothing is left to do about them: the reader goes on
// behind them whatever it returns.
func (f *filesInput) emit(ctx context.Context, lines [][]byte, attributes map[string]any, _ int64, places []int64) error {
	file, _ := attributes[attrs.LogFilePath].(string)
	at := []zap.Field{zap.String("file", file), zap.Int64("offset", places[0])}
	decoder := f.decoders.Get().(*event.Decoder)
	defer func() {
		decoder.Reset()
		f.decoders.Put(decoder)
	}()
	rejected, repairs := f.read(decoder, lines)
	if repairs > 0 {
		f.telemetry.ReceiverStageflowRepairedValues.Add(ctx, int64(repairs))
	}
	if len(rejected) > 0 {
		f.telemetry.ReceiverStageflowRejectedEvents.Add(ctx, int64(len(rejected)))
		if n, due := f.bad.due(f.now(), len(rejected)); due {
			first := rejected[0]
			f.set.Logger.Warn("lines are no events and are left out", zap.String("file", file),
				zap.Int64("offset", places[first.Line-1]), zap.String("reason", first.Reason()), zap.Int("lines", n))
		}
	}
	count := len(decoder.Events)
	if count == 0 {
		return nil
	}
	held := time.Duration(0)
	for backoff := firstBackoff; ; backoff = min(2*backoff, maxBackoff) {
		err := f.take(ctx, decoder.Events)
		if err == nil {
			f.well()
			return nil
		}
		if !isRetryable(statusOf(err).Code()) {
			if n, due := f.lost.due(f.now(), count); due {
				f.set.Logger.Error("events are lost: they were refused for good", append(at, zap.Int("events", n), zap.Error(err))...)
			}
			return nil
		}
		if n, due := f.refused.due(f.now(), count); due && ctx.Err() == nil {
			f.set.Logger.Warn("events were refused, their files wait and are tried again", append(at, zap.Int("events", n), zap.Duration("in", backoff), zap.Error(err))...)
		}
		if held >= refusedForLong {
			f.ill(err)
		}
		if !pause(ctx, backoff) {
			return nil
		}
		held += backoff
	}
}

// take passes events on. What has been begun when the receiver stops is ended, or it would be read again.
func (f *filesInput) take(ctx context.Context, events []event.Event) error {
	op := f.obs.StartLogsOp(context.WithoutCancel(ctx))
	err := f.intake.takeDecoded(op, events)
	f.obs.EndLogsOp(op, "json", len(events), err)
	return err
}

// read reads each line as a request of its own: an event, or an array of them. The line of a rejection counts the lines
// from 1.
func (f *filesInput) read(decoder *event.Decoder, lines [][]byte) (rejected []event.Rejection, repairs int) {
	for i, line := range lines {
		bad, n := decoder.Decode(line, false)
		repairs += n
		for _, r := range bad {
			if len(line) >= int(f.cfg.MaxLogSize) { // the rest of it was left out, so of course it is no JSON
				r.Err = fmt.Errorf("the line is longer than %d bytes (files::max_log_size)", f.cfg.MaxLogSize)
			}
			rejected = append(rejected, event.Rejection{Line: i + 1, Err: r.Err})
		}
	}
	return rejected, repairs
}

// ill says in the status that the pipeline refuses.
func (f *filesInput) ill(err error) {
	if f.unwell.CompareAndSwap(false, true) {
		componentstatus.ReportStatus(f.host, componentstatus.NewRecoverableErrorEvent(fmt.Errorf("files wait: the pipeline has refused their events for %s or longer: %w", refusedForLong, err)))
	}
}

func (f *filesInput) well() {
	if f.unwell.CompareAndSwap(true, false) {
		componentstatus.ReportStatus(f.host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
}

// splitLines finds the lines. The last one of a file may lack its end: it is a line when it is whole JSON, else somebody
// is still writing it, however long that takes.
func splitLines(data []byte, atEOF bool) (advance int, line []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && wholeJSON(data) {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// wholeJSON tells whether all brackets are closed at the end of an object or array, and not before.
func wholeJSON(data []byte) bool {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || (data[0] != '{' && data[0] != '[') {
		return false
	}
	open, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			open++
		case c == '}' || c == ']':
			if open--; open == 0 {
				return i == len(data)-1
			}
		}
	}
	return false
}

// offsets keeps how far files have been read. It is told at the end of every look at the files, and not of one that the
// receiver's stop cuts short: of a compressed file the reader says then that it has been read to its end, and of lines
// that were refused that they were taken. What that last look has read is read again.
type offsets struct {
	storage.Client
	held atomic.Bool
}

func (o *offsets) hold() {
	if o != nil {
		o.held.Store(true)
	}
}

func (o *offsets) Set(ctx context.Context, key string, value []byte) error {
	return o.Batch(ctx, storage.SetOperation(key, value))
}

func (o *offsets) Delete(ctx context.Context, key string) error {
	return o.Batch(ctx, storage.DeleteOperation(key))
}

func (o *offsets) Batch(ctx context.Context, ops ...*storage.Operation) error {
	if o.held.Load() {
		return nil
	}
	return o.Client.Batch(ctx, ops...)
}

func (o *offsets) Close(ctx context.Context) error {
	if o == nil {
		return nil
	}
	return o.Client.Close(ctx)
}

// complaint counts what went wrong until it is said in the log.
type complaint struct {
	mu    sync.Mutex
	next  time.Time
	since int
}

// due adds n, and returns how many there were since it was last said, if it is time to say it again.
func (c *complaint) due(now time.Time, n int) (since int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since += n
	if now.Before(c.next) {
		return 0, false
	}
	since, c.since, c.next = c.since, 0, now.Add(complainEvery)
	return since, true
}

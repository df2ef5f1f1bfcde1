// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// What a client remembers of runs and calls that it saw start; the oldest are forgotten first. An end without
// its start in memory is still sent, with what the caller says.
const (
	maxRuns  = 10_000
	maxCalls = 10_000
)

// Client writes events to an OpenTelemetry log pipeline. It is safe for concurrent use; it has no goroutine and
// needs no closing: the pipeline behind it belongs to who made it (see [Setup]).
type Client struct {
	logger log.Logger // nil: events are discarded
	sinkID string
	seq    atomic.Int64
	now    func() time.Time

	// Of a client made by Setup: what became of its events, and sending those that wait.
	delivered func() (sent, lost int64)
	flush     func(context.Context) error

	runs  *bounded[string, *runRef]
	calls *bounded[string, *call]
}

// NewClient returns a client that writes to provider: for applications that have an OpenTelemetry log pipeline of
// their own, and for tests. A nil provider discards every event. Most applications want [Setup] instead.
func NewClient(provider log.LoggerProvider) *Client {
	c := &Client{
		sinkID: uuid.NewString(),
		now:    time.Now,
		runs:   newBounded[string, *runRef](maxRuns),
		calls:  newBounded[string, *call](maxCalls),
	}
	if provider != nil {
		c.logger = provider.Logger(semconv.ScopeName)
	}
	return c
}

var (
	discard       = NewClient(nil)
	defaultClient atomic.Pointer[Client]
)

// Default is the client that [Setup] or [SetDefault] installed; before that, one that discards every event.
func Default() *Client {
	if c := defaultClient.Load(); c != nil {
		return c
	}
	return discard
}

// SetDefault installs the client that is used where none is named. Nil goes back to discarding.
func SetDefault(c *Client) { defaultClient.Store(c) }

// or is c, or the default client when c is nil: asked at every use, so that loggers may be made before Setup.
func (c *Client) or() *Client {
	if c != nil {
		return c
	}
	return Default()
}

// Stats is how the client's events fare. Of one that was not made by [Setup] only the number of events is known.
func (c *Client) Stats() DeliveryStats {
	s := DeliveryStats{Emitted: c.seq.Load()}
	if c.delivered != nil {
		s.Sent, s.Lost = c.delivered()
	}
	return s
}

// Flush sends what waits in the queue behind a client made by [Setup] and returns when it has been sent or given up, or
// ctx ends: for processes that are frozen between two requests, as functions in a cloud are. What is behind any other
// client is not its own to flush.
func (c *Client) Flush(ctx context.Context) error {
	if c.flush == nil {
		return nil
	}
	return c.flush(ctx)
}

// tellLost sends an event that tells of lost ones.
func (c *Client) tellLost(fresh, total int64) {
	d := newData()
	d.count(fieldLost, fresh)
	d.count(fieldLostTotal, total)
	c.emit(context.Background(), semconv.EventTelemetryLost, semconv.TypeTelemetryLost, c.now(), "", d)
}

// emit writes one event. The record takes its trace and span id from ctx; traceparent is "" for a run without a
// span above it. The data is given the correlation id of ctx where it names none.
func (c *Client) emit(ctx context.Context, name semconv.EventName, eventType string, at time.Time, traceparent string, d *data) {
	defer d.done()
	if c.logger == nil {
		return
	}
	if id := GetCorrelationID(ctx); id != "" {
		d.unless(fieldCorrelationID, attribute.StringValue(text(id)))
	}
	attrs := [5]attribute.KeyValue{
		attribute.String(semconv.EventTypeKey, text(eventType)),
		attribute.Map(semconv.EventDataKey, *d...),
		attribute.String(semconv.EventSinkIDKey, c.sinkID),
		attribute.Int64(semconv.EventSeqKey, c.seq.Add(1)),
		attribute.String(semconv.EventTraceParentKey, traceparent),
	}
	n := len(attrs)
	if traceparent == "" {
		n--
	}
	var r log.Record
	r.SetEventName(string(name))
	r.SetTimestamp(at)
	r.SetObservedTimestamp(at)
	r.AddAttributes(attrs[:n]...)
	c.logger.Emit(ctx, r)
}

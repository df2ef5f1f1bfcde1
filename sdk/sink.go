// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// EventSink takes events: a type such as "tool.started" and what is in it (the framework's EventSink protocol, catalogue
// 1.1). A [*Client] is one; what applications and this package's streams tell goes through it.
//
// ctx tells which run and stage the event belongs to. The data is read before the method returns and never kept.
type EventSink interface {
	// TryEmit takes the event at once or not at all, and never waits. False: it was not taken.
	TryEmit(ctx context.Context, eventType string, data map[string]any) bool
	// Emit waits until the event is taken. The error is ctx's, or says that the sink is closed.
	Emit(ctx context.Context, eventType string, data map[string]any) error
}

var _ EventSink = (*Client)(nil)

// TryEmit sends an event of the application's own. The run, the stage and its attempt that ctx is in are added where
// data does not name them. It never waits, and is always true: what the queue behind a client drops is counted there.
func (c *Client) TryEmit(ctx context.Context, eventType string, data map[string]any) bool {
	c.custom(ctx, eventType, c.now(), data)
	return true
}

// Emit is TryEmit: there is nothing to wait for.
func (c *Client) Emit(ctx context.Context, eventType string, data map[string]any) error {
	c.custom(ctx, eventType, c.now(), data)
	return nil
}

// EmitEvent sends an event of the application's own through the client of the run that ctx is in, else the [Default].
func EmitEvent(ctx context.Context, eventType string, data map[string]any) {
	c := clientOf(ctx)
	c.custom(ctx, eventType, c.now(), data)
}

// clientOf is the client of the run that ctx is in or left by [TraceContext.Activate], else the default.
func clientOf(ctx context.Context) *Client { return idsOf(ctx).client.or() }

func (c *Client) custom(ctx context.Context, eventType string, at time.Time, fields map[string]any) {
	d := newData()
	d.more(fields)
	traceparent := ""
	if s := scopeOf(ctx); s != nil {
		traceparent = s.run.ref.traceparent
		if s.stage != "" && d.unless(fieldStage, attribute.StringValue(text(s.stage))) {
			d.unless(fieldStageAttempt, attribute.Int64Value(s.attempt))
		}
	}
	if id := RunID(ctx); id != "" {
		d.unless(fieldRunID, attribute.StringValue(text(id)))
	}
	status, _ := fields[fieldStatus].(string)
	_, wide := fields["data_keys"]
	c.emit(ctx, semconv.EventNameOf(eventType, status, wide), eventType, at, traceparent, d)
}

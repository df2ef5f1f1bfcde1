// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// event is a log record as the receiver reads it.
type event struct {
	name        string
	eventType   string
	data        map[string]any
	sinkID      string
	seq         int64
	traceparent string
	traceID     trace.TraceID
	spanID      trace.SpanID
	at          time.Time
}

// sink keeps every event that a client sends.
type sink struct {
	mu     sync.Mutex
	events []event
}

func (*sink) Shutdown(context.Context) error                         { return nil }
func (*sink) ForceFlush(context.Context) error                       { return nil }
func (*sink) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

func (s *sink) OnEmit(_ context.Context, r *sdklog.Record) error {
	e := event{name: r.EventName(), at: r.Timestamp(), traceID: r.TraceID(), spanID: r.SpanID()}
	if !r.ObservedTimestamp().Equal(r.Timestamp()) {
		panic("observed timestamp differs from timestamp")
	}
	r.WalkAttributes(func(kv attribute.KeyValue) bool {
		switch string(kv.Key) {
		case semconv.EventTypeKey:
			e.eventType = kv.Value.AsString()
		case semconv.EventDataKey:
			e.data = plain(kv.Value).(map[string]any)
		case semconv.EventSinkIDKey:
			e.sinkID = kv.Value.AsString()
		case semconv.EventSeqKey:
			e.seq = kv.Value.AsInt64()
		case semconv.EventTraceParentKey:
			e.traceparent = kv.Value.AsString()
		default:
			panic("unexpected attribute " + kv.Key)
		}
		return true
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	return nil
}

func (s *sink) all() []event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]event(nil), s.events...)
}

func (s *sink) types() (out []string) {
	for _, e := range s.all() {
		out = append(out, e.eventType)
	}
	return out
}

// only is the one event of a type.
func (s *sink) only(t *testing.T, eventType string) event {
	t.Helper()
	var found []event
	for _, e := range s.all() {
		if e.eventType == eventType {
			found = append(found, e)
		}
	}
	require.Len(t, found, 1, "%s among %v", eventType, s.types())
	return found[0]
}

// clock is a time that passes only when told.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newTestClient(t *testing.T) (*Client, *sink, *clock) {
	t.Helper()
	s, k := &sink{}, &clock{now: noon}
	c := NewClient(sdklog.NewLoggerProvider(sdklog.WithProcessor(s)))
	c.now = k.Now
	return c, s, k
}

// plain turns a log value into Go values, in which no name stands twice.
func plain(v attribute.Value) any {
	if v.Type() == attribute.MAP {
		seen := map[attribute.Key]bool{}
		for _, kv := range v.AsMap() {
			if seen[kv.Key] {
				panic("key twice: " + kv.Key)
			}
			seen[kv.Key] = true
			plain(kv.Value)
		}
	}
	return goValue(v)
}

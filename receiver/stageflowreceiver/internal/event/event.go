// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Event is a stageflow event as it was read. It is good until the [Decoder] that read it is reset.
type Event struct {
	// Name is the kind of event; Type is the framework's own type, possibly "".
	Name semconv.EventName
	Type string
	// Time is the event's own, 0 for none.
	Time pcommon.Timestamp

	data, envelope Fields
	hasData        bool
	// beside is what stands beside the data and has an attribute of its own.
	beside     beside
	trace      semconv.TraceID
	parent     semconv.SpanID
	zeroParent bool
	// around are the fields of the envelope that the data itself is in, nil for none.
	around semconv.Fields
}

// beside are members of an event that have attributes of their own in its record, in the order of [besideKeys].
type beside [6]Value

const (
	besideSink = iota
	besideSeq
	besideBatch
	besideTraceParent
	besideClock
	besideRun
)

var besideKeys = [len(beside{})]string{
	semconv.EventSinkIDKey, semconv.EventSeqKey, semconv.EventBatchKey, semconv.EventTraceParentKey, semconv.ClockKey, semconv.RunIDKey,
}

// understand finds out what kind of event it is, once its fields have been read. of is the trace id of its record, zero
// for none.
func (e *Event) understand(of semconv.TraceID) {
	if e.Has("event_name") && e.Has("event_version") {
		e.around = semconv.EnvelopeFields
	}
	e.Name = semconv.EventNameOf(e.Type, e.Text("status"), e.Has("started_at") || e.Has("data_keys"))
	e.traceContext(of)
}

// Data are the fields of the event's data, nil when it was null.
func (e *Event) Data() *Fields {
	if !e.hasData {
		return nil
	}
	return &e.data
}

// Field is a field of the data, or one that an envelope carries beside it (AnalyticsEvent repeats some there).
// A null counts as absent.
func (e *Event) Field(name string) (Value, bool) {
	if v, ok := e.data.Get(name); ok && !v.IsNull() {
		return v, true
	}
	if v, ok := e.envelope.Get(name); ok && !v.IsNull() {
		return v, true
	}
	return Value{}, false
}

// Has tells whether the data has the field, null or not.
func (e *Event) Has(name string) bool { return e.data.index(name) >= 0 }

// Text is a field as text, "" when absent: ids may come as numbers.
func (e *Event) Text(name string) string {
	v, ok := e.Field(name)
	if !ok {
		return ""
	}
	return v.AsText()
}

// Int is a field as an integer.
func (e *Event) Int(name string) (int64, bool) {
	v, ok := e.Field(name)
	if !ok {
		return 0, false
	}
	return v.AsInt()
}

// Double is a field as a float.
func (e *Event) Double(name string) (float64, bool) {
	v, ok := e.Field(name)
	if !ok {
		return 0, false
	}
	return v.AsDouble()
}

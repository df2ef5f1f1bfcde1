// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"math"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Event is a view of a log record in wire form. It is good as long as the record is.
type Event struct {
	Record plog.LogRecord
	// Name is the kind of event; Type is the framework's own type, possibly "".
	Name semconv.EventName
	Type string

	data, envelope       pcommon.Map
	hasData, hasEnvelope bool
	// around are the fields of the envelope that the data itself is in, nil for none.
	around semconv.Fields
}

// Is tells whether a log record is a stageflow event.
func Is(lr plog.LogRecord) bool {
	if !strings.HasPrefix(lr.EventName(), semconv.EventNamePrefix) {
		return false
	}
	v, found := lr.Attributes().Get(semconv.EventTypeKey)
	return found && v.Type() == pcommon.ValueTypeStr
}

// Open views a log record as an event; ok is false when the record is no stageflow event. Records that came over
// OTLP are brought into the same form as decoded lines first: the same repairs (counted), the name by the type.
func Open(lr plog.LogRecord) (e Event, repairs int, ok bool) {
	if !Is(lr) {
		return Event{}, 0, false
	}
	repairs = clean(lr.Attributes())
	e = open(lr)
	lr.SetEventName(string(e.Name))
	if lr.Timestamp() == 0 {
		lr.SetTimestamp(e.toldTime())
	}
	return e, repairs, true
}

// View views a record that this package made as an event: it needs no repair.
func View(lr plog.LogRecord) (e Event, repairs int, ok bool) {
	if !Is(lr) {
		return Event{}, 0, false
	}
	return open(lr), 0, true
}

func open(lr plog.LogRecord) Event {
	e := Event{Record: lr}
	attrs := lr.Attributes()
	if v, ok := attrs.Get(semconv.EventTypeKey); ok {
		e.Type = v.Str()
	}
	if v, ok := attrs.Get(semconv.EventDataKey); ok && v.Type() == pcommon.ValueTypeMap {
		e.data, e.hasData = v.Map(), true
	}
	if v, ok := attrs.Get(semconv.EventEnvelopeKey); ok && v.Type() == pcommon.ValueTypeMap {
		e.envelope, e.hasEnvelope = v.Map(), true
	}
	if e.Has("event_name") && e.Has("event_version") {
		e.around = semconv.EnvelopeFields
	}
	e.Name = semconv.EventNameOf(e.Type, e.Text("status"), e.Has("started_at") || e.Has("data_keys"))
	return e
}

// Data is the event's data; ok is false when it was null.
func (e Event) Data() (data pcommon.Map, ok bool) { return e.data, e.hasData }

// Field is a field of the data, or one that an envelope carries beside it (AnalyticsEvent repeats some there).
// A null counts as absent.
func (e Event) Field(name string) (pcommon.Value, bool) {
	if e.hasData {
		if v, ok := e.data.Get(name); ok && v.Type() != pcommon.ValueTypeEmpty {
			return v, true
		}
	}
	if e.hasEnvelope {
		if v, ok := e.envelope.Get(name); ok && v.Type() != pcommon.ValueTypeEmpty {
			return v, true
		}
	}
	return pcommon.Value{}, false
}

// Has tells whether the data has the field, null or not.
func (e Event) Has(name string) bool {
	if !e.hasData {
		return false
	}
	_, ok := e.data.Get(name)
	return ok
}

// Text is a field as text, "" when absent: ids may come as numbers.
func (e Event) Text(name string) string {
	v, ok := e.Field(name)
	if !ok {
		return ""
	}
	return AsText(v)
}

// Int is a field as an integer.
func (e Event) Int(name string) (int64, bool) {
	v, ok := e.Field(name)
	if !ok {
		return 0, false
	}
	return AsInt(v)
}

// Double is a field as a float.
func (e Event) Double(name string) (float64, bool) {
	v, ok := e.Field(name)
	if !ok {
		return 0, false
	}
	return AsDouble(v)
}

// AsText is a value as text; what is neither text nor a number nor a flag is its JSON.
func AsText(v pcommon.Value) string {
	if v.Type() == pcommon.ValueTypeStr {
		return v.Str()
	}
	return v.AsString()
}

// AsInt reads integers, whole doubles and digits.
func AsInt(v pcommon.Value) (int64, bool) {
	switch v.Type() {
	case pcommon.ValueTypeInt:
		return v.Int(), true
	case pcommon.ValueTypeDouble:
		f := v.Double()
		if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return 0, false
		}
		return int64(f), true
	case pcommon.ValueTypeStr:
		n, err := strconv.ParseInt(v.Str(), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// AsDouble reads numbers and their texts; never NaN or an infinity.
func AsDouble(v pcommon.Value) (float64, bool) {
	var f float64
	switch v.Type() {
	case pcommon.ValueTypeInt:
		f = float64(v.Int())
	case pcommon.ValueTypeDouble:
		f = v.Double()
	case pcommon.ValueTypeStr:
		var err error
		if f, err = strconv.ParseFloat(v.Str(), 64); err != nil {
			return 0, false
		}
	default:
		return 0, false
	}
	_, bad := nonFinite(f)
	return f, !bad
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Is tells whether a log record is a stageflow event.
func Is(lr plog.LogRecord) bool {
	if !strings.HasPrefix(lr.EventName(), semconv.EventNamePrefix) {
		return false
	}
	v, found := lr.Attributes().Get(semconv.EventTypeKey)
	return found && v.Type() == pcommon.ValueTypeStr
}

// Open reads a log record as an event; ok is false when the record is no stageflow event. The record is brought into
// the same form as that of a decoded line first: the same repairs (counted), the name by the type.
func (d *Decoder) Open(lr plog.LogRecord) (e Event, repairs int, ok bool) {
	if !Is(lr) {
		return Event{}, 0, false
	}
	repairs = clean(lr.Attributes())
	for key, v := range lr.Attributes().All() {
		switch key {
		case semconv.EventTypeKey:
			e.Type = v.Str()
		case semconv.EventDataKey:
			e.data, e.hasData = d.fieldsOf(v)
		case semconv.EventEnvelopeKey:
			e.envelope, _ = d.fieldsOf(v)
		default:
			for i := range besideKeys {
				if besideKeys[i] == key {
					e.beside[i] = ValueOf(v)
				}
			}
		}
	}
	e.understand(semconv.TraceID(lr.TraceID()))
	lr.SetEventName(string(e.Name))
	if e.Time = lr.Timestamp(); e.Time == 0 {
		e.Time = e.toldTime()
		lr.SetTimestamp(e.Time)
	}
	return e, repairs, true
}

// Open is [Decoder.Open] for a record that is read by itself.
func Open(lr plog.LogRecord) (e Event, repairs int, ok bool) { return new(Decoder).Open(lr) }

func (d *Decoder) fieldsOf(v pcommon.Value) (fields Fields, ok bool) {
	if v.Type() != pcommon.ValueTypeMap {
		return Fields{}, false
	}
	fields.list = d.fields.Make(v.Map().Len())
	fields.read(v.Map())
	return fields, true
}

// Record writes the event in wire form into an empty record, with room for spare attributes beside it. [Decoder.Open] reads
// it.
func (e *Event) Record(lr plog.LogRecord, spare int) {
	n := 3 // type, data and envelope
	for i := range e.beside {
		if !e.beside[i].IsNull() {
			n++
		}
	}
	attrs := lr.Attributes()
	attrs.EnsureCapacity(n + spare)
	attrs.PutStr(semconv.EventTypeKey, e.Type)
	if e.hasData {
		e.data.copyTo(attrs.PutEmptyMap(semconv.EventDataKey))
	}
	for i := range e.beside {
		if !e.beside[i].IsNull() {
			e.beside[i].PutIn(attrs, besideKeys[i])
		}
	}
	if e.envelope.Len() > 0 {
		e.envelope.copyTo(attrs.PutEmptyMap(semconv.EventEnvelopeKey))
	}
	lr.SetEventName(string(e.Name))
	lr.SetTimestamp(e.Time)
}

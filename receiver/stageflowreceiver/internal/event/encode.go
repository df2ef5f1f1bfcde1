// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// AppendJSON appends the event as one JSON line, without the newline. Reading it back gives the same event.
func (e Event) AppendJSON(b []byte) []byte {
	b = append(b, `{"type":`...)
	b = appendText(b, e.Type)
	b = append(b, `,"data":`...)
	b = e.AppendData(b)
	attrs := e.Record.Attributes()
	for _, member := range [...]struct{ name, key string }{
		{"sink_id", semconv.EventSinkIDKey}, {"seq", semconv.EventSeqKey}, {"sink_batch", semconv.EventBatchKey}, {"traceparent", semconv.EventTraceParentKey},
	} {
		if v, ok := attrs.Get(member.key); ok {
			b = appendMember(b, member.name, v)
		}
	}
	if e.hasEnvelope {
		for name, v := range e.envelope.All() {
			b = appendMember(b, name, v)
		}
	}
	if t := e.Record.Timestamp(); t != 0 && e.toldTime() != t {
		b = append(b, `,"emitted_at":`...)
		b = appendText(b, t.AsTime().Format(time.RFC3339Nano))
	}
	return append(b, '}')
}

// AppendData appends the data alone as canonical JSON: keys sorted, no spaces.
func (e Event) AppendData(b []byte) []byte {
	if !e.hasData {
		return append(b, "null"...)
	}
	return appendMap(b, e.data)
}

func appendMember(b []byte, name string, v pcommon.Value) []byte {
	b = append(b, ',')
	b = appendText(b, name)
	b = append(b, ':')
	return appendValue(b, v)
}

func appendMap(b []byte, m pcommon.Map) []byte {
	type member struct {
		key   string
		value pcommon.Value
	}
	members := make([]member, 0, m.Len())
	for k, v := range m.All() {
		members = append(members, member{k, v})
	}
	slices.SortFunc(members, func(x, y member) int { return strings.Compare(x.key, y.key) })
	b = append(b, '{')
	for i, kv := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, kv.key)
		b = append(b, ':')
		b = appendValue(b, kv.value)
	}
	return append(b, '}')
}

func appendValue(b []byte, v pcommon.Value) []byte {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return appendText(b, v.Str())
	case pcommon.ValueTypeInt:
		return strconv.AppendInt(b, v.Int(), 10)
	case pcommon.ValueTypeDouble:
		return appendDouble(b, v.Double())
	case pcommon.ValueTypeBool:
		return strconv.AppendBool(b, v.Bool())
	case pcommon.ValueTypeMap:
		return appendMap(b, v.Map())
	case pcommon.ValueTypeSlice:
		b = append(b, '[')
		for i, item := range v.Slice().All() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, item)
		}
		return append(b, ']')
	}
	return append(b, "null"...)
}

// appendDouble writes whole doubles with a fraction, so that they are read back as doubles.
func appendDouble(b []byte, f float64) []byte {
	start := len(b)
	b = strconv.AppendFloat(b, f, 'g', -1, 64)
	if !strings.ContainsAny(string(b[start:]), ".e") {
		b = append(b, ".0"...)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	text, _ := json.Marshal(s) // a string never fails
	return append(b, text...)
}

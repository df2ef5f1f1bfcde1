// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AppendJSON appends the event as one JSON line, without the newline. Reading it back gives the same event.
func (e *Event) AppendJSON(b []byte) []byte {
	b = append(b, `{"type":`...)
	b = appendText(b, e.Type)
	b = append(b, `,"data":`...)
	b = e.AppendData(b)
	for i, name := range [...]string{besideSink: "sink_id", besideSeq: "seq", besideBatch: "sink_batch", besideTraceParent: "traceparent"} {
		if !e.beside[i].IsNull() {
			b = appendMember(b, name, e.beside[i])
		}
	}
	for i := range e.envelope.list {
		b = appendMember(b, e.envelope.list[i].Name, e.envelope.list[i].Value)
	}
	if e.Time != 0 && e.toldTime() != e.Time {
		b = append(b, `,"emitted_at":`...)
		b = appendText(b, e.Time.AsTime().Format(time.RFC3339Nano))
	}
	return append(b, '}')
}

// AppendData appends the data alone as canonical JSON: keys sorted, no spaces.
func (e *Event) AppendData(b []byte) []byte {
	if !e.hasData {
		return append(b, "null"...)
	}
	return appendFields(b, &e.data)
}

func appendMember(b []byte, name string, v Value) []byte {
	b = append(b, ',')
	b = appendText(b, name)
	b = append(b, ':')
	return appendValue(b, v)
}

func appendFields(b []byte, fields *Fields) []byte {
	sorted := slices.SortedFunc(slices.Values(fields.list), func(x, y Field) int { return strings.Compare(x.Name, y.Name) })
	b = append(b, '{')
	for i := range sorted {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, sorted[i].Name)
		b = append(b, ':')
		b = appendValue(b, sorted[i].Value)
	}
	return append(b, '}')
}

func appendValue(b []byte, v Value) []byte {
	switch v.of.Kind() {
	case slog.KindString:
		return appendText(b, v.of.String())
	case slog.KindInt64:
		return strconv.AppendInt(b, v.of.Int64(), 10)
	case slog.KindFloat64:
		return appendDouble(b, v.of.Float64())
	case slog.KindBool:
		return strconv.AppendBool(b, v.of.Bool())
	}
	switch in := v.of.Any().(type) {
	case *Fields:
		return appendFields(b, in)
	case List:
		b = append(b, '[')
		for i := range in {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, in[i])
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

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
)

// The bounds on what a caller's values may become, so that no value can make an event that cannot be sent: a
// collector takes 4 MiB at once by default, and a batch (see maxBatch) of the largest events stays below that.
const (
	maxFields = 128      // fields of a caller in one event
	maxDepth  = 8        // levels of nesting; deeper ones become "…"
	maxNodes  = 1024     // values of a caller in one event, nested ones included; further ones become "…"
	maxBytes  = 32 << 10 // texts and nested names of a caller in one event, together
	maxText   = 16 << 10 // bytes of one text
	maxKey    = 128      // bytes of one name
)

// budget is what an event has left for the caller's values.
type budget struct{ nodes, bytes int }

func newBudget() *budget { return &budget{nodes: maxNodes, bytes: maxBytes} }

func (b *budget) text(s string) attribute.Value {
	s = shorten(s, min(maxText, b.bytes))
	b.bytes -= len(s)
	return attribute.StringValue(s)
}

const cut = "…"

// text is s as it can be sent: valid UTF-8 (one invalid byte would lose the whole batch) and bounded.
func text(s string) string { return shorten(s, maxText) }

func key(s string) string { return shorten(s, maxKey) }

func shorten(s string, limit int) string {
	if len(s) > limit {
		end := max(limit-len(cut), 0)
		for end > 0 && !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end] + cut
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// safely is the text of an error, a Stringer or a plain value. fmt catches a method that panics.
func safely(v any) string { return text(fmt.Sprint(v)) }

// value converts anything to what a log record can carry. It never panics: texts, flags and numbers stay what
// they are; times become RFC 3339, errors and Stringers their text; maps, slices and structs (exported fields,
// but those tagged json:"-") are nested; the rest is printed. The caller must not change v while this runs.
func value(v any, left *budget) (out attribute.Value) {
	defer func() {
		if r := recover(); r != nil {
			out = attribute.StringValue(fmt.Sprintf("unreadable %T", v))
		}
	}()
	return convert(v, 0, left)
}

func convert(v any, depth int, left *budget) attribute.Value {
	if left.nodes--; left.nodes < 0 {
		return attribute.StringValue(cut)
	}
	switch x := v.(type) {
	case nil:
		return attribute.Value{}
	case string:
		return left.text(x)
	case bool:
		return attribute.BoolValue(x)
	case int:
		return attribute.IntValue(x)
	case int64:
		return attribute.Int64Value(x)
	case float64:
		return attribute.Float64Value(x)
	case []byte:
		x = x[:min(len(x), maxText, max(left.bytes, 0))]
		left.bytes -= len(x)
		return attribute.ByteSliceValue(x)
	case time.Time:
		return attribute.StringValue(x.UTC().Format(time.RFC3339Nano))
	}
	rv := reflect.ValueOf(v)
	if nilable(rv) && rv.IsNil() {
		return attribute.Value{}
	}
	switch v.(type) {
	case error, fmt.Stringer:
		return left.text(safely(v))
	}
	return reflected(rv, depth, left)
}

func reflected(rv reflect.Value, depth int, left *budget) attribute.Value {
	switch rv.Kind() {
	case reflect.String:
		return left.text(rv.String())
	case reflect.Bool:
		return attribute.BoolValue(rv.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return attribute.Int64Value(rv.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if rv.Uint() > math.MaxInt64 {
			return attribute.StringValue(strconv.FormatUint(rv.Uint(), 10))
		}
		return attribute.Int64Value(int64(rv.Uint()))
	case reflect.Float32, reflect.Float64:
		return attribute.Float64Value(rv.Float())
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Array, reflect.Struct:
		// A value may hold itself; the depth ends that too.
		if depth >= maxDepth {
			return attribute.StringValue(cut)
		}
	default: // complex, chan, func: printing them follows no pointer
		return left.text(safely(rv.Interface()))
	}

	switch rv.Kind() {
	case reflect.Pointer:
		return convert(rv.Elem().Interface(), depth+1, left)
	case reflect.Map:
		return mapping(rv, depth, left)
	case reflect.Struct:
		return fields(rv, depth, left)
	}
	values := make([]attribute.Value, 0, min(rv.Len(), 64))
	for i := range rv.Len() {
		values = append(values, convert(rv.Index(i).Interface(), depth+1, left))
		if left.nodes < 0 {
			break
		}
	}
	return attribute.SliceValue(values...)
}

func mapping(rv reflect.Value, depth int, left *budget) attribute.Value {
	kvs := make([]attribute.KeyValue, 0, min(rv.Len(), 64))
	for iter := rv.MapRange(); iter.Next() && left.nodes >= 0 && left.bytes > 0; {
		var name string
		if k := iter.Key(); k.Kind() == reflect.String {
			name = key(k.String())
		} else {
			name = key(convert(k.Interface(), maxDepth, left).String())
		}
		left.bytes -= len(name)
		kvs = append(kvs, attribute.KeyValue{
			Key:   attribute.Key(name),
			Value: convert(iter.Value().Interface(), depth+1, left),
		})
	}
	// Different keys may have the same text; one of them stays.
	slices.SortStableFunc(kvs, func(a, b attribute.KeyValue) int { return cmp.Compare(a.Key, b.Key) })
	kvs = slices.CompactFunc(kvs, func(a, b attribute.KeyValue) bool { return a.Key == b.Key })
	return attribute.MapValue(kvs...)
}

func fields(rv reflect.Value, depth int, left *budget) attribute.Value {
	var kvs []attribute.KeyValue
	for i := range rv.NumField() {
		f := rv.Type().Field(i)
		if !f.IsExported() || f.Tag.Get("json") == "-" {
			continue
		}
		kvs = append(kvs, attribute.KeyValue{
			Key:   attribute.Key(f.Name),
			Value: convert(rv.Field(i).Interface(), depth+1, left),
		})
	}
	return attribute.MapValue(kvs...)
}

func nilable(rv reflect.Value) bool {
	switch rv.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.Interface:
		return true
	}
	return false
}

// snapshot is a bounded copy of a caller's fields, which may change when the caller goes on.
func snapshot(fields map[string]any) map[string]any {
	if fields == nil {
		return nil
	}
	out := make(map[string]any, min(len(fields), maxFields))
	left := newBudget()
	for name, v := range fields {
		if len(out) == maxFields {
			break
		}
		out[key(name)] = goValue(value(v, left))
	}
	return out
}

// goValue turns a converted value back into maps, slices and plain values.
func goValue(v attribute.Value) any {
	switch v.Type() {
	case attribute.EMPTY:
		return nil
	case attribute.MAP:
		out := make(map[string]any, len(v.AsMap()))
		for _, kv := range v.AsMap() {
			out[string(kv.Key)] = goValue(kv.Value)
		}
		return out
	case attribute.SLICE:
		out := make([]any, 0, len(v.AsSlice()))
		for _, each := range v.AsSlice() {
			out = append(out, goValue(each))
		}
		return out
	}
	return v.AsInterface()
}

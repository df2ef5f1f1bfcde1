// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"cmp"
	"encoding/base64"
	"log/slog"
	"math"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Value is a JSON value: of a field of an event, and of an attribute made of it. In a [pcommon.Map] every value is an
// object of its own, and events are read, compared and kept more often than they are written: a [slog.Value] holds texts,
// numbers and flags in three words and needs nothing else. A list is kept as a [List], a map as [*Fields], and nobody
// changes them. The zero value is null.
type Value struct{ of slog.Value }

// List is a list of values.
type List []Value

// TextValue is a text.
func TextValue(s string) Value { return Value{slog.StringValue(s)} }

// IntValue is a whole number.
func IntValue(n int64) Value { return Value{slog.Int64Value(n)} }

// DoubleValue is a number that is neither NaN nor infinite.
func DoubleValue(f float64) Value { return Value{slog.Float64Value(f)} }

// BoolValue is a flag.
func BoolValue(b bool) Value { return Value{slog.BoolValue(b)} }

func listValue(list List) Value     { return Value{slog.AnyValue(list)} }
func mapValue(fields *Fields) Value { return Value{slog.AnyValue(fields)} }

// ValueOf reads a value of pdata. It shares the texts and copies the rest. Bytes, which JSON has none of, become text.
func ValueOf(v pcommon.Value) Value {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return TextValue(v.Str())
	case pcommon.ValueTypeInt:
		return IntValue(v.Int())
	case pcommon.ValueTypeDouble:
		return DoubleValue(v.Double())
	case pcommon.ValueTypeBool:
		return BoolValue(v.Bool())
	case pcommon.ValueTypeBytes:
		return TextValue(base64.StdEncoding.EncodeToString(v.Bytes().AsRaw()))
	case pcommon.ValueTypeSlice:
		list := make(List, 0, v.Slice().Len())
		for _, item := range v.Slice().All() {
			list = append(list, ValueOf(item))
		}
		return listValue(list)
	case pcommon.ValueTypeMap:
		fields := &Fields{list: make([]Field, 0, v.Map().Len())}
		fields.read(v.Map())
		return mapValue(fields)
	}
	return Value{}
}

// Type is the type that the value has in pdata; never bytes.
func (v Value) Type() pcommon.ValueType {
	switch v.of.Kind() {
	case slog.KindString:
		return pcommon.ValueTypeStr
	case slog.KindInt64:
		return pcommon.ValueTypeInt
	case slog.KindFloat64:
		return pcommon.ValueTypeDouble
	case slog.KindBool:
		return pcommon.ValueTypeBool
	}
	switch v.of.Any().(type) {
	case List:
		return pcommon.ValueTypeSlice
	case *Fields:
		return pcommon.ValueTypeMap
	}
	return pcommon.ValueTypeEmpty
}

// IsNull tells whether there is nothing.
func (v Value) IsNull() bool { return v.of.Kind() == slog.KindAny && v.of.Any() == nil }

// Str is the text of a text, "" of anything else.
func (v Value) Str() string {
	if v.of.Kind() == slog.KindString {
		return v.of.String()
	}
	return ""
}

// Bool is the flag of a flag, false of anything else.
func (v Value) Bool() bool { return v.of.Kind() == slog.KindBool && v.of.Bool() }

// List is the list of a list, nil of anything else.
func (v Value) List() List {
	if v.of.Kind() != slog.KindAny {
		return nil
	}
	list, _ := v.of.Any().(List)
	return list
}

// texts are the texts of a list, nil of anything else.
func (v Value) texts() []string {
	list := v.List()
	if list == nil {
		return nil
	}
	texts := make([]string, 0, len(list))
	for _, item := range list {
		texts = append(texts, item.AsText())
	}
	return texts
}

// Map is the map of a map, nil of anything else.
func (v Value) Map() *Fields {
	if v.of.Kind() != slog.KindAny {
		return nil
	}
	fields, _ := v.of.Any().(*Fields)
	return fields
}

// AsText is the value as pdata writes it: what is neither text nor a number nor a flag is its JSON.
func (v Value) AsText() string {
	switch v.of.Kind() {
	case slog.KindString:
		return v.of.String()
	case slog.KindInt64:
		return strconv.FormatInt(v.of.Int64(), 10)
	case slog.KindBool:
		return strconv.FormatBool(v.of.Bool())
	}
	written := pcommon.NewValueEmpty()
	v.CopyTo(written)
	return written.AsString()
}

// AsInt reads integers, whole doubles and digits.
func (v Value) AsInt() (int64, bool) {
	switch v.of.Kind() {
	case slog.KindInt64:
		return v.of.Int64(), true
	case slog.KindFloat64:
		f := v.of.Float64()
		if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return 0, false
		}
		return int64(f), true
	case slog.KindString:
		n, err := strconv.ParseInt(v.of.String(), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// AsDouble reads numbers and their texts; never NaN or an infinity.
func (v Value) AsDouble() (float64, bool) {
	var f float64
	switch v.of.Kind() {
	case slog.KindInt64:
		f = float64(v.of.Int64())
	case slog.KindFloat64:
		f = v.of.Float64()
	case slog.KindString:
		var err error
		if f, err = strconv.ParseFloat(v.of.String(), 64); err != nil {
			return 0, false
		}
	default:
		return 0, false
	}
	_, bad := nonFinite(f)
	return f, !bad
}

// CopyTo writes the value into dst, which is empty.
func (v Value) CopyTo(dst pcommon.Value) {
	switch v.of.Kind() {
	case slog.KindString:
		dst.SetStr(v.of.String())
	case slog.KindInt64:
		dst.SetInt(v.of.Int64())
	case slog.KindFloat64:
		dst.SetDouble(v.of.Float64())
	case slog.KindBool:
		dst.SetBool(v.of.Bool())
	default:
		switch kept := v.of.Any().(type) {
		case List:
			list := dst.SetEmptySlice()
			list.EnsureCapacity(len(kept))
			for _, item := range kept {
				item.CopyTo(list.AppendEmpty())
			}
		case *Fields:
			kept.copyTo(dst.SetEmptyMap())
		}
	}
}

// PutIn writes the value into a map, which is empty or has the key already.
func (v Value) PutIn(dst pcommon.Map, key string) {
	switch v.of.Kind() {
	case slog.KindString:
		dst.PutStr(key, v.of.String())
	case slog.KindInt64:
		dst.PutInt(key, v.of.Int64())
	case slog.KindFloat64:
		dst.PutDouble(key, v.of.Float64())
	case slog.KindBool:
		dst.PutBool(key, v.of.Bool())
	default:
		v.CopyTo(dst.PutEmpty(key))
	}
}

// Equal is what pdata calls equal.
func (v Value) Equal(w Value) bool {
	kind := v.of.Kind()
	switch {
	case kind != w.of.Kind():
		return false
	case kind == slog.KindString:
		return v.of.String() == w.of.String()
	case kind != slog.KindAny:
		return v.of.Equal(w.of)
	}
	switch a := v.of.Any().(type) {
	case List:
		b, ok := w.of.Any().(List)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !a[i].Equal(b[i]) {
				return false
			}
		}
		return true
	case *Fields:
		b, ok := w.of.Any().(*Fields)
		return ok && a.equal(b)
	}
	return w.IsNull()
}

// Larger orders values by their text, and those that read alike, such as 1 and "1", by their type. Nearly always the
// two are one value that two events repeat, or two texts: nothing has to be written out for those.
func (v Value) Larger(than Value) bool {
	if v.of.Kind() == slog.KindString && than.of.Kind() == slog.KindString {
		return v.of.String() > than.of.String()
	}
	if v.ReadsAs(than) {
		return false
	}
	return cmp.Or(strings.Compare(v.AsText(), than.AsText()), cmp.Compare(v.Type(), than.Type())) > 0
}

// ReadsAs tells of what repeats most that it is of one type and has one text. It may be false for others.
func (v Value) ReadsAs(w Value) bool {
	kind := v.of.Kind()
	if kind != w.of.Kind() {
		return false
	}
	switch kind {
	case slog.KindString:
		return v.of.String() == w.of.String()
	case slog.KindFloat64: // 0 and -0 are equal, but read differently
		return math.Float64bits(v.of.Float64()) == math.Float64bits(w.of.Float64())
	case slog.KindInt64, slog.KindBool:
		return v.of.Equal(w.of)
	}
	a, b := v.List(), w.List()
	if a == nil || b == nil || len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].ReadsAs(b[i]) {
			return false
		}
	}
	return true
}

// Kept is the value with its texts in memory of their own: see [Texts].
func (v Value) Kept(in *Texts) Value {
	switch v.of.Kind() {
	case slog.KindString:
		return TextValue(in.Keep(v.of.String()))
	case slog.KindAny:
	default:
		return v
	}
	switch shared := v.of.Any().(type) {
	case List:
		list := make(List, len(shared))
		for i := range shared {
			list[i] = shared[i].Kept(in)
		}
		return listValue(list)
	case *Fields:
		fields := &Fields{list: make([]Field, 0, len(shared.list))}
		for _, f := range shared.list {
			fields.put(in.Keep(f.Name), f.Value.Kept(in))
		}
		return mapValue(fields)
	}
	return v
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"cmp"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// value is the value of an attribute. Facts wait in memory for as long as their runs are in flight, and in a
// [pcommon.Map] every value is an object of its own: a [slog.Value] holds texts, numbers and flags in three words and
// needs nothing else. Lists of texts, such as the names of a stage's results, are kept as []string; other lists, maps and
// bytes as a [pcommon.Value] that nobody changes. The zero value is empty.
type value struct{ of slog.Value }

func textValue(s string) value { return value{slog.StringValue(s)} }

// valueOf shares what is kept as a [pcommon.Value] with v, which must stay as it is.
func valueOf(v pcommon.Value) value {
	switch v.Type() {
	case pcommon.ValueTypeEmpty:
		return value{}
	case pcommon.ValueTypeStr:
		return textValue(v.Str())
	case pcommon.ValueTypeInt:
		return value{slog.Int64Value(v.Int())}
	case pcommon.ValueTypeDouble:
		return value{slog.Float64Value(v.Double())}
	case pcommon.ValueTypeBool:
		return value{slog.BoolValue(v.Bool())}
	case pcommon.ValueTypeSlice:
		if texts, ok := textsOf(v.Slice()); ok {
			return value{slog.AnyValue(texts)}
		}
	}
	return value{slog.AnyValue(v)}
}

// copyOf is valueOf for a v that may change.
func copyOf(v pcommon.Value) value {
	out := valueOf(v)
	if _, shared := out.composite(); !shared {
		return out
	}
	own := pcommon.NewValueEmpty()
	v.CopyTo(own)
	return value{slog.AnyValue(own)}
}

// textsOf is a list of nothing but texts. An empty one is none: it may be of anything.
func textsOf(list pcommon.Slice) (texts []string, ok bool) {
	for _, v := range list.All() {
		if v.Type() != pcommon.ValueTypeStr {
			return nil, false
		}
	}
	texts = make([]string, 0, list.Len())
	for _, v := range list.All() {
		texts = append(texts, v.Str())
	}
	return texts, len(texts) > 0
}

func (v value) kind() pcommon.ValueType {
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
	switch kept := v.of.Any().(type) {
	case []string:
		return pcommon.ValueTypeSlice
	case pcommon.Value:
		return kept.Type()
	}
	return pcommon.ValueTypeEmpty
}

func (v value) composite() (pcommon.Value, bool) {
	if v.of.Kind() != slog.KindAny {
		return pcommon.Value{}, false
	}
	composite, ok := v.of.Any().(pcommon.Value)
	return composite, ok
}

func (v value) texts() ([]string, bool) {
	if v.of.Kind() != slog.KindAny {
		return nil, false
	}
	texts, ok := v.of.Any().([]string)
	return texts, ok
}

// copyTo writes the value into dst, which is empty.
func (v value) copyTo(dst pcommon.Value) {
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
		case []string:
			list := dst.SetEmptySlice()
			list.EnsureCapacity(len(kept))
			for _, text := range kept {
				list.AppendEmpty().SetStr(text)
			}
		case pcommon.Value:
			kept.CopyTo(dst)
		}
	}
}

// text is the value as pdata writes it.
func (v value) text() string {
	switch v.of.Kind() {
	case slog.KindString:
		return v.of.String()
	case slog.KindInt64:
		return strconv.FormatInt(v.of.Int64(), 10)
	case slog.KindBool:
		return strconv.FormatBool(v.of.Bool())
	}
	written := pcommon.NewValueEmpty()
	v.copyTo(written)
	return written.AsString()
}

// equal is what pdata calls equal.
func (v value) equal(w value) bool {
	kind := v.kind()
	if kind != w.kind() {
		return false
	}
	if kind == pcommon.ValueTypeStr {
		return v.of.String() == w.of.String()
	}
	if a, ok := v.composite(); ok {
		b, ok := w.composite()
		return ok && a.Equal(b)
	}
	if a, ok := v.texts(); ok {
		b, ok := w.texts()
		return ok && slices.Equal(a, b)
	}
	return v.of.Equal(w.of)
}

// larger orders values by their text, and those that read alike, such as 1 and "1", by their type. Nearly always the
// two are one value that two events repeat, or two texts: nothing has to be written out for those.
func larger(a, b value) bool {
	if a.of.Kind() == slog.KindString && b.of.Kind() == slog.KindString {
		return a.of.String() > b.of.String()
	}
	if a.readsAs(b) {
		return false
	}
	return cmp.Or(strings.Compare(a.text(), b.text()), cmp.Compare(a.kind(), b.kind())) > 0
}

// readsAs tells of what repeats most that it is of one type and has one text. It may be false for others.
func (v value) readsAs(w value) bool {
	kind := v.kind()
	if kind != w.kind() {
		return false
	}
	switch kind {
	case pcommon.ValueTypeStr:
		return v.of.String() == w.of.String()
	case pcommon.ValueTypeDouble: // 0 and -0 are equal, but read differently
		return math.Float64bits(v.of.Float64()) == math.Float64bits(w.of.Float64())
	case pcommon.ValueTypeInt, pcommon.ValueTypeBool:
		return v.of.Equal(w.of)
	case pcommon.ValueTypeSlice:
		a, texts := v.texts()
		b, both := w.texts()
		return texts && both && slices.Equal(a, b)
	}
	return false
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fastjson"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// MaxDepth is how deep data may nest; what lies deeper becomes text. Protobuf readers in other languages stop at 100
// nested messages by default, a level of attributes takes three, and a record that one of them refuses takes its whole
// batch along.
const MaxDepth = 30

// manyKeys is the size from which an object is collected in a Go map first: pcommon.Map looks for a key one by
// one, so writing n keys into it costs n² steps, which a hostile sender could use.
const manyKeys = 64

// converter writes parsed JSON as pdata, repairing what cannot be kept.
type converter struct {
	repairs int
	scratch []byte
	texts   texts
}

// size is the length of a value that was read as part of a larger text.
func (c *converter) size(v *fastjson.Value) int {
	c.scratch = v.MarshalTo(c.scratch[:0])
	return len(c.scratch)
}

// member is one member of an object, its key cleaned.
type member struct {
	key   string
	value *fastjson.Value
}

// members writes what is left of an object after its known members have been taken out.
func (c *converter) members(list []member, dst pcommon.Map) {
	if len(list) > manyKeys {
		raw := make(map[string]any, len(list))
		for _, m := range list {
			raw[m.key] = c.raw(m.value, 1)
		}
		_ = dst.FromRaw(raw) // fails only on types that raw never returns
		return
	}
	dst.EnsureCapacity(len(list))
	for _, m := range list {
		c.value(m.value, dst.PutEmpty(m.key), 1)
	}
}

func (c *converter) object(obj *fastjson.Object, dst pcommon.Map, depth int) {
	if obj.Len() > manyKeys {
		raw := make(map[string]any, obj.Len())
		obj.Visit(func(key []byte, v *fastjson.Value) { raw[c.key(key)] = c.raw(v, depth+1) })
		_ = dst.FromRaw(raw) // fails only on types that raw never returns
		return
	}
	dst.EnsureCapacity(obj.Len())
	obj.Visit(func(key []byte, v *fastjson.Value) { c.value(v, dst.PutEmpty(c.key(key)), depth+1) })
}

func (c *converter) value(v *fastjson.Value, dst pcommon.Value, depth int) {
	switch v.Type() {
	case fastjson.TypeString:
		dst.SetStr(c.text(v.GetStringBytes()))
		return
	case fastjson.TypeTrue:
		dst.SetBool(true)
		return
	case fastjson.TypeFalse:
		dst.SetBool(false)
		return
	case fastjson.TypeNull:
		return
	case fastjson.TypeObject:
		if depth < MaxDepth {
			c.object(v.GetObject(), dst.SetEmptyMap(), depth)
			return
		}
	case fastjson.TypeArray:
		if depth < MaxDepth {
			items := v.GetArray()
			s := dst.SetEmptySlice()
			s.EnsureCapacity(len(items))
			for _, item := range items {
				c.value(item, s.AppendEmpty(), depth+1)
			}
			return
		}
	}
	_ = dst.FromRaw(c.raw(v, depth))
}

// raw is the value as a Go value that pcommon.Value.FromRaw takes.
func (c *converter) raw(v *fastjson.Value, depth int) any {
	switch v.Type() {
	case fastjson.TypeString:
		return c.text(v.GetStringBytes())
	case fastjson.TypeNumber:
		c.scratch = v.MarshalTo(c.scratch[:0])
		return c.number(string(c.scratch))
	case fastjson.TypeTrue:
		return true
	case fastjson.TypeFalse:
		return false
	case fastjson.TypeNull:
		return nil
	}
	if depth >= MaxDepth {
		c.repairs++
		return c.text(v.MarshalTo(nil))
	}
	if v.Type() == fastjson.TypeArray {
		items := v.GetArray()
		out := make([]any, len(items))
		for i, item := range items {
			out[i] = c.raw(item, depth+1)
		}
		return out
	}
	obj := v.GetObject()
	out := make(map[string]any, obj.Len())
	obj.Visit(func(key []byte, item *fastjson.Value) { out[c.key(key)] = c.raw(item, depth+1) })
	return out
}

// number keeps integers as integers and everything else as doubles. The parser lets signs and dots stand where
// JSON has none; what is no number then is kept as its text.
func (c *converter) number(s string) any {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	if !strings.ContainsAny(s, ".eEnNiI") {
		if n, ok := new(big.Int).SetString(s, 10); ok {
			c.repairs++
			if f, accuracy := new(big.Float).SetInt(n).Float64(); accuracy == big.Exact && !math.IsInf(f, 0) {
				return f
			}
		}
		return s
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		c.repairs++
		return s
	}
	if name, ok := nonFinite(f); ok {
		c.repairs++
		return name
	}
	return f
}

func nonFinite(f float64) (name string, ok bool) {
	switch {
	case math.IsNaN(f):
		return "NaN", true
	case math.IsInf(f, 1):
		return "Infinity", true
	case math.IsInf(f, -1):
		return "-Infinity", true
	}
	return "", false
}

// key is the name of a field.
func (c *converter) key(b []byte) string {
	if known, ok := knownNames[string(b)]; ok {
		return known
	}
	return c.text(b)
}

// text is the string without what stores refuse: NUL and invalid UTF-8 become U+FFFD.
func (c *converter) text(b []byte) string {
	if bytes.IndexByte(b, 0) < 0 && utf8.Valid(b) {
		return c.texts.add(b)
	}
	return c.cleanText(string(b))
}

func (c *converter) cleanText(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		c.repairs++
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	if !utf8.ValidString(s) {
		c.repairs++
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s
}

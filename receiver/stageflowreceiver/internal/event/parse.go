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
)

// MaxDepth is how deep data may nest; what lies deeper becomes text. Protobuf readers in other languages stop at 100
// nested messages by default, a level of attributes takes three, and a record that one of them refuses takes its whole
// batch along.
const MaxDepth = 30

// converter reads parsed JSON as values, repairing what cannot be kept.
type converter struct {
	repairs int
	scratch []byte
	texts   Texts
	// sound is set when all texts can be kept as they are: most lines are, and are looked through once.
	sound bool
}

// size is the length of a value that was read as part of a larger text.
func (c *converter) size(v *fastjson.Value) int {
	c.scratch = v.MarshalTo(c.scratch[:0])
	return len(c.scratch)
}

// fields reads the members of an object into a list with room for them; depth is that of the object. What another
// reader would overwrite is overwritten: of two members with one name the later stays.
func (c *converter) fields(obj *fastjson.Object, list []Field, depth int) Fields {
	fields := Fields{list: list}
	obj.Visit(func(key []byte, v *fastjson.Value) { fields.put(c.key(key), c.value(v, depth+1)) })
	return fields
}

func (c *converter) value(v *fastjson.Value, depth int) Value {
	switch v.Type() {
	case fastjson.TypeString:
		return TextValue(c.text(v.GetStringBytes()))
	case fastjson.TypeNumber:
		return c.number(v)
	case fastjson.TypeTrue:
		return BoolValue(true)
	case fastjson.TypeFalse:
		return BoolValue(false)
	case fastjson.TypeNull:
		return Value{}
	}
	if depth >= MaxDepth {
		c.repairs++
		return TextValue(c.text(v.MarshalTo(nil)))
	}
	if v.Type() == fastjson.TypeArray {
		items := v.GetArray()
		list := make(List, len(items))
		for i, item := range items {
			list[i] = c.value(item, depth+1)
		}
		return listValue(list)
	}
	obj := v.GetObject()
	fields := c.fields(obj, make([]Field, 0, obj.Len()), depth)
	return mapValue(&fields)
}

// number keeps integers as integers and everything else as doubles. The parser lets signs and dots stand where
// JSON has none; what is no number then is kept as its text.
func (c *converter) number(v *fastjson.Value) Value {
	c.scratch = v.MarshalTo(c.scratch[:0])
	if !bytes.ContainsAny(c.scratch, ".eEnNiI") {
		return c.whole(c.scratch)
	}
	f, err := strconv.ParseFloat(string(c.scratch), 64)
	if err != nil && !math.IsInf(f, 0) {
		c.repairs++
		return TextValue(string(c.scratch))
	}
	if name, ok := nonFinite(f); ok {
		c.repairs++
		return TextValue(name)
	}
	return DoubleValue(f)
}

func (c *converter) whole(digits []byte) Value {
	if n, err := strconv.ParseInt(string(digits), 10, 64); err == nil {
		return IntValue(n)
	}
	if n, ok := new(big.Int).SetString(string(digits), 10); ok {
		c.repairs++
		if f, accuracy := new(big.Float).SetInt(n).Float64(); accuracy == big.Exact && !math.IsInf(f, 0) {
			return DoubleValue(f)
		}
	}
	return TextValue(string(digits))
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
	if c.sound || (bytes.IndexByte(b, 0) < 0 && utf8.Valid(b)) {
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

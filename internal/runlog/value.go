// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Kind is the physical kind of a [Value].
type Kind uint8

// The physical kinds; the zero Value is Null.
const (
	Null Kind = iota
	Int
	Float
	String
)

// Value is one cell of a row. Its zero value is NULL: nothing is known.
type Value struct {
	kind Kind
	num  int64 // the integer, or the float's bits
	text string
}

// IntValue is an integer cell.
func IntValue(n int64) Value { return Value{kind: Int, num: n} }

// FloatValue is a float cell; what no store can order (NaN, infinities) is NULL.
func FloatValue(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}
	}
	// Adding zero turns -0 into 0: equal numbers must be equal bytes.
	return Value{kind: Float, num: int64(math.Float64bits(f + 0))}
}

// BoolValue is a flag, held as 0 or 1.
func BoolValue(b bool) Value {
	if b {
		return IntValue(1)
	}
	return IntValue(0)
}

// TextValue is a text cell; an empty text says nothing and is NULL. See [CleanText].
func TextValue(s string) Value {
	if s == "" {
		return Value{}
	}
	return Value{kind: String, text: CleanText(s)}
}

// KeyValue is a text cell that may be empty, for columns of a key.
func KeyValue(s string) Value { return Value{kind: String, text: CleanText(s)} }

// MaxKey is how many bytes of text an indexed column holds. PostgreSQL takes no more than 2,704 in one entry of an index,
// and a run must not be lost because its user's name is longer.
const MaxKey = 1024

// keyed is v as an index takes it: of what is longer than [MaxKey] the beginning and a hash of the whole, so that different
// values stay different.
func (v Value) keyed() Value {
	if len(v.text) <= MaxKey {
		return v
	}
	sum := sha256.Sum256([]byte(v.text))
	hash := "…" + hex.EncodeToString(sum[:16])
	cut := MaxKey - len(hash)
	for !utf8.RuneStart(v.text[cut]) {
		cut--
	}
	v.text = v.text[:cut] + hash
	return v
}

// TimeValue is a time in microseconds, from nanoseconds since 1970. Times that no store can show are NULL:
// zero and what lies before 1970.
func TimeValue(nanos int64) Value {
	if nanos <= 0 {
		return Value{}
	}
	return IntValue(nanos / int64(time.Microsecond))
}

// Kind is the physical kind of the cell.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether nothing is known.
func (v Value) IsNull() bool { return v.kind == Null }

// Int is the integer of an Int cell.
func (v Value) Int() int64 { return v.num }

// Float is the number of a Float cell.
func (v Value) Float() float64 { return math.Float64frombits(uint64(v.num)) }

// Text is the text of a String cell.
func (v Value) Text() string { return v.text }

// Compare orders two cells of one column: NULL first, then by size. "The larger" of the merge rule is this.
func (v Value) Compare(o Value) int {
	if v.kind != o.kind {
		return cmp.Compare(v.kind, o.kind)
	}
	switch v.kind {
	case Int:
		return cmp.Compare(v.num, o.num)
	case Float:
		return cmp.Compare(v.Float(), o.Float())
	case String:
		return strings.Compare(v.text, o.text)
	}
	return 0
}

// CleanText is s as every store can keep it: valid UTF-8 without NUL, each offender replaced by U+FFFD.
func CleanText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

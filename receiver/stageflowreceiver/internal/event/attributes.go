// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Attribute is what an event says in the terms of OpenTelemetry.
type Attribute struct {
	Key   string
	Value Value
}

// Attributes are some of those that one event gives, in its order, each key once.
type Attributes []Attribute

// AttributesOf reads a map of pdata.
func AttributesOf(m pcommon.Map) Attributes {
	out := make(Attributes, 0, m.Len())
	for key, v := range m.All() {
		out = append(out, Attribute{key, ValueOf(v)})
	}
	return out
}

func (a Attributes) index(key string) int {
	for i := range a {
		if a[i].Key == key {
			return i
		}
	}
	return -1
}

// Get is the value of a key; ok is false when there is none.
func (a Attributes) Get(key string) (v Value, ok bool) {
	if i := a.index(key); i >= 0 {
		return a[i].Value, true
	}
	return Value{}, false
}

// Has tells whether there is a value for the key.
func (a Attributes) Has(key string) bool { return a.index(key) >= 0 }

// Put adds a value or replaces that of the key.
func (a *Attributes) Put(key string, v Value) {
	if i := a.index(key); i >= 0 {
		(*a)[i].Value = v
		return
	}
	*a = append(*a, Attribute{key, v})
}

// PutAll puts all of b.
func (a *Attributes) PutAll(b Attributes) {
	for i := range b {
		a.Put(b[i].Key, b[i].Value)
	}
}

// Remove takes a key out.
func (a *Attributes) Remove(key string) {
	if i := a.index(key); i >= 0 {
		*a = slices.Delete(*a, i, i+1)
	}
}

// TakeOut removes the attributes with these keys and appends them to out.
func (a *Attributes) TakeOut(keys map[string]bool, out Attributes) Attributes {
	*a = slices.DeleteFunc(*a, func(one Attribute) bool {
		if keys[one.Key] {
			out = append(out, one)
		}
		return keys[one.Key]
	})
	return out
}

// Equal tells whether both have the same values for the same keys, in any order.
func (a Attributes) Equal(b Attributes) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		v, ok := b.Get(a[i].Key)
		if !ok || !a[i].Value.Equal(v) {
			return false
		}
	}
	return true
}

// CopyTo writes the attributes beside those that dst has.
func (a Attributes) CopyTo(dst pcommon.Map) {
	dst.EnsureCapacity(dst.Len() + len(a))
	for i := range a {
		a[i].Value.PutIn(dst, a[i].Key)
	}
}

// Kept is a copy with its texts in memory of their own: see [Texts].
func (a Attributes) Kept(in *Texts) Attributes {
	if len(a) == 0 {
		return nil
	}
	out := make(Attributes, len(a))
	for i := range a {
		out[i] = a[i].Kept(in)
	}
	return out
}

// Kept is a copy with its text in memory of its own. Its key is a constant, or was made for it.
func (a Attribute) Kept(in *Texts) Attribute { return Attribute{a.Key, a.Value.Kept(in)} }

// Compare is any fixed order. It is slow, but for attributes that repeat.
func (a Attributes) Compare(b Attributes) int {
	if slices.EqualFunc(a, b, func(v, w Attribute) bool { return v.Key == w.Key && v.Value.ReadsAs(w.Value) }) {
		return 0
	}
	return strings.Compare(a.Canonical(), b.Canonical())
}

// Canonical is a text that attributes have in common that are equal.
func (a Attributes) Canonical() string {
	v := pcommon.NewValueMap()
	a.CopyTo(v.Map())
	return v.AsString() // sorted keys
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"log/slog"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

type attribute struct {
	key   string
	value value
}

// attributes are those that one event gives, in its order, each key once.
type attributes []attribute

// attributesOf shares with m what [valueOf] shares: m must stay as it is.
func attributesOf(m pcommon.Map) attributes {
	out := make(attributes, 0, m.Len())
	for key, v := range m.All() {
		out = append(out, attribute{key, valueOf(v)})
	}
	return out
}

func (a attributes) index(key string) int {
	for i := range a {
		if a[i].key == key {
			return i
		}
	}
	return -1
}

func (a attributes) get(key string) (v value, ok bool) {
	if i := a.index(key); i >= 0 {
		return a[i].value, true
	}
	return value{}, false
}

func (a attributes) has(key string) bool { return a.index(key) >= 0 }

func (a *attributes) put(key string, v value) {
	if i := a.index(key); i >= 0 {
		(*a)[i].value = v
		return
	}
	*a = append(*a, attribute{key, v})
}

// PutStr, PutInt, PutDouble and PutCopy take what an event says, see [event.Sink].
func (a *attributes) PutStr(key, text string)         { a.put(key, textValue(text)) }
func (a *attributes) PutInt(key string, n int64)      { a.put(key, value{slog.Int64Value(n)}) }
func (a *attributes) PutDouble(key string, d float64) { a.put(key, value{slog.Float64Value(d)}) }

func (a *attributes) PutCopy(key string, v pcommon.Value) { a.put(key, copyOf(v)) }

func (a *attributes) putAll(b attributes) {
	for _, one := range b {
		a.put(one.key, one.value)
	}
}

func (a *attributes) remove(key string) {
	if i := a.index(key); i >= 0 {
		*a = slices.Delete(*a, i, i+1)
	}
}

// takeOut removes the attributes with these keys and returns them.
func (a *attributes) takeOut(keys map[string]bool) attributes {
	var out attributes
	*a = slices.DeleteFunc(*a, func(one attribute) bool {
		if keys[one.key] {
			out = append(out, one)
		}
		return keys[one.key]
	})
	return out
}

// equal tells whether both have the same values for the same keys, in any order.
func (a attributes) equal(b attributes) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		v, ok := b.get(a[i].key)
		if !ok || !a[i].value.equal(v) {
			return false
		}
	}
	return true
}

func (a attributes) copyTo(dst pcommon.Map) {
	dst.EnsureCapacity(dst.Len() + len(a))
	for i := range a {
		a[i].value.copyTo(dst.PutEmpty(a[i].key))
	}
}

// compareAttributes is any fixed order. It is slow, but for attributes that repeat.
func compareAttributes(a, b attributes) int {
	if slices.EqualFunc(a, b, func(v, w attribute) bool { return v.key == w.key && v.value.readsAs(w.value) }) {
		return 0
	}
	return strings.Compare(a.canonical(), b.canonical())
}

func (a attributes) canonical() string {
	v := pcommon.NewValueMap()
	a.copyTo(v.Map())
	return v.AsString() // sorted keys
}

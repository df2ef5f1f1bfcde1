// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// folded gathers attributes from facts in any order: of two values for one key the later event's wins, then the
// larger, so every order gives the same.
type folded map[string]foldedValue

type foldedValue struct {
	at    pcommon.Timestamp
	value pcommon.Value
}

// maxFolded bounds the attributes of one run, stage or call: an application may send a new key with each event.
const maxFolded = 512

// add takes the attributes of an event at the given time. The values are kept, not copied.
func (f folded) add(at pcommon.Timestamp, attributes pcommon.Map) {
	for key, v := range attributes.All() {
		old, ok := f[key]
		if !ok && len(f) >= maxFolded {
			continue
		}
		if !ok || at > old.at || (at == old.at && larger(v, old.value)) {
			f[key] = foldedValue{at, v}
		}
	}
}

// addOlder takes what was gathered earlier. Of two values for one key the later still wins, at the same time the
// newly gathered one.
func (f folded) addOlder(earlier folded) {
	for key, old := range earlier {
		v, ok := f[key]
		if (!ok && len(f) < maxFolded) || (ok && old.at > v.at) {
			f[key] = old
		}
	}
}

// larger orders values by their text, and those that read alike, such as 1 and "1", by their type.
func larger(a, b pcommon.Value) bool {
	return cmp.Or(strings.Compare(a.AsString(), b.AsString()), cmp.Compare(a.Type(), b.Type())) > 0
}

// text is the value of key as text, "" when there is none.
func (f folded) text(key string) string {
	if v, ok := f[key]; ok {
		return v.value.AsString()
	}
	return ""
}

// copyTo writes the attributes in the order of their keys.
func (f folded) copyTo(dst pcommon.Map) {
	dst.EnsureCapacity(dst.Len() + len(f) + 4)
	for _, key := range slices.Sorted(maps.Keys(f)) {
		f[key].value.CopyTo(dst.PutEmpty(key))
	}
}

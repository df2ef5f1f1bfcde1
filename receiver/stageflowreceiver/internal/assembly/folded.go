// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
)

// folded gathers attributes from facts in any order: of two values for one key the later event's wins, then the
// larger, so every order gives the same. They are sorted by key: there are few of them, and so they are found without
// a map and written without sorting.
type folded []foldedValue

type foldedValue struct {
	event.Attribute
	at pcommon.Timestamp
}

// maxFolded bounds the attributes of one run, stage or call: an application may send a new key with each event.
const maxFolded = 512

// find is where key is, or belongs.
func (f folded) find(key string) (i int, ok bool) {
	from, to := 0, len(f)
	for from < to {
		if middle := (from + to) / 2; f[middle].Key < key {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from, from < len(f) && f[from].Key == key
}

// add takes the attributes of an event at the given time. What stays is kept in texts, or as it is where that is nil.
func (f *folded) add(at pcommon.Timestamp, of event.Attributes, texts *event.Texts) {
	if len(*f) == 0 {
		*f = slices.Grow(*f, min(len(of), maxFolded))
	}
	for i := range of {
		f.addOne(at, of[i], texts)
	}
}

func (f *folded) addOne(at pcommon.Timestamp, a event.Attribute, texts *event.Texts) {
	i, ok := f.find(a.Key)
	if !ok {
		if texts != nil {
			a = a.Kept(texts)
		}
		f.insert(i, foldedValue{a, at})
		return
	}
	old := &(*f)[i]
	switch {
	case at < old.at:
	case a.Value.ReadsAs(old.Value): // nearly always
		old.at = at
	case at > old.at || a.Value.Larger(old.Value):
		if texts != nil {
			a = a.Kept(texts)
		}
		old.Value, old.at = a.Value, at
	}
}

// insert puts a new key at its place, if there is room.
func (f *folded) insert(i int, v foldedValue) {
	if len(*f) < maxFolded {
		*f = slices.Insert(*f, i, v)
	}
}

// set puts the value in place of what is there, and has room for it in any case.
func (f *folded) set(v foldedValue) {
	i, ok := f.find(v.Key)
	if ok {
		(*f)[i] = v
		return
	}
	*f = slices.Insert(*f, i, v)
}

// addOlder takes what was gathered earlier. Of two values for one key the later still wins, at the same time the
// newly gathered one.
func (f *folded) addOlder(earlier folded) {
	for _, old := range earlier {
		i, ok := f.find(old.Key)
		if !ok {
			f.insert(i, old)
		} else if old.at > (*f)[i].at {
			(*f)[i] = old
		}
	}
}

// get is the value of key; ok is false when there is none.
func (f folded) get(key string) (v foldedValue, ok bool) {
	if i, ok := f.find(key); ok {
		return f[i], true
	}
	return foldedValue{}, false
}

// text is the value of key as text, "" when there is none.
func (f folded) text(key string) string {
	if i, ok := f.find(key); ok {
		return f[i].Value.AsText()
	}
	return ""
}

// copyTo writes the attributes in the order of their keys.
func (f folded) copyTo(dst pcommon.Map) {
	dst.EnsureCapacity(dst.Len() + len(f))
	for i := range f {
		f[i].Value.PutIn(dst, f[i].Key)
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import "go.opentelemetry.io/collector/pdata/pcommon"

// manyKeys is the number of fields from which they are found by a Go map: lists of fields and pcommon.Map look for a key
// one by one, so writing n keys into them costs n² steps, which a hostile sender could use.
const manyKeys = 64

// Field is a member of a JSON object.
type Field struct {
	Name  string
	Value Value
}

// Fields are the members of a JSON object in their order, each name once.
type Fields struct {
	list []Field
	// at is where the fields are, made when there are more than [manyKeys].
	at map[string]int
}

// Len is the number of fields.
func (f *Fields) Len() int {
	if f == nil {
		return 0
	}
	return len(f.list)
}

// All are the fields, not to be changed.
func (f *Fields) All() []Field {
	if f == nil {
		return nil
	}
	return f.list
}

func (f *Fields) index(name string) int {
	if f == nil {
		return -1
	}
	if f.at != nil {
		if i, ok := f.at[name]; ok {
			return i
		}
		return -1
	}
	for i := range f.list {
		if f.list[i].Name == name {
			return i
		}
	}
	return -1
}

// Get is the value of a field; ok is false when there is none.
func (f *Fields) Get(name string) (v Value, ok bool) {
	if i := f.index(name); i >= 0 {
		return f.list[i].Value, true
	}
	return Value{}, false
}

// put adds a field; of two with one name the later stays, at the place of the first.
func (f *Fields) put(name string, v Value) {
	if i := f.index(name); i >= 0 {
		f.list[i].Value = v
		return
	}
	f.list = append(f.list, Field{name, v})
	if f.at != nil {
		f.at[name] = len(f.list) - 1
	} else if len(f.list) > manyKeys {
		f.at = make(map[string]int, cap(f.list))
		for i := range f.list {
			f.at[f.list[i].Name] = i
		}
	}
}

// read adds the members of a map of pdata.
func (f *Fields) read(m pcommon.Map) {
	for name, v := range m.All() {
		f.put(name, ValueOf(v))
	}
}

// copyTo writes the fields into a map that is empty.
func (f *Fields) copyTo(dst pcommon.Map) {
	if len(f.list) > manyKeys {
		raw := make(map[string]any, len(f.list))
		for i := range f.list {
			written := pcommon.NewValueEmpty()
			f.list[i].Value.CopyTo(written)
			raw[f.list[i].Name] = written.AsRaw()
		}
		_ = dst.FromRaw(raw) // raw values of pdata are always taken back
		return
	}
	dst.EnsureCapacity(len(f.list))
	for i := range f.list {
		f.list[i].Value.PutIn(dst, f.list[i].Name)
	}
}

// equal tells whether both have the same fields, in any order.
func (f *Fields) equal(g *Fields) bool {
	if len(f.list) != len(g.list) {
		return false
	}
	for i := range f.list {
		v, ok := g.Get(f.list[i].Name)
		if !ok || !f.list[i].Value.Equal(v) {
			return false
		}
	}
	return true
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

// names finds what belongs to a name that is known beforehand. Every field of every event is looked up in two of them, and
// a Go map takes four times as long: nobody can choose the names in here, so few bytes of a name are hash enough.
type names[T any] struct {
	slots []named[T]
	mask  uint32
}

type named[T any] struct {
	name  string
	value T
	used  bool
}

func newNames[T any](of map[string]T) *names[T] {
	size := 16
	for size < 4*len(of) {
		size *= 2
	}
	n := &names[T]{make([]named[T], size), uint32(size - 1)} //nolint:gosec // a small power of two
	for name, value := range of {
		i := hashOf(name) & n.mask
		for n.slots[i].used {
			i = (i + 1) & n.mask
		}
		n.slots[i] = named[T]{name, value, true}
	}
	return n
}

func hashOf[S string | []byte](name S) uint32 {
	n := len(name)
	if n == 0 {
		return 0
	}
	h := uint32(n) | uint32(name[0])<<8 | uint32(name[n-1])<<16 | uint32(name[n/2])<<24 //nolint:gosec // only its bits matter
	h = (h ^ uint32(name[n/3])*0x9e37) * 0x85ebca6b
	return h ^ h>>15
}

// get is what belongs to a name; ok is false when it is not known.
func (n *names[T]) get(name string) (value T, ok bool) {
	for i := hashOf(name) & n.mask; n.slots[i].used; i = (i + 1) & n.mask {
		if n.slots[i].name == name {
			return n.slots[i].value, true
		}
	}
	return value, false
}

// string is the known name that reads like the bytes, "" for none.
func (n *names[T]) string(b []byte) string {
	for i := hashOf(b) & n.mask; n.slots[i].used; i = (i + 1) & n.mask {
		if n.slots[i].name == string(b) {
			return n.slots[i].name
		}
	}
	return ""
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

// Arena is memory for the short lists of a batch, which is used again for the next one. The zero value is ready.
type Arena[T any] struct{ free, all []T }

// minArena is the least that is made at once.
const minArena = 256

// Make returns an empty list with room for n, which is good until Reset.
func (a *Arena[T]) Make(n int) []T {
	if n > len(a.free) {
		a.all = make([]T, max(n, minArena, 2*len(a.all))) // the lists that were made before keep what they are in
		a.free = a.all
	}
	list := a.free[:0:n]
	a.free = a.free[n:]
	return list
}

// maxArena bounds what a large batch leaves behind.
const maxArena = 1 << 14

// Reset takes all lists back. Nothing that was in them stays reachable.
func (a *Arena[T]) Reset() {
	if len(a.all) > maxArena {
		a.all = nil
	}
	clear(a.all[:len(a.all)-min(len(a.free), len(a.all))])
	a.free = a.all
}

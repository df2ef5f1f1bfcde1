// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import "time"

// ring holds the chunks of a queue, oldest first. It grows as chunks come, so that a large limit costs nothing before
// it is used, and then stays.
type ring[T any] struct {
	slots []T
	first int
	len   int
}

// push adds a chunk to a ring that holds fewer than limit.
func (r *ring[T]) push(chunk T, limit int) {
	if r.len == len(r.slots) {
		r.grow(limit)
	}
	i := r.first + r.len
	if i >= len(r.slots) {
		i -= len(r.slots)
	}
	r.slots[i] = chunk
	r.len++
}

func (r *ring[T]) grow(limit int) {
	slots := make([]T, min(max(2*len(r.slots), 8), limit))
	n := copy(slots, r.slots[r.first:])
	copy(slots[n:], r.slots[:r.first])
	r.slots, r.first = slots, 0
}

// pop takes the oldest chunk out of a ring that is not empty.
func (r *ring[T]) pop() T {
	chunk := r.slots[r.first]
	var none T
	r.slots[r.first] = none // for the garbage collector
	if r.first++; r.first == len(r.slots) {
		r.first = 0
	}
	r.len--
	return chunk
}

// waiter is a call that waits for the other side. Whoever serves it takes it out of its line first.
type waiter[T any] struct {
	chunk  T // a producer's to put, a consumer's when served
	err    error
	since  time.Time
	served chan struct{} // has room for the one word that is ever in it

	waits      bool // is in a line
	prev, next *waiter[T]
}

// serve wakes the waiting call with its answer.
func (w *waiter[T]) serve(err error) {
	w.err = err
	w.served <- struct{}{}
}

// waiters are a line of them: the first came first.
type waiters[T any] struct{ first, last *waiter[T] }

func (l *waiters[T]) add(w *waiter[T]) {
	w.waits, w.prev = true, l.last
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
}

func (l *waiters[T]) remove(w *waiter[T]) {
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.waits, w.prev, w.next = false, nil, nil
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"container/list"
	"sync"
)

// bounded is a map that forgets its oldest entry when it is full, so that starts that never see an end
// cannot fill the memory. Safe for concurrent use.
type bounded[K comparable, V any] struct {
	max int

	mu      sync.Mutex
	entries map[K]*list.Element
	order   list.List // of entry[K, V], oldest first
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

func newBounded[K comparable, V any](limit int) *bounded[K, V] {
	return &bounded[K, V]{max: limit, entries: map[K]*list.Element{}}
}

// put stores value under key, replacing and renewing what was there.
func (b *bounded[K, V]) put(key K, value V) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remove(key)
	if len(b.entries) >= b.max {
		b.remove(b.order.Front().Value.(entry[K, V]).key)
	}
	b.entries[key] = b.order.PushBack(entry[K, V]{key, value})
}

func (b *bounded[K, V]) get(key K) (value V, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e, found := b.entries[key]; found {
		return e.Value.(entry[K, V]).value, true
	}
	return value, false
}

// take is get and remove in one.
func (b *bounded[K, V]) take(key K) (value V, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e, found := b.entries[key]; found {
		value = e.Value.(entry[K, V]).value
		b.remove(key)
		return value, true
	}
	return value, false
}

func (b *bounded[K, V]) remove(key K) {
	if e, found := b.entries[key]; found {
		b.order.Remove(e)
		delete(b.entries, key)
	}
}

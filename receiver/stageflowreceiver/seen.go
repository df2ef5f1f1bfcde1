// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"sync"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
)

// seenPerGeneration bounds the memory for duplicates: between one and two times this many of the latest events
// are known, at about 20 bytes each.
const seenPerGeneration = 500_000

// seen remembers the keys of the latest events, each with the number of the batch that it came in, in two generations:
// when the young one is full the old one goes. A copy of an event whose batch is still under way is no duplicate yet.
type seen struct {
	mu         sync.Mutex
	limit      int
	young, old map[event.Key]batchNumber
	// pending are the batches of which it is not known yet whether they are taken, last is the latest number.
	pending map[batchNumber]struct{}
	last    batchNumber
	// assembled are those that were read from the journal and of which nobody knows whether the logs pipeline took
	// them: their copies are passed on, but say nothing new of their runs.
	assembled map[event.Key]struct{}
}

// batchNumber tells a batch from those that are under way with it; 0 is none.
type batchNumber uint32

func newSeen(limit int) *seen {
	return &seen{
		limit: limit, young: map[event.Key]batchNumber{}, old: map[event.Key]batchNumber{},
		pending: map[batchNumber]struct{}{}, assembled: map[event.Key]struct{}{},
	}
}

// acquaintance is how an event is known already.
type acquaintance uint8

const (
	// unknown: it is here for the first time, or nothing tells it from others.
	unknown acquaintance = iota
	// duplicate: it was here.
	duplicate
	// assembled: its run knows it, and the logs pipeline may not.
	assembled
	// underWay: another batch has it, and its end is open.
	underWay
)

// begin takes down the events of a batch, and tells how each is known.
func (s *seen) begin(items []item) batchNumber {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last+1, 1)
	number := s.last
	s.pending[number] = struct{}{}
	for i := range items {
		if it := &items[i]; it.key != 0 {
			it.known = s.add(it.key, number)
		}
	}
	return number
}

func (s *seen) add(key event.Key, number batchNumber) acquaintance {
	before, ok := s.young[key]
	if !ok {
		before, ok = s.old[key]
	}
	if !ok {
		s.put(key, number)
		if _, ok := s.assembled[key]; ok && len(s.assembled) > 0 {
			return assembled
		}
		return unknown
	}
	if _, pending := s.pending[before]; pending && before != number {
		return underWay
	}
	return duplicate
}

func (s *seen) put(key event.Key, number batchNumber) {
	if len(s.young) >= s.limit {
		s.old, s.young = s.young, make(map[event.Key]batchNumber, s.limit)
	}
	s.young[key] = number
}

// end tells whether a batch was taken. If not its events are forgotten: the sender will send them again.
func (s *seen) end(number batchNumber, items []item, taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, number)
	if taken && len(s.assembled) == 0 {
		return
	}
	for i := range items {
		key := items[i].key
		switch {
		case key == 0:
		case taken:
			delete(s.assembled, key)
		default:
			for _, generation := range []map[event.Key]batchNumber{s.young, s.old} {
				if generation[key] == number {
					delete(generation, key)
				}
			}
		}
	}
}

// keep remembers events that were taken before the receiver started.
func (s *seen) keep(keys ...event.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		s.put(key, 0)
	}
}

// keepAssembled remembers an event whose run knows it and the logs pipeline may not.
func (s *seen) keepAssembled(key event.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.assembled[key] = struct{}{}
}

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

// seen remembers the keys of the latest events, in two generations: when the young one is full the old one goes.
// Those of batches that are still under way stand apart: a copy of one of them is no duplicate yet.
type seen struct {
	mu         sync.Mutex
	limit      int
	young, old map[event.Key]struct{}
	pending    map[event.Key]*batch
	// assembled are those that were read from the journal and of which nobody knows whether the logs pipeline took
	// them: their copies are passed on, but say nothing new of their runs.
	assembled map[event.Key]struct{}
}

func newSeen(limit int) *seen {
	return &seen{
		limit: limit, young: map[event.Key]struct{}{}, old: map[event.Key]struct{}{}, pending: map[event.Key]*batch{},
		assembled: map[event.Key]struct{}{},
	}
}

// add reports whether the key is new, and takes it down for the batch if so; underWay tells that another batch,
// whose end is open, has it.
func (s *seen) add(key event.Key, b *batch) (fresh, underWay bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.young[key]; ok {
		return false, false
	}
	if _, ok := s.old[key]; ok {
		return false, false
	}
	if other, ok := s.pending[key]; ok {
		return false, other != b
	}
	s.pending[key] = b
	return true, false
}

// keep remembers the keys of a batch that was taken.
func (s *seen) keep(keys []event.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		delete(s.pending, key)
		delete(s.assembled, key)
		if len(s.young) >= s.limit {
			s.old, s.young = s.young, make(map[event.Key]struct{}, s.limit)
		}
		s.young[key] = struct{}{}
	}
}

// keepAssembled remembers an event whose run knows it and the logs pipeline may not.
func (s *seen) keepAssembled(key event.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.assembled[key] = struct{}{}
}

// isAssembled tells whether the run of an event knows it.
func (s *seen) isAssembled(key event.Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.assembled[key]
	return ok
}

// forget gives up the keys of a batch that was refused: the sender will send its events again.
func (s *seen) forget(keys []event.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		delete(s.pending, key)
	}
}

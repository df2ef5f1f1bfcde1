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
type seen struct {
	mu         sync.Mutex
	limit      int
	young, old map[event.Key]struct{}
}

func newSeen(limit int) *seen {
	return &seen{limit: limit, young: map[event.Key]struct{}{}, old: map[event.Key]struct{}{}}
}

// add remembers the key and reports whether it is new.
func (s *seen) add(key event.Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.young[key]; ok {
		return false
	}
	if _, ok := s.old[key]; ok {
		return false
	}
	if len(s.young) >= s.limit {
		s.old, s.young = s.young, make(map[event.Key]struct{}, s.limit)
	}
	s.young[key] = struct{}{}
	return true
}

// forget takes keys back whose events were refused: the sender will send them again.
func (s *seen) forget(keys []event.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		delete(s.young, key)
		delete(s.old, key)
	}
}

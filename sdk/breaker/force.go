// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"errors"
	"time"
)

// Mode says who decides the state of a breaker.
type Mode uint8

// The modes.
const (
	// Auto: the outcomes decide.
	Auto Mode = iota
	// ForceOpen permits no calls.
	ForceOpen
	// ForceClosed permits all calls.
	ForceClosed
)

// ErrTooManyForced says that no more keys can be forced: those that are fill the registry.
var ErrTooManyForced = errors.New("breaker: too many keys are forced")

// Force sets who decides the state of k, from now on. Outcomes are counted and judged underneath all the same, and
// [Auto] goes back to what they came to. A forced key is not evicted. In the answer From equals To when nothing
// changed; a mode that is none is [Auto].
func (r *Registry) Force(k Key, mode Mode, now time.Time) (Transition, error) {
	if mode > ForceClosed {
		mode = Auto
	}
	s := r.shards.of(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if mode == Auto && s.entries[k] == nil {
		return unchanged(closed, 0), nil
	}
	e := s.touch(k, r)
	if e == nil {
		return Transition{}, ErrTooManyForced
	}
	s.pin(e, mode != Auto)
	t := nanos(now)
	e.rewind(t+r.geometry.tolerance, &r.geometry)
	return e.force(mode, t), nil
}

func unchanged(s state, generation uint64) Transition {
	return Transition{From: stateNames[s], To: stateNames[s], Generation: generation}
}

func (m *machine) force(mode Mode, t int64) Transition {
	t = max(t, m.shown())
	before := m.seen(t)
	if mode == m.mode {
		return unchanged(before.state, before.generation)
	}
	m.troubled()
	m.mode = mode
	next := span{at: t, until: never, opened: never, generation: before.generation + 1}
	switch mode {
	case ForceOpen:
		next.state, next.opened = forcedOpen, t
	case ForceClosed:
		next.state = forcedClosed
	default:
		if g := m.phase.generation + m.forcings; g <= before.generation {
			m.forcings += before.generation + 1 - g
		}
		next = m.phaseSpan(t)
	}
	return m.show(next, ReasonForced)
}

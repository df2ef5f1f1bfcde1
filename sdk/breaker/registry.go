// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"cmp"
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Key names what a breaker guards: one kind of call to one provider.
type Key struct{ Operation, Provider string }

// String is "operation/provider".
func (k Key) String() string { return k.Operation + "/" + k.Provider }

// Snapshot is one breaker as it was at a time.
type Snapshot struct {
	Key   Key
	State semconv.BreakerState
	// ConsecutiveFailures is the present streak of a closed breaker.
	ConsecutiveFailures int
	// OpenedAt is when the breaker last opened, as of the time asked for; zero for a closed one.
	OpenedAt time.Time
	// RetryAfter is how long the breaker stays open yet; zero unless it is open.
	RetryAfter time.Duration
	// Generation counts the transitions up to the time asked for.
	Generation uint64
}

// Registry holds one breaker per key. It may be used by several goroutines at once.
type Registry struct {
	settings Settings

	mu      sync.RWMutex
	entries map[Key]*list.Element // of *entry
	recent  *list.List            // most recently recorded first
	evicted uint64
}

type entry struct {
	key Key
	machine
}

// New makes an empty registry: every breaker is closed until its outcomes say otherwise.
func New(s Settings) *Registry {
	return &Registry{settings: s.orDefaults(), entries: map[Key]*list.Element{}, recent: list.New()}
}

// Record tells the outcome of a call; the answer is the transition that this outcome caused, if it did. That an
// open breaker became half-open is nobody's doing and never the answer.
func (r *Registry) Record(k Key, o Outcome) (Transition, bool) {
	if o.NotPermitted {
		return Transition{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.touch(k).record(o, &r.settings)
}

// touch returns the breaker of k as the most recently used, making it and room for it.
func (r *Registry) touch(k Key) *entry {
	if el, ok := r.entries[k]; ok {
		r.recent.MoveToFront(el)
		return el.Value.(*entry)
	}
	if len(r.entries) >= r.settings.MaxKeys {
		oldest := r.recent.Back()
		delete(r.entries, r.recent.Remove(oldest).(*entry).key)
		r.evicted++
	}
	e := &entry{key: k}
	r.entries[k] = r.recent.PushFront(e)
	return e
}

// StateAt is the breaker of k as it was at t, as far as its last transitions are remembered. A key without
// outcomes is closed. Asking changes nothing.
func (r *Registry) StateAt(k Key, t time.Time) Snapshot {
	r.mu.RLock()
	defer r.mu.RUnlock()
	el, ok := r.entries[k]
	if !ok {
		return Snapshot{Key: k, State: semconv.BreakerClosed}
	}
	return el.Value.(*entry).snapshot(t, &r.settings)
}

// List returns all breakers as they are at now, sorted by operation and provider.
func (r *Registry) List(now time.Time) []Snapshot {
	r.mu.RLock()
	out := make([]Snapshot, 0, len(r.entries))
	for _, el := range r.entries {
		out = append(out, el.Value.(*entry).snapshot(now, &r.settings))
	}
	r.mu.RUnlock()
	slices.SortFunc(out, func(a, b Snapshot) int {
		return cmp.Or(cmp.Compare(a.Key.Operation, b.Key.Operation), cmp.Compare(a.Key.Provider, b.Key.Provider))
	})
	return out
}

// Len is the number of breakers that are kept.
func (r *Registry) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.entries)
}

// Evicted is the number of breakers that were forgotten to make room.
func (r *Registry) Evicted() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.evicted
}

func (e *entry) snapshot(t time.Time, s *Settings) Snapshot {
	in := e.stateAt(t, s)
	snap := Snapshot{Key: e.key, State: in.To, Generation: in.Generation}
	switch in.To {
	case semconv.BreakerClosed:
		snap.ConsecutiveFailures = len(e.failures)
	case semconv.BreakerOpen:
		snap.OpenedAt = in.At
		if !in.At.IsZero() {
			snap.RetryAfter = in.At.Add(s.OpenFor).Sub(t)
		}
	case semconv.BreakerHalfOpen:
		if !in.At.IsZero() {
			snap.OpenedAt = in.At.Add(-s.OpenFor)
		}
	}
	return snap
}

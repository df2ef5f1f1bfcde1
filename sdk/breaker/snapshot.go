// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"slices"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Snapshot is one breaker as it was at a time.
type Snapshot struct {
	Key   Key
	State semconv.BreakerState
	// FailureRatio of the Calls in the window that ends at the time asked for; zero when there were none. Those from
	// before the breaker last closed are forgotten.
	FailureRatio float64
	// Calls that reached the provider, and calls that open breakers elsewhere rejected.
	Calls, NotPermitted uint64
	// ConsecutiveFailures is the present streak of a closed breaker, as far as it matters.
	ConsecutiveFailures int
	// OpenedAt is when the breaker last opened, as of the time asked for; zero for a closed one.
	OpenedAt time.Time
	// RetryAfter is how long the breaker stays open yet; zero unless it is open.
	RetryAfter time.Duration
	// Generation of the last change of state up to the time asked for.
	Generation uint64
}

// StateAt is the breaker of k as it was at t, as far as its last changes are remembered. A key without outcomes is
// closed. Asking changes nothing.
func (r *Registry) StateAt(k Key, t time.Time) Snapshot {
	s := r.shards.of(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[k]; e != nil {
		return e.snapshot(nanos(t), &r.geometry)
	}
	return Snapshot{Key: k, State: semconv.BreakerClosed}
}

// List returns all breakers as they are at now, sorted by operation and provider.
func (r *Registry) List(now time.Time) []Snapshot {
	t := nanos(now)
	out := make([]Snapshot, 0, r.Len())
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for _, e := range s.entries {
			out = append(out, e.snapshot(t, &r.geometry))
		}
		s.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b Snapshot) int { return compareKeys(a.Key, b.Key) })
	return out
}

func (e *entry) snapshot(t int64, g *geometry) Snapshot {
	in := e.seen(t)
	snap := Snapshot{Key: e.key, State: stateNames[in.state], OpenedAt: timeOf(in.opened), Generation: in.generation}
	if in.state == open && in.until != never {
		snap.RetryAfter = time.Duration(in.until - t)
	}
	if in.state == closed {
		snap.ConsecutiveFailures = len(e.streak)
	}
	sum := e.window.sum(g.bucket(t), g.window)
	snap.Calls, snap.NotPermitted = sum.calls(), sum.notPermitted
	if snap.Calls > 0 {
		snap.FailureRatio = float64(sum.failures) / float64(snap.Calls)
	}
	return snap
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"time"
)

// Key names what a breaker guards: one kind of call to one provider.
type Key struct{ Operation, Provider string }

// String is "operation/provider".
func (k Key) String() string { return k.Operation + "/" + k.Provider }

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Provider, b.Provider))
}

// hashOf is a hash of both names, kept apart. It is the same in every process: the jitter is, and a full registry takes
// back all that it exported.
func hashOf(k Key) uint64 { return mix(hashOn(hashOn(0, k.Operation), k.Provider)) }

// hashOn takes eight bytes at once, as every call needs it.
func hashOn(h uint64, s string) uint64 {
	const odd = 0x9e3779b97f4a7c15
	h = (h ^ uint64(len(s))) * odd
	for ; len(s) >= 8; s = s[8:] {
		h = (h ^ h>>32 ^ binary.LittleEndian.Uint64([]byte(s))) * odd
	}
	var rest uint64
	for i := range len(s) {
		rest = rest<<8 | uint64(s[i])
	}
	return (h ^ h>>32 ^ rest) * odd
}

// mix is the end of splitmix64: every bit of x makes a difference to every bit of the result.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Registry holds one breaker per key. It may be used by several goroutines at once.
type Registry struct {
	settings Settings
	geometry geometry
	policy   *policy
	// overrides are the policies of settings.Overrides.
	overrides []*policy
	// shards share the keys by their hash, and MaxKeys, so that those who ask do not wait for each other.
	shards sharding
}

// Few keys live in one shard: only it forgets exactly the breaker that was unused for longest of all.
const (
	shards   = 16
	manyKeys = 64 * shards
)

// sharding is one shard, or as many as the constant says.
type sharding []shard

// shard is the breakers of some of the keys.
type shard struct {
	mu      sync.Mutex // an RWMutex takes longer, and those who only ask would write to it, too
	entries map[Key]*entry
	// recent is the ring of the entries that may be evicted: next is the one used last, prev the one unused for longest.
	recent *entry
	pinned int
	max    int
	tally  tally
	_      [64]byte // shards lie side by side: no cache line belongs to two
}

type entry struct {
	key        Key
	prev, next *entry // both nil for one that is not evicted
	machine
}

// New makes an empty registry: every breaker is closed until its outcomes say otherwise.
func New(s Settings) *Registry {
	s = s.orDefaults()
	s.Overrides = slices.Clone(s.Overrides)
	r := &Registry{settings: s, geometry: s.geometry(), policy: s.policy(false)}
	for i := range s.Overrides {
		o := &s.Overrides[i]
		with := s.with(o)
		r.overrides = append(r.overrides, with.policy(o.Disabled))
	}
	n := 1
	if s.MaxKeys >= manyKeys {
		n = shards
	}
	r.shards = make(sharding, n)
	for i := range r.shards {
		sh := &r.shards[i]
		sh.max = s.MaxKeys / n
		if i < s.MaxKeys%n {
			sh.max++
		}
		sh.reset()
	}
	return r
}

// of is the shard of k.
func (all sharding) of(k Key) *shard {
	if len(all) == 1 {
		return &all[0]
	}
	return &all[hashOf(k)%shards]
}

func (s *shard) reset() {
	s.entries, s.pinned = map[Key]*entry{}, 0
	s.recent = &entry{}
	s.recent.prev, s.recent.next = s.recent, s.recent
}

func (r *Registry) policyOf(k Key) *policy {
	for i := range r.settings.Overrides {
		if r.settings.Overrides[i].matches(k) {
			return r.overrides[i]
		}
	}
	return r.policy
}

// Record tells the outcome of a call; the answer is the change of state that this outcome caused, if it did. That
// an open breaker became half-open is nobody's doing and never the answer. Each call is to be told once. A time
// more than [Settings.ClockTolerance] after now counts as that much after now.
func (r *Registry) Record(k Key, o Outcome, now time.Time) (Transition, bool) {
	s, e := r.shards.of(k), o.ended(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.touch(k, r)
	if to == nil {
		return Transition{}, false
	}
	return to.record(&e, &r.geometry, &s.tally)
}

// touch returns the breaker of k as the most recently used, making it and room for it; nil when the room is taken
// by keys that are forced.
func (s *shard) touch(k Key, r *Registry) *entry {
	if e := s.entries[k]; e != nil {
		if e.next != nil && e != s.recent.next {
			s.unlink(e)
			s.link(e)
		}
		return e
	}
	if len(s.entries) >= s.max {
		oldest := s.recent.prev
		if oldest == s.recent {
			return nil
		}
		s.unlink(oldest)
		delete(s.entries, oldest.key)
		s.tally.evicted++
	}
	// The names may be parts of something big.
	k = Key{strings.Clone(k.Operation), strings.Clone(k.Provider)}
	e := &entry{key: k, machine: newMachine(r.policyOf(k), &r.geometry, hashOf(k))}
	s.entries[k] = e
	s.link(e)
	return e
}

func (s *shard) link(e *entry) {
	e.prev, e.next = s.recent, s.recent.next
	e.prev.next, e.next.prev = e, e
}

func (s *shard) unlink(e *entry) {
	e.prev.next, e.next.prev = e.next, e.prev
	e.prev, e.next = nil, nil
}

// pin keeps e from being evicted, or no longer.
func (s *shard) pin(e *entry, pin bool) {
	switch {
	case pin && e.next != nil:
		s.unlink(e)
		s.pinned++
	case !pin && e.next == nil:
		s.link(e)
		s.pinned--
	}
}

// Stats is what became of keys and outcomes since the registry was made.
type Stats struct {
	// Keys that are kept, and how many of them are forced.
	Keys, Forced int
	// Evicted breakers were forgotten to make room.
	Evicted uint64
	// Late outcomes came later than is allowed, and were ignored.
	Late uint64
	// Stale outcomes are of calls that started before the breaker closed, and were ignored.
	Stale uint64
	// Ahead is how many outcomes ended in the future, and were counted as of now.
	Ahead uint64
}

// Stats adds up what all shards counted.
func (r *Registry) Stats() Stats {
	var out Stats
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		out.Keys += len(s.entries)
		out.Forced += s.pinned
		out.Evicted += s.tally.evicted
		out.Late += s.tally.late
		out.Stale += s.tally.stale
		out.Ahead += s.tally.ahead
		s.mu.Unlock()
	}
	return out
}

// Len is the number of breakers that are kept.
func (r *Registry) Len() int { return r.Stats().Keys }

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

// Counts is what is known of the calls that ended in one bucket, or in several.
type Counts struct {
	Successes, Failures uint32
	// Slow is how many of these took too long.
	Slow uint32
	// NotPermitted calls were rejected by an open breaker somewhere. They are none of the others.
	NotPermitted uint32
}

// maxCount bounds every count, also what comes from elsewhere: sums never wrap around.
const maxCount = 1 << 30

// count adds one.
func count(n *uint32) {
	if *n < maxCount {
		*n++
	}
}

func (c Counts) plus(o Counts) Counts {
	add := func(a, b uint32) uint32 { return min(min(a, maxCount)+min(b, maxCount), maxCount) }
	return Counts{add(c.Successes, o.Successes), add(c.Failures, o.Failures), add(c.Slow, o.Slow), add(c.NotPermitted, o.NotPermitted)}
}

// minus never goes below zero.
func (c Counts) minus(o Counts) Counts {
	sub := func(a, b uint32) uint32 { return a - min(a, b) }
	return Counts{sub(c.Successes, o.Successes), sub(c.Failures, o.Failures), sub(c.Slow, o.Slow), sub(c.NotPermitted, o.NotPermitted)}
}

// total of a window.
type total struct{ successes, failures, slow, notPermitted uint64 }

func (t *total) add(c *Counts) {
	t.successes += uint64(c.Successes)
	t.failures += uint64(c.Failures)
	t.slow += uint64(c.Slow)
	t.notPermitted += uint64(c.NotPermitted)
}

// calls that reached the provider.
func (t *total) calls() uint64 { return t.successes + t.failures }

// window is a ring of the latest buckets of event time.
type window struct {
	// head is the number of the newest bucket, pos where in the ring it is.
	head int64
	pos  int
	own  []Counts
	// shared is only there when counts are exchanged with others.
	shared *sharedCounts
}

// sharedCounts are rings beside the own one, with the same positions.
type sharedCounts struct {
	// sent is the part of the own counts that the others know of; others is what they counted.
	sent, others []Counts
	// streak, lastSuccess and good are what the others know of those of the machine.
	streak      []int64
	lastSuccess int64
	good        int
	// told is the phase that the others know of.
	told phase
}

// forget is for a new phase, which begins with none of these.
func (s *sharedCounts) forget() { s.streak, s.lastSuccess, s.good = s.streak[:0], never, 0 }

// roll makes b the newest bucket unless there is a newer one; what falls out of the ring is forgotten.
func (w *window) roll(b int64) {
	if b <= w.head {
		return
	}
	n := b - w.head
	w.head = b
	if n >= int64(len(w.own)) {
		w.clear()
		return
	}
	for ; n > 0; n-- {
		if w.pos++; w.pos == len(w.own) {
			w.pos = 0
		}
		w.own[w.pos] = Counts{}
		if w.shared != nil {
			w.shared.sent[w.pos], w.shared.others[w.pos] = Counts{}, Counts{}
		}
	}
}

func (w *window) clear() {
	clear(w.own)
	if w.shared != nil {
		clear(w.shared.sent)
		clear(w.shared.others)
	}
}

// at is the place of bucket b in the rings, -1 when it is too old or still to come.
func (w *window) at(b int64) int {
	if b > w.head || w.head-b >= int64(len(w.own)) {
		return -1
	}
	i := w.pos - int(w.head-b)
	if i < 0 {
		i += len(w.own)
	}
	return i
}

// sum of the n buckets that end with b.
func (w *window) sum(b int64, n int) (t total) {
	for ; n > 0; n-- {
		if i := w.at(b); i >= 0 {
			t.add(&w.own[i])
			if w.shared != nil {
				t.add(&w.shared.others[i])
			}
		}
		b--
	}
	return t
}

// share makes room for the counts of others.
func (w *window) share() *sharedCounts {
	if w.shared == nil {
		w.shared = &sharedCounts{
			sent:        make([]Counts, len(w.own)),
			others:      make([]Counts, len(w.own)),
			lastSuccess: never,
			told:        noPhase,
		}
	}
	return w.shared
}

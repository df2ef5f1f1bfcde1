// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"cmp"
	"slices"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Several processes judge as one by adding up what they counted. Each tells, now and then, what is new since it
// last did (Delta), to a place that merges what it is told (Merge), and reads back the sums (Apply). Nobody waits
// for anybody: between two exchanges each judges by what it knows, and the higher generation wins.
//
// Shared is all that opens or closes a breaker: counts of calls, failures in a row, successes of half-open, and the
// decisions themselves. All need the same Window and Buckets, and a Source of their own.

// Shared is what processes tell each other of one key: new counts, or the sums of all.
type Shared struct {
	Key Key
	// Epoch is the generation of the close that the counts began with. Counts of two epochs do not add up.
	Epoch   uint64
	Buckets []BucketCounts
	// LastSuccess is the latest end of a good call, zero for none; Streak is the ends of failures after it, in order.
	// Both are of calls while the breaker was closed.
	LastSuccess time.Time
	Streak      []time.Time
	// Phase is the last decision; its State is "" when there is nothing new.
	Phase Phase
	// Probes is the successes while half-open.
	Probes Probes
}

// Probes is the calls that succeeded after an open time was over.
type Probes struct {
	// Generation is that of the opening.
	Generation uint64
	Successes  uint32
}

// news reports whether there is anything to tell.
func (s *Shared) news() bool {
	return s.Phase.State != "" || len(s.Buckets) > 0 || len(s.Streak) > 0 || s.Probes.Successes > 0 || !s.LastSuccess.IsZero()
}

// BucketCounts is the counts of one bucket of event time.
type BucketCounts struct {
	// Bucket is the start of the bucket in event time, in widths of a bucket since 1970.
	Bucket int64
	Counts Counts
}

// Phase is the decision that a breaker is open or closed; half-open follows from the time.
type Phase struct {
	// State is open or closed.
	State semconv.BreakerState
	// At is since when. Until is when an open breaker becomes half-open.
	At, Until  time.Time
	Generation uint64
	// Openings in a row.
	Openings uint32
	// Source is the process that decided it.
	Source string
}

// Wins reports whether p stands where q was decided, too: the higher generation, else the earlier, else the
// smaller source, else open.
func (p Phase) Wins(q Phase) bool {
	return cmp.Or(
		cmp.Compare(q.Generation, p.Generation),
		p.At.Compare(q.At),
		cmp.Compare(p.Source, q.Source),
		cmp.Compare(q.State, p.State),
	) < 0
}

// Merge adds up what was told of one key. The order in which things are merged does not matter. Buckets of the
// result are sorted; how many are kept is for the caller to bound, by time. Of failures in a row it keeps the last,
// at most as many as [Registry.LongestStreak] says.
func Merge(a, b Shared, longestStreak int) Shared {
	if a.Epoch < b.Epoch {
		a, b = b, a
	}
	if a.Phase.State == "" || b.Phase.State != "" && b.Phase.Wins(a.Phase) {
		a.Phase = b.Phase
	}
	a.Probes = a.Probes.plus(b.Probes)
	if a.Epoch != b.Epoch {
		b.Buckets, b.Streak, b.LastSuccess = nil, nil, time.Time{}
	}
	a.Buckets = addUp(a.Buckets, b.Buckets)
	if b.LastSuccess.After(a.LastSuccess) {
		a.LastSuccess = b.LastSuccess
	}
	a.Streak = slices.Concat(a.Streak, b.Streak)
	a.Streak = slices.DeleteFunc(a.Streak, func(t time.Time) bool { return !t.After(a.LastSuccess) })
	slices.SortFunc(a.Streak, time.Time.Compare)
	a.Streak = a.Streak[max(0, len(a.Streak)-longestStreak):]
	return a
}

func (p Probes) plus(q Probes) Probes {
	switch {
	case p.Generation < q.Generation:
		return q
	case p.Generation > q.Generation:
		return p
	}
	p.Successes = min(p.Successes, maxInARow) + min(q.Successes, maxInARow)
	return Probes{p.Generation, min(p.Successes, maxInARow)}
}

// addUp leaves one count for each bucket, sorted.
func addUp(a, b []BucketCounts) []BucketCounts {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y BucketCounts) int { return cmp.Compare(x.Bucket, y.Bucket) })
	sums := all[:0]
	for _, c := range all {
		if last := len(sums) - 1; last >= 0 && sums[last].Bucket == c.Bucket {
			sums[last].Counts = sums[last].Counts.plus(c.Counts)
		} else {
			sums = append(sums, c)
		}
	}
	return sums
}

// LongestStreak is how many failures in a row any breaker needs to know of.
func (r *Registry) LongestStreak() int {
	longest := r.policy.longestStreak()
	for _, p := range r.overrides {
		longest = max(longest, p.longestStreak())
	}
	return longest
}

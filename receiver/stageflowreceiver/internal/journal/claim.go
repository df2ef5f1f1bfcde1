// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import "slices"

// Claim is what one owner needs of the journal: a run in flight, a call's end that waits for its start, the memory
// of a run that has left. A nil claim is one on nothing.
type Claim struct {
	journal   *Journal
	owner     string
	positions []Position
	// joined are claims that this one has taken over.
	joined   []*Claim
	released bool
}

// Claim makes an empty claim for an owner, as the journal's owners function names it. It is nil without a journal.
func (j *Journal) Claim(owner string) *Claim {
	if j == nil {
		return nil
	}
	return &Claim{journal: j, owner: owner}
}

// Add claims what the entry says of the owner. The entry is open, or it is too late.
func (c *Claim) Add(pos Position) {
	if c == nil || pos == 0 {
		return
	}
	c.journal.mu.Lock()
	defer c.journal.mu.Unlock()
	e := c.journal.at(pos)
	if c.released || e == nil || slices.Contains(c.positions[max(0, len(c.positions)-4):], pos) {
		return
	}
	c.positions = append(c.positions, pos)
	e.claims = append(e.claims, c)
	e.held++
}

// Join takes over another owner's claim.
func (c *Claim) Join(other *Claim) {
	if c == nil || other == nil {
		return
	}
	c.journal.mu.Lock()
	defer c.journal.mu.Unlock()
	c.joined = append(c.joined, other)
}

// Release gives the claim up, and with it those that it has taken over.
func (c *Claim) Release() {
	if c == nil {
		return
	}
	c.journal.mu.Lock()
	defer c.journal.mu.Unlock()
	c.release()
}

func (c *Claim) release() {
	j := c.journal
	for _, pos := range c.positions {
		e := j.at(pos)
		if e == nil {
			continue
		}
		e.held--
		if !e.open {
			j.claimed -= int64(e.share)
		}
		if e.held == 0 && !e.open {
			e.claims = nil
		}
	}
	c.positions, c.released = nil, true
	for _, other := range c.joined {
		other.release()
	}
	c.joined = nil
}

// Owned is what one owner has in the journal.
type Owned struct {
	Owner     string
	Positions []Position
}

// Owned lists what the claim holds, and what it has taken over, for a mark that says that all of it has been handed
// on.
func (c *Claim) Owned() []Owned {
	if c == nil {
		return nil
	}
	c.journal.mu.Lock()
	defer c.journal.mu.Unlock()
	out := []Owned{{c.owner, slices.Clone(c.positions)}}
	for _, other := range c.joined {
		out = append(out, Owned{other.owner, slices.Clone(other.positions)})
	}
	return out
}

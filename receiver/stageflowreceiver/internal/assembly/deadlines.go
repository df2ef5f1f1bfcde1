// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import "time"

// deadlines orders the runs in flight by when they should be looked at. Nearly every event moves the deadline of its run,
// and nearly always to later: then it is only written down in the run, which goes to its new place when the old one has
// come to the front. No run is filed under a time later than its deadline.
type deadlines struct {
	// heap is a binary heap: none is filed under an earlier time than the one above it, at (i-1)/2.
	heap []filed
}

// filed is a run and the time that it has its place by. The time is here, too, so that runs are compared without looking
// at them: there may be many, anywhere in memory.
type filed struct {
	at  time.Time
	run *run
}

// push takes a run in.
func (d *deadlines) push(r *run, at time.Time) {
	r.deadline = at
	d.heap = append(d.heap, filed{at, r})
	d.up(len(d.heap) - 1)
}

// set moves the deadline of a run.
func (d *deadlines) set(r *run, at time.Time) {
	r.deadline = at
	if f := &d.heap[r.index]; at.Before(f.at) {
		f.at = at
		d.up(r.index)
	}
}

// remove takes a run out.
func (d *deadlines) remove(r *run) {
	i, last := r.index, len(d.heap)-1
	moved := d.heap[last]
	d.heap[last] = filed{}
	if d.heap = d.heap[:last]; i == last {
		return
	}
	d.heap[i] = moved
	d.down(i)
	d.up(moved.run.index)
}

// first is the run whose turn comes first, nil when there is none.
func (d *deadlines) first() *run {
	for len(d.heap) > 0 {
		f := &d.heap[0]
		if !f.run.deadline.After(f.at) {
			return f.run
		}
		f.at = f.run.deadline
		d.down(0)
	}
	return nil
}

// up moves the run at i to the front until none above it comes later.
func (d *deadlines) up(i int) {
	moving := d.heap[i]
	for i > 0 {
		above := (i - 1) / 2
		if !moving.at.Before(d.heap[above].at) {
			break
		}
		d.put(i, d.heap[above])
		i = above
	}
	d.put(i, moving)
}

// down moves the run at i to the back until none below it comes earlier.
func (d *deadlines) down(i int) {
	moving := d.heap[i]
	for {
		below := 2*i + 1
		if below >= len(d.heap) {
			break
		}
		if other := below + 1; other < len(d.heap) && d.heap[other].at.Before(d.heap[below].at) {
			below = other
		}
		if !d.heap[below].at.Before(moving.at) {
			break
		}
		d.put(i, d.heap[below])
		i = below
	}
	d.put(i, moving)
}

func (d *deadlines) put(i int, f filed) {
	d.heap[i], f.run.index = f, i
}

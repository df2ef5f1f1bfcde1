// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"container/heap"
	"time"
)

// deadlines orders the runs in flight by when they should be looked at. Nearly every event moves the deadline of its run,
// and nearly always to later: then it is only written down in the run, which goes to its new place when the old one has
// come to the front. No run is filed under a time later than its deadline.
type deadlines struct{ filed byTime }

// push takes a run in.
func (d *deadlines) push(r *run, at time.Time) {
	r.deadline = at
	heap.Push(&d.filed, r)
}

// set moves the deadline of a run.
func (d *deadlines) set(r *run, at time.Time) {
	r.deadline = at
	if f := &d.filed[r.index]; at.Before(f.at) {
		f.at = at
		heap.Fix(&d.filed, r.index)
	}
}

// remove takes a run out.
func (d *deadlines) remove(r *run) { heap.Remove(&d.filed, r.index) }

// first is the run whose turn comes first, nil when there is none.
func (d *deadlines) first() *run {
	for len(d.filed) > 0 {
		f := &d.filed[0]
		if !f.run.deadline.After(f.at) {
			return f.run
		}
		f.at = f.run.deadline
		heap.Fix(&d.filed, 0)
	}
	return nil
}

// byTime is the heap of runs, each with the time that it has its place by. The time is here, too, so that runs are
// compared without looking at them: there may be many, anywhere in memory.
type byTime []filed

type filed struct {
	at  time.Time
	run *run
}

func (h byTime) Len() int           { return len(h) }
func (h byTime) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

func (h byTime) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].run.index, h[j].run.index = i, j
}

// Push files a run under its deadline.
func (h *byTime) Push(x any) {
	r := x.(*run)
	r.index = len(*h)
	*h = append(*h, filed{r.deadline, r})
}

// Pop takes the last out.
func (h *byTime) Pop() any {
	last := len(*h) - 1
	r := (*h)[last].run
	(*h)[last] = filed{}
	*h = (*h)[:last]
	return r
}

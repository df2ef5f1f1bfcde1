// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"container/heap"
	"time"
)

// deadlines orders the runs in flight by when they should be looked at.
type deadlines struct{ heap runHeap }

func (d *deadlines) push(r *run) { heap.Push(&d.heap, r) }

func (d *deadlines) set(r *run, at time.Time) {
	if r.deadline.Equal(at) { // as after all events of a batch but the first
		return
	}
	r.deadline = at
	heap.Fix(&d.heap, r.index)
}

func (d *deadlines) remove(r *run) { heap.Remove(&d.heap, r.index) }

// first is the run whose turn comes first, nil when there is none.
func (d *deadlines) first() *run {
	if len(d.heap) == 0 {
		return nil
	}
	return d.heap[0]
}

type runHeap []*run

func (h runHeap) Len() int           { return len(h) }
func (h runHeap) Less(i, j int) bool { return h[i].deadline.Before(h[j].deadline) }

func (h runHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *runHeap) Push(x any) {
	r := x.(*run)
	r.index = len(*h)
	*h = append(*h, r)
}

func (h *runHeap) Pop() any {
	old := *h
	r := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return r
}

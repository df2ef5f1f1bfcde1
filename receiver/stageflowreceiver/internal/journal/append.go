// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"fmt"
	"slices"

	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// Requests write one after the other, and a storage takes nearly as long for one entry as for ten. So what comes while
// another writes waits, and the next who may write does it for all.

// groupSize bounds the bytes that are written for all at once, and with them how long each waits for the others.
const groupSize = 4 << 20

// write is what a request wants of the storage: that an entry is appended, or that it is withdrawn.
type write struct {
	// stored is the entry, nil when the one at pos is withdrawn.
	stored []byte
	pos    Position
	// done and err tell what became of it. They are for whoever writes.
	done bool
	err  error
}

// Append stores an entry. It stays open, which keeps it from being cut off, until [Journal.Done] or
// [Journal.Withdraw].
func (j *Journal) Append(ctx context.Context, e *Entry) (Position, error) {
	if j == nil {
		return 0, nil
	}
	stored, err := e.marshal()
	if err != nil {
		return 0, fmt.Errorf("journal: an entry cannot be written: %w", err)
	}
	w := &write{stored: stored}
	j.do(ctx, w)
	if w.err != nil {
		return 0, fmt.Errorf("journal: the storage refused an entry of %d bytes: %w", len(stored), w.err)
	}
	return w.pos, nil
}

// Withdraw takes back an entry whose request is not acknowledged.
func (j *Journal) Withdraw(ctx context.Context, pos Position) error {
	if j == nil || pos == 0 {
		return nil
	}
	w := &write{pos: pos}
	j.do(ctx, w)
	return w.err
}

// do waits its turn, unless somebody else does it meanwhile.
func (j *Journal) do(ctx context.Context, w *write) {
	j.mu.Lock()
	j.waiting = append(j.waiting, w)
	j.mu.Unlock()
	j.writing.Lock()
	defer j.writing.Unlock()
	for !w.done {
		j.writeGroup(context.WithoutCancel(ctx)) // others wait for it, too
	}
}

// writeGroup does what has waited longest. What the storage refuses together it is asked for one by one: it may have room
// for some, or refuse one only.
func (j *Journal) writeGroup(ctx context.Context) {
	group := j.group()
	if err := j.put(ctx, group); err != nil && len(group) > 1 {
		for i := range group {
			_ = j.put(ctx, group[i:i+1]) // each tells its own
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, w := range group {
		w.done = true
		j.waiting[i] = nil
		if w.stored == nil {
			j.done(w.pos) // whether it is written down or not, nobody waits for it
		}
	}
	if j.waiting = j.waiting[len(group):]; len(j.waiting) == 0 {
		j.waiting = nil
	}
}

// group is what is written next.
func (j *Journal) group() []*write {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for size := 0; n < len(j.waiting) && (n == 0 || size+len(j.waiting[n].stored) <= groupSize); n++ {
		size += len(j.waiting[n].stored)
	}
	return slices.Clone(j.waiting[:n])
}

// put writes in one batch, with what can be cut off.
func (j *Journal) put(ctx context.Context, group []*write) error {
	next, ops, cut := j.begin(maxCut)
	sure := j.lowestUnderWay()
	for _, w := range group {
		pos, value := w.pos, w.stored
		if value == nil {
			value = tombstone(sure)
		} else {
			setSure(value, sure)
			pos, next = next, next+1
		}
		ops = append(ops, storage.SetOperation(pos.key(), value))
	}
	err := j.client.Batch(ctx, ops...)
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, w := range group {
		w.err = err
	}
	if err != nil {
		return err
	}
	j.cut(cut)
	for _, w := range group {
		if w.stored != nil {
			w.pos = j.next
			j.push(int32(len(w.stored)))
			j.underWay[w.pos] = struct{}{}
		}
	}
	return nil
}

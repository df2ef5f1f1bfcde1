// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"encoding/binary"

	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// maxCut bounds the entries that are cut off in one batch, and with it how long a request waits for that.
const maxCut = 64

// Trim cuts off what nobody claims any more at the front of the queue. Appending does the same, so it is needed only
// where nothing is appended. Cutting off needs some room itself, and how much depends on where the storage's pages
// begin and end, so from a storage that is full other numbers of entries are tried, too.
func (j *Journal) Trim(ctx context.Context) error {
	if j == nil {
		return nil
	}
	for most := maxCut; ; {
		n, err := j.trim(ctx, most)
		switch {
		case err != nil && most > 1:
			most--
		case err != nil || n < most:
			return err
		}
	}
}

// trim cuts off at most so many entries and returns how many it did.
func (j *Journal) trim(ctx context.Context, most int) (int, error) {
	j.writing.Lock()
	defer j.writing.Unlock()
	_, ops, n := j.begin(most)
	if n == 0 {
		return 0, nil
	}
	if err := j.client.Batch(ctx, ops...); err != nil {
		return 0, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.cut(n)
	return n, nil
}

// begin returns the next position and what cuts off n entries at the front, at most so many.
func (j *Journal) begin(most int) (next Position, ops []*storage.Operation, n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for n < min(len(j.entries), most) && !j.entries[n].open && j.entries[n].held == 0 {
		n++
	}
	return j.next, j.cutOps(n), n
}

func (j *Journal) cutOps(n int) []*storage.Operation {
	if n == 0 {
		return nil
	}
	ops := make([]*storage.Operation, 0, n+2)
	for i := range n {
		ops = append(ops, storage.DeleteOperation((j.first + Position(i)).key()))
	}
	return append(ops, storage.SetOperation(firstKey, binary.BigEndian.AppendUint64(nil, uint64(j.first)+uint64(n))))
}

// cut forgets the first n entries.
func (j *Journal) cut(n int) {
	for i := range n {
		j.size -= int64(j.entries[i].size)
		j.entries[i] = entry{}
	}
	j.entries = j.entries[n:]
	j.first += Position(n)
}

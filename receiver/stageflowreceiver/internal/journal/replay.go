// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// readAtOnce is how many entries are read from the storage in one batch.
const readAtOnce = 64

// scan finds the entries that the storage holds: from the first on, as far as none is missing.
func (j *Journal) scan(ctx context.Context) error {
	first, err := j.client.Get(ctx, firstKey)
	if err != nil {
		return fmt.Errorf("journal: the storage cannot be read: %w", err)
	}
	if len(first) == 8 {
		j.first = Position(binary.BigEndian.Uint64(first))
		j.next = j.first
	}
	for {
		ops := reads(j.next, readAtOnce)
		if err := j.client.Batch(ctx, ops...); err != nil {
			return fmt.Errorf("journal: the storage cannot be read: %w", err)
		}
		for _, op := range ops {
			if op.Value == nil {
				return nil
			}
			h, err := readHeader(op.Value)
			if errors.Is(err, errVersion) {
				return err
			}
			j.sure = max(j.sure, h.sure)
			j.push(int32(len(op.Value)))
		}
	}
}

func reads(from Position, n int) []*storage.Operation {
	ops := make([]*storage.Operation, 0, n)
	for i := range n {
		ops = append(ops, storage.GetOperation((from + Position(i)).key()))
	}
	return ops
}

// Replayed is an entry that was read back.
type Replayed struct {
	Position Position
	// Sure tells that its request had been answered; else nobody knows whether it was acknowledged.
	Sure   bool
	stored []byte
}

// Entry is what was appended.
func (r Replayed) Entry() (*Entry, error) {
	e, err := unmarshal(r.stored)
	if err != nil {
		return nil, fmt.Errorf("journal: entry %d cannot be read: %w", r.Position, err)
	}
	return e, nil
}

// Replay reads back the entries of a kind, in the order in which they were appended; those whose kind cannot be read are
// among the events. Claims on the entries are made meanwhile; [Journal.EndReplay] ends that.
func (j *Journal) Replay(ctx context.Context, kind Kind, visit func(Replayed)) error {
	if j == nil {
		return nil
	}
	for from := j.first; from < j.next; from += readAtOnce {
		ops := reads(from, int(min(readAtOnce, j.next-from)))
		if err := j.client.Batch(ctx, ops...); err != nil {
			return fmt.Errorf("journal: the storage cannot be read: %w", err)
		}
		for i, op := range ops {
			pos := from + Position(i)
			h, err := readHeader(op.Value)
			if (err == nil && h.kind != kind) || (err != nil && kind != Events) {
				continue
			}
			visit(Replayed{Position: pos, Sure: pos < j.sure, stored: op.Value})
		}
	}
	return nil
}

// EndReplay tells that all claims on what was read back have been made.
func (j *Journal) EndReplay() {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for pos := j.first; pos < j.next; pos++ {
		j.done(pos)
	}
}

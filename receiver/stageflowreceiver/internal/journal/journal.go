// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
)

// Position is the number of an entry. The first is 1; 0 is none.
type Position uint64

// firstKey holds the position of the first entry that has not been cut off. It sorts before all positions: a store
// that keeps its keys in order then has it beside what is cut off, and changes one place and not two. In a full one
// that is what makes cutting off possible.
const firstKey = "!first"

// key is where an entry is stored: in hex, so that stores which sort their keys append at the end.
func (p Position) key() string { return fmt.Sprintf("%016x", uint64(p)) }

// Journal is the queue of entries. It is safe for concurrent use. A nil journal is one that keeps nothing.
type Journal struct {
	client storage.Client
	owners func(plog.LogRecord) []string

	// writing is held while the storage is written, so that positions are stored in order and none is missing.
	writing sync.Mutex

	mu sync.Mutex
	// entries are those from first to before next.
	entries     []entry
	first, next Position
	// size is how many bytes the entries have, claimed how many of them somebody needs.
	size, claimed int64
	// waiting are the writes of requests that have not begun, and those that are being done, which come first.
	waiting []*write
	// underWay are entries of requests that are not answered yet.
	underWay map[Position]struct{}
	// sure is the position before which, when the journal was last written, no request was under way.
	sure Position
}

// entry is what is known of a stored entry without reading it.
type entry struct {
	size int32
	// held is how many claims there are on the entry, share how many of its bytes each is charged.
	held, share int32
	// open entries may still get claims.
	open   bool
	claims []*Claim
}

// Open reads what the storage holds. owners tells whose claims a record needs to be kept: a record is needed as
// long as one of them claims its entry.
func Open(ctx context.Context, client storage.Client, owners func(plog.LogRecord) []string) (*Journal, error) {
	j := &Journal{client: client, owners: owners, first: 1, next: 1, sure: 1, underWay: map[Position]struct{}{}}
	return j, j.scan(ctx)
}

// Done tells that all claims on an entry have been made.
func (j *Journal) Done(pos Position) {
	if j == nil || pos == 0 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.done(pos)
}

func (j *Journal) done(pos Position) {
	delete(j.underWay, pos)
	if e := j.at(pos); e != nil && e.open {
		e.open = false
		e.share = e.size / max(1, int32(len(e.claims)))
		j.claimed += int64(e.share * e.held)
	}
}

// Close closes the storage's client.
func (j *Journal) Close(ctx context.Context) error {
	if j == nil {
		return nil
	}
	return j.client.Close(ctx)
}

// Size is how many bytes the entries have that have not been cut off.
func (j *Journal) Size() int64 {
	if j == nil {
		return 0
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size
}

// lowestUnderWay is the position before which no request is under way.
func (j *Journal) lowestUnderWay() Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	lowest := j.next
	for p := range j.underWay {
		lowest = min(lowest, p)
	}
	return lowest
}

// push takes down that an entry was stored at the next position.
func (j *Journal) push(size int32) {
	j.entries = append(j.entries, entry{size: size, open: true})
	j.next++
	j.size += int64(size)
}

// at is the entry at a position, nil when it has been cut off.
func (j *Journal) at(pos Position) *entry {
	if pos < j.first || pos >= j.next {
		return nil
	}
	return &j.entries[pos-j.first]
}

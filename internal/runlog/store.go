// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog

import (
	"context"
	"time"
)

// Store keeps run records. Write may be called from several goroutines.
type Store interface {
	// Write joins a batch into the store. An error means that the same batch can be written again later: what
	// the store took of it does no harm the second time. What the store can never take is not an error but set
	// aside, in [Result.Rejected].
	Write(context.Context, *Batch) (Result, error)
	// Prune does one small step of a retention, and releases the store to who waits to write after it. Callers repeat
	// it while [Pruned.More]. Like Write it may be called from several goroutines, and again after an error.
	Prune(ctx context.Context, r Retention, now time.Time) (Pruned, error)
	// Retained tells what the store keeps, at the cost of a few look-ups however much that is. Like Write it may be
	// called from several goroutines.
	Retained(context.Context) (Retained, error)
	// Close waits for what goes on and closes the store.
	Close() error
}

// Retention says what a store need not keep. What is oldest goes first, a run by its updated_at and with everything
// below it; what belongs to no run by its own time. Records without any time count as the oldest.
type Retention struct {
	// MaxAge is how long after its last event a record is kept; 0 for ever.
	MaxAge time.Duration
	// MaxBytes is the size of the data, indexes included and free space not, above which the oldest go; 0 no bound.
	MaxBytes int64
}

// PruneRuns is how many runs, and how many records that belong to none, of each kind, one step of Prune deletes at most.
const PruneRuns = 500

// PruneShare is of how many runs one goes in a step that only MaxBytes asks for: a few large ones must not take all others
// with them.
const PruneShare = 10

// Pruned is what a step of Prune did.
type Pruned struct {
	// Rows counts the rows that were deleted, by name of the table.
	Rows map[string]int64
	// More tells that there is more to do.
	More bool
}

// Retained is what a store keeps.
type Retained struct {
	// Bytes is the size of the data, indexes included and free space not: what [Retention.MaxBytes] bounds, measured as
	// Prune measures it.
	Bytes int64
	// Oldest is the time of the last event of the oldest run; zero when there is none. Runs without any time do not count.
	Oldest time.Time
}

// Result is what a Write did.
type Result struct {
	// Rows counts the rows that were added or changed, by name of the table.
	Rows map[string]int64
	// Conflicts counts where the batch and the store told different things (see [Row.Join]).
	Conflicts int
	// Rejected is what the store can never take.
	Rejected []Rejection
}

// Rejection is a row that the store can never take.
type Rejection struct {
	Table string
	RunID string
	// Key names the row below the run for people, such as the stage's name or the call's id; "" for a run.
	Key string
	Err error
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog

import "context"

// Store keeps run records. Write may be called from several goroutines.
type Store interface {
	// Write joins a batch into the store. An error means that the same batch can be written again later: what
	// the store took of it does no harm the second time. What the store can never take is not an error but set
	// aside, in [Result.Rejected].
	Write(context.Context, *Batch) (Result, error)
	// Close waits for a Write that goes on and closes the store.
	Close() error
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
	// Key is the stage's name or the call's id; "" for a run.
	Key string
	Err error
}

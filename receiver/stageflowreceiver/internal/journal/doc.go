// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package journal keeps in a storage extension what has been acknowledged and not yet handed on, so that a receiver
// that was killed goes on where it was.
//
// It is a queue of numbered entries (entry.go): a request that is acknowledged appends one, a batch of runs that has
// been handed on appends one that says so (append.go). Whoever still needs what an entry says holds a claim on it (claim.go). The
// front of the queue is cut off as soon as nobody claims it (trim.go). Something that is needed for long would hold up
// all that came after it, so when the queue has grown much longer than what is claimed in it, the front's claimed
// records are appended again and the front is cut off (renew.go): that bounds the storage used and the time that
// reading it back takes (replay.go).
//
// Entries are cut off in the order in which they were appended, never from the middle. So as long as an entry can be
// read back, so can every later one that says that some of it has been handed on.
package journal // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal"

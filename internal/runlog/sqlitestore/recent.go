// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

const (
	// maxRecent is how many runs are remembered.
	maxRecent = 16 << 10
	// maxRecentBytes is about how much memory they may take together.
	maxRecentBytes = 32 << 20
	// maxRecentRun is the size from which a run is not remembered, so that few large ones cannot push out all others.
	maxRecentRun = 256 << 10
)

// recent remembers what is stored of the runs that were written lately and have not ended, so that what is told of them
// next need not read first.
type recent struct {
	runs  *simplelru.LRU[string, *knownRun]
	bytes int
	// version is that of the database at the last look: another one means that another process has written.
	version int64
}

// knownRun is a run as it lies in the database. Its rows are never changed: they may be shared with batches.
type knownRun struct {
	number int64
	row    *runlog.Row
	groups map[groupKey][]*runlog.Row
	// whole tells that groups has all there is.
	whole bool
	// bytes is about how much memory it takes.
	bytes int
}

// setGroup notes what is stored of a group, unless nobody will ask.
func (k *knownRun) setGroup(key groupKey, rows []*runlog.Row) {
	if k.ended() {
		return
	}
	if k.groups == nil {
		k.groups = map[groupKey][]*runlog.Row{}
	}
	k.groups[key] = rows
}

// ended tells that all was told of the run, as a rule, so that it need not be remembered.
func (k *knownRun) ended() bool { return k.row == nil || k.row.FromSpan() }

// groupKey names a group of a run.
type groupKey struct {
	table *runlog.Table
	key   string
}

func newRecent() *recent {
	r := &recent{}
	runs, err := simplelru.NewLRU(maxRecent, func(_ string, k *knownRun) { r.bytes -= k.bytes })
	if err != nil {
		panic(err) // the size is a constant
	}
	r.runs = runs
	return r
}

// at forgets everything if the database is not of the version of the last look.
func (r *recent) at(version int64) {
	if version != r.version {
		r.forget()
		r.version = version
	}
}

func (r *recent) forget() { r.runs.Purge() }

// take is what is known of a run, nil if nothing. It is the taker's until it is put back.
func (r *recent) take(runID string) *knownRun {
	k, _ := r.runs.Peek(runID)
	r.runs.Remove(runID)
	return k
}

// put remembers a run that goes on.
func (r *recent) put(runID string, k *knownRun) {
	if k.ended() {
		return
	}
	k.bytes = len(runID) + k.row.Size()
	for _, rows := range k.groups {
		for _, row := range rows {
			k.bytes += row.Size()
		}
	}
	if k.bytes > maxRecentRun {
		return
	}
	r.runs.Add(runID, k)
	r.bytes += k.bytes
	for r.bytes > maxRecentBytes {
		r.runs.RemoveOldest()
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

const (
	// maxCached is how many rows are remembered: the runs that go on, with their stages and calls.
	maxCached = 32 << 10
	// maxCachedRow is the size of the largest row that is remembered, so that few large ones cannot fill the memory.
	maxCachedRow = 16 << 10
)

// stored is a row as it lies in the database.
type stored struct {
	// row is never changed: it is shared with those who join to copies of it.
	row      *runlog.Row
	revision int64
}

// cache remembers the rows that were written lately. What it says may be out of date; then a write does not take.
type cache struct {
	rows *lru.Cache[uint64, stored]
}

func newCache(size int) cache {
	rows, err := lru.New[uint64, stored](size)
	if err != nil {
		panic(err) // sizes are constants
	}
	return cache{rows}
}

// get is what is remembered under the key of a row, whose hash is given.
func (c cache) get(key uint64, row *runlog.Row) stored {
	s, ok := c.rows.Get(key)
	if !ok || s.row.Table() != row.Table() || s.row.CompareKey(row) != 0 {
		return stored{}
	}
	return s
}

// put remembers a row, unless it will hardly be told of again: what a span said of a stage or a call is all.
func (c cache) put(key uint64, s stored, size int) {
	if replaceable(s.row.Table()) && s.row.FromSpan() || size > maxCachedRow {
		c.rows.Remove(key)
		return
	}
	c.rows.Add(key, s)
}

func (c cache) clear() { c.rows.Purge() }

// hashKey is a hash of a row's table and key.
func hashKey(row *runlog.Row) uint64 {
	b := append(make([]byte, 0, 128), row.Table().Name...)
	for i, c := range row.Table().Columns {
		if c.Merge != runlog.Key {
			break // keys stand first
		}
		v := row.Value(i)
		b = binary.AppendVarint(append(append(b, 0), v.Text()...), v.Int())
	}
	return xxhash.Sum64(b)
}

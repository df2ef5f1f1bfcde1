// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog

import (
	"encoding/binary"
	"errors"
	"slices"
)

// The merge state is what a row must remember beside its cells: who told the end and when each value was told.
// Most rows were told by one or two facts, so the distinct times are written once, latest first, and each
// value names its time by index; with one time there is nothing to name. Everything is an unsigned varint:
//
//	count of times × 2 + (end from a span ? 1 : 0), the latest time, the distance down to each next one,
//	then, only if there are several times: index of the end's, of each non-NULL Filled column's in order of
//	the table, of each attribute's in order of the keys.

var errMergeState = errors.New("the merge state of a row is damaged")

// MergeState is the row's memory for later joins, in one canonical form. Stores keep it beside the cells.
func (r *Row) MergeState() []byte {
	distinct := make([]int64, 0, 8)
	// These visits never fail.
	_ = r.eachTime(func(t *int64) error {
		if i, found := slices.BinarySearchFunc(distinct, *t, later); !found {
			distinct = slices.Insert(distinct, i, *t)
		}
		return nil
	})
	flags := uint64(len(distinct)) << 1
	if r.span {
		flags |= 1
	}
	b := binary.AppendUvarint(make([]byte, 0, 32), flags)
	b = binary.AppendUvarint(b, uint64(distinct[0]))
	if len(distinct) == 1 {
		return b
	}
	for i, t := range distinct[1:] {
		b = binary.AppendUvarint(b, uint64(distinct[i]-t))
	}
	_ = r.eachTime(func(t *int64) error {
		i, _ := slices.BinarySearchFunc(distinct, *t, later)
		b = binary.AppendUvarint(b, uint64(i))
		return nil
	})
	return b
}

func (r *Row) readMergeState(b []byte) error {
	ok := true
	next := func() uint64 {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			ok = false
			return 0
		}
		b = b[size:]
		return n
	}
	flags := next()
	r.span = flags&1 == 1
	count := flags >> 1
	// Each time takes a byte at least, so a damaged count cannot ask for more memory than the blob's size.
	if !ok || count == 0 || count > uint64(len(b)) {
		return errMergeState
	}
	distinct := make([]int64, count)
	distinct[0] = int64(next())
	for i := 1; i < len(distinct); i++ {
		distinct[i] = distinct[i-1] - int64(next())
	}
	err := r.eachTime(func(t *int64) error {
		i := uint64(0)
		if count > 1 {
			i = next()
		}
		if i >= count {
			return errMergeState
		}
		*t = distinct[i]
		return nil
	})
	if err == nil && (!ok || len(b) > 0) {
		err = errMergeState
	}
	return err
}

// eachTime visits every event time that the row keeps, in the order of the merge state.
func (r *Row) eachTime(visit func(*int64) error) error {
	if err := visit(&r.endTime); err != nil {
		return err
	}
	for i, c := range r.table.Columns {
		if c.Merge == Filled && !r.values[i].IsNull() {
			if err := visit(&r.times[i]); err != nil {
				return err
			}
		}
	}
	for i := range r.attributes {
		if err := visit(&r.attributes[i].time); err != nil {
			return err
		}
	}
	return nil
}

func later(a, b int64) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	}
	return 0
}

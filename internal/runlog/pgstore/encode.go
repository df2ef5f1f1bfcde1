// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"github.com/cespare/xxhash/v2"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// binaryFormat is the format of all parameters and all answers.
var binaryFormat = []int16{1}

// encoder makes the parameters of a table's statements from rows.
type encoder struct {
	*statements
	oids   []uint32
	arrays []array
	// size is about how many bytes there are.
	size int
	row  []byte
}

// encoder is one that nobody uses.
func (s *statements) encoder() *encoder {
	if e, ok := s.encoders.Get().(*encoder); ok {
		return e
	}
	e := &encoder{statements: s}
	for _, c := range s.columns {
		e.oids = append(e.oids, c.array)
		e.arrays = append(e.arrays, array{sqlType: c.sqlType})
	}
	return e
}

func (e *encoder) reset() {
	e.size = 0
	for i := range e.arrays {
		e.arrays[i].reset()
	}
}

// add appends a row with the revision that it gets and the one that it expects.
func (e *encoder) add(it *item) error {
	e.row = append(e.row[:0], e.table.Name...)
	i := 0
	put := func(write func([]byte) []byte) {
		a := &e.arrays[i]
		before := len(a.cells)
		a.cells = write(a.cells)
		e.row = append(e.row, a.cells[before:]...)
		i++
	}
	for n, c := range e.table.Columns {
		put(func(b []byte) []byte { return appendCell(b, c.Type, it.row.Value(n)) })
	}
	if replaceable(e.table) {
		put(func(b []byte) []byte { return appendBool(b, it.row.FromSpan()) })
	}
	put(func(b []byte) []byte { return appendBytes(b, it.row.MergeState()) })
	it.revision, it.size = int64(xxhash.Sum64(e.row)), len(e.row)
	if it.size > maxRow {
		return errTooLarge
	}
	put(func(b []byte) []byte { return appendInt(b, it.revision) })
	put(func(b []byte) []byte {
		if it.base.row == nil {
			return appendCell(b, runlog.Integer, runlog.Value{})
		}
		return appendInt(b, it.base.revision)
	})
	e.size += it.size
	return nil
}

// addKey appends a row's key only.
func (e *encoder) addKey(r *runlog.Row) {
	for i := range e.keys {
		e.arrays[i].cells = appendCell(e.arrays[i].cells, e.table.Columns[i].Type, r.Value(i))
	}
}

// values are the parameters for so many rows, valid until the next reset.
func (e *encoder) values(count int) [][]byte {
	out := make([][]byte, len(e.arrays))
	for i := range e.arrays {
		out[i] = e.arrays[i].bytes(count)
	}
	return out
}

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
	put := func(some bool, write func([]byte) []byte) {
		a := &e.arrays[i]
		a.some = a.some || some
		before := len(a.cells)
		a.cells = write(a.cells)
		e.row = append(e.row, a.cells[before:]...)
		i++
	}
	for n, c := range e.table.Columns {
		v := it.row.Value(n)
		put(!v.IsNull(), func(b []byte) []byte { return appendCell(b, c.Type, v) })
	}
	if replaceable(e.table) {
		put(true, func(b []byte) []byte { return appendBool(b, it.row.FromSpan()) })
	}
	put(true, func(b []byte) []byte { return appendBytes(b, it.row.MergeState()) })
	it.revision, it.size = int64(xxhash.Sum64(e.row)), len(e.row)
	if it.size > maxRow {
		return errTooLarge
	}
	put(true, func(b []byte) []byte { return appendInt(b, it.revision) })
	put(it.base.row != nil, func(b []byte) []byte {
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
		e.arrays[i].cells, e.arrays[i].some = appendCell(e.arrays[i].cells, e.table.Columns[i].Type, r.Value(i)), true
	}
}

// parameters are the columns of so many rows in which any has a value, valid until the next reset.
type parameters struct {
	columns []column
	oids    []uint32
	values  [][]byte
}

func (e *encoder) parameters(rows int) (p parameters) {
	for i := range e.arrays {
		if !e.arrays[i].some {
			continue
		}
		p.columns = append(p.columns, e.columns[i])
		p.oids = append(p.oids, e.columns[i].array)
		p.values = append(p.values, e.arrays[i].bytes(rows))
	}
	return p
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// sqlType is how PostgreSQL keeps cells: by name for statements, by number for the wire.
type sqlType struct {
	name       string
	oid, array uint32
}

var (
	textType   = sqlType{"text", pgtype.TextOID, pgtype.TextArrayOID}
	bigintType = sqlType{"bigint", pgtype.Int8OID, pgtype.Int8ArrayOID}
	doubleType = sqlType{"double precision", pgtype.Float8OID, pgtype.Float8ArrayOID}
	boolType   = sqlType{"boolean", pgtype.BoolOID, pgtype.BoolArrayOID}
	timeType   = sqlType{"timestamp with time zone", pgtype.TimestamptzOID, pgtype.TimestamptzArrayOID}
	byteaType  = sqlType{"bytea", pgtype.ByteaOID, pgtype.ByteaArrayOID}
)

// sqlTypes are those of the tables' columns. JSON is text: jsonb sorts keys in its own way and rewrites numbers, so
// what was canonical would not come back. The views show jsonb.
var sqlTypes = map[runlog.Type]sqlType{
	runlog.Text: textType, runlog.JSON: textType, runlog.Integer: bigintType, runlog.Real: doubleType,
	runlog.Boolean: boolType, runlog.Time: timeType,
}

// column is one column of a data table.
type column struct {
	name string
	sqlType
	key bool
}

// The columns that a data table has beside those of its runlog.Table, in this order after them.
const (
	// spanColumn tells whether a row comes from a span. Rows of runs have none: their ends know by themselves.
	spanColumn = "from_span"
	// mergeColumn is what the row must remember to be joined with later facts.
	mergeColumn = "merge"
	// revisionColumn is a hash of all that is above: the same facts, the same revision, whoever writes.
	revisionColumn = "revision"
	// expectedColumn is the revision that the writer believes to be stored. It is only ever read from the row that a
	// statement brings, because ON CONFLICT has no other way to bring it.
	expectedColumn = "expected"
)

// columns are all columns of a table's data table.
func columns(t *runlog.Table) []column {
	var out []column
	for _, c := range t.Columns {
		out = append(out, column{quote(c.Name), sqlTypes[c.Type], c.Merge == runlog.Key})
	}
	if replaceable(t) {
		out = append(out, column{quote(spanColumn), boolType, false})
	}
	return append(out, column{quote(mergeColumn), byteaType, false}, column{quote(revisionColumn), bigintType, false},
		column{quote(expectedColumn), bigintType, false})
}

// replaceable reports whether in a table rows from spans take the place of those from log records.
func replaceable(t *runlog.Table) bool { return t != runlog.Runs }

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// epoch is 2000, from which PostgreSQL counts its microseconds, in those since 1970.
const epoch = 946_684_800_000_000

// appendCell writes a cell as PostgreSQL takes it in binary, its length before it.
func appendCell(b []byte, t runlog.Type, v runlog.Value) []byte {
	switch {
	case v.IsNull():
		return append(b, 0xff, 0xff, 0xff, 0xff)
	case v.Kind() == runlog.String:
		return append(binary.BigEndian.AppendUint32(b, uint32(len(v.Text()))), v.Text()...)
	case v.Kind() == runlog.Float:
		return appendInt(b, int64(math.Float64bits(v.Float())))
	case t == runlog.Boolean:
		return appendBool(b, v.Int() != 0)
	case t == runlog.Time:
		return appendInt(b, v.Int()-epoch)
	}
	return appendInt(b, v.Int())
}

func appendBytes(b, v []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
}

func appendInt(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, 0, 0, 0, 8), uint64(n))
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 0, 0, 0, 1, 1)
	}
	return append(b, 0, 0, 0, 1, 0)
}

// readCell is a cell that came in binary; nil is NULL.
func readCell(t runlog.Type, b []byte) (runlog.Value, error) {
	number := func() int64 { return int64(binary.BigEndian.Uint64(b)) }
	switch {
	case b == nil:
		return runlog.Value{}, nil
	case t == runlog.Text || t == runlog.JSON:
		return runlog.KeyValue(string(b)), nil
	case t == runlog.Boolean && len(b) == 1:
		return runlog.BoolValue(b[0] != 0), nil
	case len(b) != 8:
		return runlog.Value{}, fmt.Errorf("a cell of %d bytes", len(b))
	case t == runlog.Real:
		return runlog.FloatValue(math.Float64frombits(uint64(number()))), nil
	case t == runlog.Time:
		return runlog.IntValue(number() + epoch), nil
	}
	return runlog.IntValue(number()), nil
}

// array is a one-dimensional array in the making, in binary.
type array struct {
	sqlType
	cells []byte
	// some tells that a cell is not NULL.
	some bool
}

const arrayHeader = 20

func (a *array) reset() { a.cells, a.some = append(a.cells[:0], make([]byte, arrayHeader)...), false }

// bytes is the array of so many cells. It is valid until the next reset.
func (a *array) bytes(count int) []byte {
	h := a.cells[:0:arrayHeader]
	h = binary.BigEndian.AppendUint32(h, 1) // dimensions
	h = binary.BigEndian.AppendUint32(h, 1) // there may be NULLs
	h = binary.BigEndian.AppendUint32(h, a.oid)
	h = binary.BigEndian.AppendUint32(h, uint32(count))
	binary.BigEndian.AppendUint32(h, 1) // the first index
	return a.cells
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"
)

// TimeFormat is how records write times: RFC 3339 in UTC, always with microseconds, so that they sort as text.
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// Record is one row of an answer: cells under the design's column names, in the store's order. A cell is nil,
// string, int64, float64, bool, [time.Time] or [json.RawMessage].
type Record struct {
	columns []string
	cells   []any
}

// NewRecord makes a record; it takes both slices over.
func NewRecord(columns []string, cells []any) Record { return Record{columns: columns, cells: cells} }

// Columns are the names of the cells.
func (r Record) Columns() []string { return r.columns }

// Value is the cell of a column; nil when it is unknown, or the store has no such column.
func (r Record) Value(column string) any {
	// A scan of some thirty short names is cheaper than a map per answer.
	if i := slices.Index(r.columns, column); i >= 0 {
		return r.cells[i]
	}
	return nil
}

// Text is the text of a cell, "" when there is none.
func (r Record) Text(column string) string {
	switch v := r.Value(column).(type) {
	case string:
		return v
	case json.RawMessage:
		return string(v)
	}
	return ""
}

// Time is the time in a cell, the zero time when there is none.
func (r Record) Time(column string) time.Time {
	t, _ := r.Value(column).(time.Time)
	return t
}

// Float is the number in a cell and whether there is one.
func (r Record) Float(column string) (float64, bool) {
	switch v := r.Value(column).(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	}
	return 0, false
}

// Int is the integer in a cell, 0 when there is none.
func (r Record) Int(column string) int64 {
	switch v := r.Value(column).(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	}
	return 0
}

// Bool is the flag in a cell and whether there is one.
func (r Record) Bool(column string) (value, known bool) {
	value, known = r.Value(column).(bool)
	return value, known
}

// MarshalJSON writes an object whose keys are the columns, in their order, unknown ones as null.
func (r Record) MarshalJSON() ([]byte, error) {
	return r.appendJSON(nil)
}

func (r Record) appendJSON(b []byte) ([]byte, error) {
	b = append(b, '{')
	for i, column := range r.columns {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendValue(b, column); err != nil {
			return nil, err
		}
		v := r.cells[i]
		if t, ok := v.(time.Time); ok {
			v = t.UTC().Format(TimeFormat)
		}
		if b, err = appendValue(append(b, ':'), v); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendValue is json.Marshal without HTML's escapes, which only make error messages hard to read.
func appendValue(b []byte, v any) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...), nil
}

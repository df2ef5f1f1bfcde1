// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog

import (
	"encoding/json"
	"slices"
	"strings"
	"unsafe"
)

// Row is what is known of one record, such as a run or an attempt of a stage: a fact, or the join of facts.
type Row struct {
	table *Table
	// span tells that the row comes from a span, and not from log records, which give only provisional rows of
	// what spans tell of. In a row of runs it tells so of the end.
	span bool
	// endTime is the event time of the end group, in nanoseconds like all event times.
	endTime int64
	// times are the event times of the Filled columns' values; 0 where the value is NULL.
	times  []int64
	values []Value
	// attributes is the FilledEach column, sorted by key.
	attributes []attribute
}

// attribute is one key of the attributes column.
type attribute struct {
	key  string
	json string
	time int64
}

// NewFact begins what a source said at a time (nanoseconds since 1970) about the record that the key's cells
// name, of which what is longer than [MaxKey] is shortened. Until [Row.Set] says otherwise the record is running. fromSpan is false for log records.
func NewFact(t *Table, eventTime int64, fromSpan bool, key ...Value) *Row {
	eventTime = max(eventTime, 0) // the merge state keeps no sign
	r := &Row{
		table: t, span: fromSpan, endTime: eventTime,
		times: make([]int64, len(t.Columns)), values: make([]Value, len(t.Columns)),
	}
	for i, v := range key {
		r.values[i] = v.keyed()
	}
	r.clearEnd()
	if t.updated >= 0 {
		r.values[t.updated] = TimeValue(eventTime)
	}
	return r
}

// Table is the table that the row belongs to.
func (r *Row) Table() *Table { return r.table }

// Set says a column's value in a fact. A NULL says nothing. Attributes are set by [Row.SetAttribute].
func (r *Row) Set(column int, v Value) {
	if v.IsNull() {
		return
	}
	if r.table.Columns[column].Indexed {
		v = v.keyed()
	}
	r.values[column] = v
	if r.table.Columns[column].Merge == Filled {
		r.times[column] = r.endTime
	}
}

// SetAttribute says one key of the attributes column in a fact, as canonical JSON. Of two values for one key
// in one fact the larger stays.
func (r *Row) SetAttribute(key, canonicalJSON string) {
	a := attribute{key: CleanText(key), json: canonicalJSON, time: r.endTime}
	i, found := slices.BinarySearchFunc(r.attributes, a, attribute.compareKey)
	switch {
	case !found:
		r.attributes = slices.Insert(r.attributes, i, a)
	case r.attributes[i].json < a.json:
		r.attributes[i] = a
	}
}

func (a attribute) compareKey(b attribute) int { return strings.Compare(a.key, b.key) }

// Value is the cell of a column as stores keep it: the attributes column is a canonical JSON object.
func (r *Row) Value(column int) Value {
	if column != r.table.attributes {
		return r.values[column]
	}
	if len(r.attributes) == 0 {
		return Value{}
	}
	b := []byte{'{'}
	for i, a := range r.attributes {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(AppendJSONString(b, a.key), ':')
		b = append(b, a.json...)
	}
	return Value{kind: String, text: string(append(b, '}'))}
}

// FromSpan reports whether the row comes from a span; for a run, whether its end does.
func (r *Row) FromSpan() bool { return r.span }

// Clone is a copy that can be joined without changing r.
func (r *Row) Clone() *Row {
	c := *r
	c.times, c.values, c.attributes = slices.Clone(r.times), slices.Clone(r.values), slices.Clone(r.attributes)
	return &c
}

// Size is about how many bytes of memory the row takes.
func (r *Row) Size() int {
	size := int(unsafe.Sizeof(*r)) + len(r.values)*int(unsafe.Sizeof(Value{})+8) + len(r.attributes)*int(unsafe.Sizeof(attribute{}))
	for i := range r.values {
		size += len(r.values[i].text)
	}
	for _, a := range r.attributes {
		size += len(a.key) + len(a.json)
	}
	return size
}

// Equal reports whether two rows are the same, merge times included.
func (r *Row) Equal(o *Row) bool {
	return r.table == o.table && r.span == o.span && r.endTime == o.endTime &&
		slices.Equal(r.times, o.times) && slices.Equal(r.values, o.values) && slices.Equal(r.attributes, o.attributes)
}

// CompareKey orders rows of one table by their keys.
func (r *Row) CompareKey(o *Row) int {
	for i, c := range r.table.Columns {
		if c.Merge != Key {
			break // keys stand first
		}
		if d := r.values[i].Compare(o.values[i]); d != 0 {
			return d
		}
	}
	return 0
}

// LoadRow rebuilds a row from what a store kept of it: a cell per column as [Row.Value] gave them, and
// [Row.MergeState]. The row takes the cells over.
func LoadRow(t *Table, values []Value, mergeState []byte) (*Row, error) {
	r := &Row{table: t, values: values, times: make([]int64, len(t.Columns))}
	if t.attributes >= 0 && !values[t.attributes].IsNull() {
		// RawMessage keeps the text, so what was canonical stays so.
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(values[t.attributes].text), &object); err != nil {
			return nil, err
		}
		r.attributes = make([]attribute, 0, len(object))
		for k, v := range object {
			r.attributes = append(r.attributes, attribute{key: k, json: string(v)})
		}
		slices.SortFunc(r.attributes, attribute.compareKey)
		values[t.attributes] = Value{}
	}
	if err := r.readMergeState(mergeState); err != nil {
		return nil, err
	}
	return r, nil
}

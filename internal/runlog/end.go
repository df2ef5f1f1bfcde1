// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog

import (
	"bytes"
	"cmp"
	"strconv"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// endOrder decides between ends of equal strength and time: the worse one wins. Others are 0.
var endOrder = map[semconv.Status]int{
	semconv.StatusFailed:    5,
	semconv.StatusCancelled: 4,
	semconv.StatusSkipped:   3,
	semconv.StatusRetried:   2,
	semconv.StatusCompleted: 1,
}

// joinEnd takes the end group from o if o's end wins.
func (r *Row) joinEnd(o *Row) (conflicts int) {
	d := r.compareEnd(o)
	if d == 0 {
		return 0
	}
	if r.strength() > 0 && o.strength() > 0 && r.values[r.table.status] != o.values[r.table.status] {
		conflicts = 1
	}
	if d < 0 {
		for _, i := range r.table.end {
			r.values[i] = o.values[i]
		}
		r.endTime, r.span = o.endTime, o.span
	}
	return conflicts
}

// compareEnd orders ends, the winning one last: the stronger; then the later; then failed, cancelled, skipped,
// retried, completed; then one from a span; then the larger canonical JSON of the group.
func (r *Row) compareEnd(o *Row) int {
	if d := cmp.Or(
		cmp.Compare(r.strength(), o.strength()),
		cmp.Compare(r.endTime, o.endTime),
		cmp.Compare(endOrder[r.status()], endOrder[o.status()]),
	); d != 0 {
		return d
	}
	if r.span != o.span {
		if r.span {
			return 1
		}
		return -1
	}
	if r.sameEnd(o) {
		return 0
	}
	return bytes.Compare(r.appendEndJSON(nil), o.appendEndJSON(nil))
}

// clearEnd makes the end group that of a record that goes on: a fact without an end says nothing of the end.
func (r *Row) clearEnd() {
	for _, i := range r.table.end {
		r.values[i] = Value{}
	}
	if r.table.status >= 0 {
		r.values[r.table.status] = KeyValue(string(semconv.StatusRunning))
	}
	if r.table.endKind >= 0 {
		r.values[r.table.endKind] = KeyValue(string(semconv.EndNone))
	}
}

// strength is how surely the record ended; 0 is a record that has not, or that is of a kind without an end.
func (r *Row) strength() int {
	if r.table.endKind >= 0 {
		return semconv.EndKind(r.values[r.table.endKind].text).Rank()
	}
	if status := r.status(); status == semconv.StatusRunning || status == "" {
		return 0
	}
	return 1
}

func (r *Row) status() semconv.Status {
	if r.table.status < 0 {
		return ""
	}
	return semconv.Status(r.values[r.table.status].text)
}

func (r *Row) sameEnd(o *Row) bool {
	for _, i := range r.table.end {
		if r.values[i] != o.values[i] {
			return false
		}
	}
	return true
}

// appendEndJSON writes the end group as canonical JSON: sorted names, no spaces, unknown columns left out.
func (r *Row) appendEndJSON(b []byte) []byte {
	b = append(b, '{')
	for _, i := range r.table.end {
		v := r.values[i]
		if v.IsNull() {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(AppendJSONString(b, r.table.Columns[i].Name), ':')
		switch {
		case v.kind == String:
			b = AppendJSONString(b, v.text)
		case v.kind == Float:
			b = strconv.AppendFloat(b, v.Float(), 'g', -1, 64)
		case r.table.Columns[i].Type == Boolean:
			b = strconv.AppendBool(b, v.num != 0)
		default:
			b = strconv.AppendInt(b, v.num, 10)
		}
	}
	return append(b, '}')
}

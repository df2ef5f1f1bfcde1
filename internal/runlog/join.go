// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog

import "cmp"

// Join adds to r what o says of the same key, and returns in how many places the two told different things and
// one had to win. It is the merge rule:
//
//   - of anything but a run, a row from a span replaces one from log records;
//   - the end group comes whole from the winning end (see [Row.compareEnd]);
//   - any other column is only filled, never blanked; of two values the one told later wins, then the larger;
//   - started_at is the earliest, updated_at the latest.
//
// Join is commutative, associative and idempotent. Both rows must have the same key. o is not changed, but r
// may share memory with it afterwards.
func (r *Row) Join(o *Row) (conflicts int) {
	if r.table != Runs && r.span != o.span {
		// The first component of the order: where the sources differ, nothing else is looked at.
		if o.span {
			*r = *o.Clone()
		}
		return 0
	}
	conflicts = r.joinEnd(o)
	for i, c := range r.table.Columns {
		if o.values[i].IsNull() {
			continue
		}
		switch c.Merge {
		case Filled:
			d := r.values[i].Compare(o.values[i])
			if d != 0 && !r.values[i].IsNull() {
				conflicts++
			}
			if cmp.Or(cmp.Compare(r.times[i], o.times[i]), d) < 0 {
				r.values[i], r.times[i] = o.values[i], o.times[i]
			}
		case Earliest:
			if r.values[i].IsNull() || o.values[i].Compare(r.values[i]) < 0 {
				r.values[i] = o.values[i]
			}
		case Latest:
			if r.values[i].Compare(o.values[i]) < 0 {
				r.values[i] = o.values[i]
			}
		}
	}
	return conflicts + r.joinAttributes(o)
}

// joinAttributes merges two sorted lists, each key for itself.
func (r *Row) joinAttributes(o *Row) (conflicts int) {
	if len(o.attributes) == 0 {
		return 0
	}
	if len(r.attributes) == 0 {
		r.attributes = append(r.attributes, o.attributes...)
		return 0
	}
	out := make([]attribute, 0, len(r.attributes)+len(o.attributes))
	a, b := r.attributes, o.attributes
	for len(a) > 0 && len(b) > 0 {
		switch d := a[0].compareKey(b[0]); {
		case d < 0:
			out, a = append(out, a[0]), a[1:]
		case d > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			if a[0].json != b[0].json {
				conflicts++
			}
			winner := a[0]
			if cmp.Or(cmp.Compare(a[0].time, b[0].time), cmp.Compare(a[0].json, b[0].json)) < 0 {
				winner = b[0]
			}
			out, a, b = append(out, winner), a[1:], b[1:]
		}
	}
	r.attributes = append(append(out, a...), b...)
	return conflicts
}

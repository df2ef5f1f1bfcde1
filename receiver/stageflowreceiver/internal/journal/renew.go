// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"slices"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

const (
	// slack is how many bytes more than twice what is claimed the queue may have.
	slack = 16 << 20
	// renewAtOnce bounds the bytes that are read from the front in one go.
	renewAtOnce = 1 << 20
)

// onlyForKey lists, on a record that was appended again, who still needed it. Slice of strings.
const onlyForKey = "stageflow.journal.only_for"

// Renew keeps the queue short: while it has more than twice the bytes that are claimed, what is claimed at its front
// is appended again, and the front is cut off. It must not run while claims on runs that have been handed on are
// released: a mark names the positions that it is about.
func (j *Journal) Renew(ctx context.Context) error {
	if j == nil {
		return nil
	}
	for j.tooLong() {
		if n, err := j.renew(ctx); err != nil || n == 0 {
			return err
		}
	}
	return nil
}

func (j *Journal) tooLong() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size > 2*j.claimed+slack
}

// moved is an entry that was appended again.
type moved struct {
	from   Position
	size   int32
	stored []byte
	// owners of the records that were kept.
	owners map[string]bool
}

// renew moves some entries from the front to the end and returns how many it cut off.
func (j *Journal) renew(ctx context.Context) (int, error) {
	j.writing.Lock()
	defer j.writing.Unlock()
	front, claims := j.front()
	if len(front) == 0 {
		return 0, nil
	}
	if err := j.client.Batch(ctx, front...); err != nil {
		return 0, err
	}
	sure := j.lowestUnderWay()
	var again []moved
	for i, op := range front {
		if len(claims[i]) == 0 {
			continue
		}
		m, err := j.filter(op.Value, claims[i])
		if err != nil {
			return 0, err
		}
		setSure(m.stored, sure)
		m.from = j.first + Position(i)
		again = append(again, m)
	}

	j.mu.Lock()
	ops := j.cutOps(len(front))
	j.mu.Unlock()
	for i, m := range again {
		ops = append(ops, storage.SetOperation((j.next+Position(i)).key(), m.stored))
	}
	if err := j.client.Batch(ctx, ops...); err != nil {
		return 0, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, m := range again {
		j.move(m)
	}
	j.cut(len(front))
	return len(front), nil
}

// front are the reads of the entries that are renewed next, and whose owners claim each.
func (j *Journal) front() (reads []*storage.Operation, owners []map[string]bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	size := int32(0)
	for i := range j.entries {
		e := &j.entries[i]
		if e.open || size > renewAtOnce {
			break
		}
		size += e.size
		pos := j.first + Position(i)
		of := map[string]bool{}
		for _, c := range e.claims {
			if slices.Contains(c.positions, pos) {
				of[c.owner] = true
			}
		}
		reads, owners = append(reads, storage.GetOperation(pos.key())), append(owners, of)
	}
	return reads, owners
}

// filter leaves of a stored entry what the owners need.
func (j *Journal) filter(stored []byte, owners map[string]bool) (moved, error) {
	e, err := unmarshal(stored)
	if err != nil {
		return moved{}, err
	}
	m := moved{owners: owners}
	e.Records.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			sl.LogRecords().RemoveIf(func(lr plog.LogRecord) bool { return !j.restrict(lr, owners) })
			return sl.LogRecords().Len() == 0
		})
		return rl.ScopeLogs().Len() == 0
	})
	m.stored, err = e.marshal()
	m.size = int32(len(m.stored))
	return m, err
}

// restrict takes down on the record who needs it, and tells whether anybody does.
func (j *Journal) restrict(lr plog.LogRecord, owners map[string]bool) bool {
	all := j.owners(lr)
	needed := slices.DeleteFunc(slices.Clone(all), func(o string) bool { return !owners[o] || !OnlyFor(lr, o) })
	if len(needed) == 0 {
		return false
	}
	if len(needed) < len(all) {
		list := lr.Attributes().PutEmptySlice(onlyForKey)
		list.EnsureCapacity(len(needed))
		for _, o := range needed {
			list.AppendEmpty().SetStr(o)
		}
	}
	return true
}

// OnlyFor tells whether a record that was read back is there for the owner: one that was appended again may be so
// for some of its owners only.
func OnlyFor(lr plog.LogRecord, owner string) bool {
	v, ok := lr.Attributes().Get(onlyForKey)
	if !ok || v.Type() != pcommon.ValueTypeSlice {
		return true
	}
	for _, o := range v.Slice().All() {
		if o.AsString() == owner {
			return true
		}
	}
	return false
}

// move takes down that an entry has a new place at the end, and gives its claims their new position.
func (j *Journal) move(m moved) {
	to := j.next
	j.push(m.size)
	e := &j.entries[len(j.entries)-1]
	for _, c := range j.at(m.from).claims {
		i := slices.Index(c.positions, m.from)
		if i < 0 {
			continue // released since
		}
		c.positions[i] = to
		e.claims = append(e.claims, c)
		e.held++
	}
	old := j.at(m.from)
	j.claimed -= int64(old.share * old.held)
	j.done(to)
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// maxTries bounds how often a row is joined anew, or a pipeline sent anew, because others were there first. Whenever
// one did not take another did, so this is reached only when something is wrong.
const maxTries = 30

// writer writes one batch on one connection.
type writer struct {
	*Store
	conn *pgconn.PgConn
	res  *runlog.Result
}

// item is a row on its way.
type item struct {
	fact *runlog.Row
	key  uint64 // see hashKey
	// base is what is stored, as far as is known; its row is nil when nothing is.
	base stored
	// row is the fact joined to the base, and what encode made of it.
	row       *runlog.Row
	revision  int64
	size      int
	conflicts int
	took      bool
}

func (w *writer) write(ctx context.Context, b *runlog.Batch) error {
	tables := w.items(b)
	unknown, err := w.recall(ctx, tables)
	if err != nil {
		return err
	}
	for try := range maxTries {
		if try > 0 {
			if err := pause(ctx, try-1); err != nil {
				return err
			}
			if err := w.again(ctx, func() error { return w.read(ctx, tables) }); err != nil {
				return err
			}
		}
		w.join(tables)
		if err := w.again(ctx, func() error { return w.send(ctx, tables) }); err != nil {
			return err
		}
		if try == 0 {
			w.foresight.learn(unknown, func(it *item) bool { return !it.took })
		}
		if !left(tables) {
			return nil
		}
	}
	return errBusy
}

// recall gives each row its base: what is remembered, or read when it is probably there. It returns those that are tried
// without.
func (w *writer) recall(ctx context.Context, tables [][]*item) (unknown [][]*item, err error) {
	unknown, expected := make([][]*item, len(tables)), make([][]*item, len(tables))
	for i, items := range tables {
		for _, it := range items {
			it.key = hashKey(it.fact)
			if replaceable(it.fact.Table()) && it.fact.FromSpan() {
				continue // what is from a span takes any place
			}
			switch it.base = w.cache.get(it.key, it.fact); {
			case it.base.row != nil:
			case w.foresight.expects(it):
				expected[i] = append(expected[i], it)
			default:
				unknown[i] = append(unknown[i], it)
			}
		}
	}
	if !left(expected) {
		return unknown, nil
	}
	if err := w.again(ctx, func() error { return w.read(ctx, expected) }); err != nil {
		return nil, err
	}
	w.foresight.learn(expected, func(it *item) bool { return it.base.row != nil })
	return unknown, nil
}

// items are the rows of a batch by table, as in runlog.Tables. All writers send rows in the same order, so that they
// never wait for each other in a circle.
func (w *writer) items(b *runlog.Batch) [][]*item {
	tables := make([][]*item, len(w.statements))
	var slab []item
	add := func(r *runlog.Row) {
		if len(slab) == cap(slab) {
			slab = make([]item, 0, 512)
		}
		slab = append(slab, item{fact: r})
		i := slices.Index(runlog.Tables, r.Table())
		tables[i] = append(tables[i], &slab[len(slab)-1])
	}
	runs := slices.Clone(b.Runs)
	slices.SortFunc(runs, func(a, b *runlog.Run) int { return strings.Compare(a.ID, b.ID) })
	for _, run := range runs {
		if run.Row != nil {
			add(run.Row)
		}
		groups := slices.Clone(run.Groups)
		slices.SortFunc(groups, func(a, b *runlog.Group) int { return strings.Compare(a.Key, b.Key) })
		for _, g := range groups {
			for _, r := range g.Rows {
				add(r)
			}
		}
	}
	return tables
}

// join makes the rows to be sent, and drops those that would change nothing.
func (w *writer) join(tables [][]*item) {
	for i, items := range tables {
		tables[i] = slices.DeleteFunc(items, func(it *item) bool {
			it.row, it.conflicts = it.fact, 0
			if it.base.row == nil {
				return false
			}
			it.row = it.base.row.Clone()
			it.conflicts = it.row.Join(it.fact)
			same := it.row.Equal(it.base.row)
			if same {
				w.res.Conflicts += it.conflicts
			}
			return same
		})
	}
}

func left(tables [][]*item) bool {
	return slices.ContainsFunc(tables, func(items []*item) bool { return len(items) > 0 })
}

const (
	// maxRows is how many rows one statement takes: enough that they cost more than the statement, few enough that the
	// server writes one lot while the next is made.
	maxRows = 1000
	// maxBytes is how many bytes one statement takes, more or less.
	maxBytes = 8 << 20
	// maxRow is the size from which a row is not sent: PostgreSQL takes less than 256 MiB in jsonb, 1 GiB in text.
	maxRow = 256 << 20
)

// errTooLarge is a data error.
var errTooLarge = &pgconn.PgError{Severity: "ERROR", Code: "54000", Message: "the row is larger than 256 MiB"}

// chunk is the rows of one statement.
type chunk struct {
	statements *statements
	items      []*item
}

// send writes the rows in one round trip, and drops those that took. The server begins while the last are being made.
func (w *writer) send(ctx context.Context, tables [][]*item) error {
	var chunks []chunk
	fill := func(p *pgconn.Pipeline) error {
		for i, items := range tables {
			if len(items) == 0 {
				continue
			}
			s := w.statements[i]
			enc := s.encoder()
			defer s.encoders.Put(enc)
			for len(items) > 0 {
				enc.reset()
				n := 0
				for n < min(len(items), maxRows) && enc.size < maxBytes {
					if err := enc.add(items[n]); err != nil {
						return err
					}
					n++
				}
				params := enc.parameters(n)
				p.SendQueryParams(s.write(params.columns), params.values, params.oids, binaryFormat, binaryFormat)
				if err := p.Flush(); err != nil {
					return err
				}
				chunks, items = append(chunks, chunk{s, items[:n]}), items[n:]
			}
		}
		return nil
	}
	var filled error
	err := w.pipeline(ctx, func(p *pgconn.Pipeline) error {
		// What was sent before a row that cannot be is written all the same.
		filled = fill(p)
		return nil
	}, func(i int, r *pgconn.ResultReader) error { return readTaken(chunks[i].items, r) })
	if err != nil {
		return err
	}
	w.took(chunks)
	for i, items := range tables {
		tables[i] = slices.DeleteFunc(items, func(it *item) bool { return it.took })
	}
	return filled
}

// readTaken marks the rows whose revisions the statement answered.
func readTaken(items []*item, r *pgconn.ResultReader) error {
	revisions := make([]int64, 0, len(items))
	for r.NextRow() {
		if v := r.Values(); len(v) == 1 && len(v[0]) == 8 {
			revisions = append(revisions, int64(binary.BigEndian.Uint64(v[0])))
		}
	}
	all := len(revisions) == len(items)
	var taken map[int64]struct{}
	if !all {
		taken = make(map[int64]struct{}, len(revisions))
		for _, revision := range revisions {
			taken[revision] = struct{}{}
		}
	}
	for _, it := range items {
		_, ok := taken[it.revision]
		it.took = all || ok
	}
	return nil
}

// took counts and remembers what was written, once it is sure.
func (w *writer) took(chunks []chunk) {
	for _, c := range chunks {
		n := int64(0)
		for _, it := range c.items {
			if it.took {
				n++
				w.res.Conflicts += it.conflicts
				w.cache.put(it.key, stored{it.row, it.revision}, it.size)
			}
		}
		if n > 0 {
			w.res.Rows[c.statements.table.Name] += n
		}
	}
}

// read finds out what is stored under the keys of the rows that did not take.
func (w *writer) read(ctx context.Context, tables [][]*item) error {
	var chunks []chunk
	fill := func(p *pgconn.Pipeline) error {
		for i, items := range tables {
			s := w.statements[i]
			for c := range slices.Chunk(items, maxRows) {
				enc := s.encoder()
				enc.reset()
				for _, it := range c {
					it.base = stored{}
					enc.addKey(it.fact)
				}
				params := enc.parameters(len(c))
				p.SendQueryParams(s.read, params.values, params.oids, binaryFormat, binaryFormat)
				s.encoders.Put(enc) // the parameters are copied by now
				chunks = append(chunks, chunk{s, c})
			}
		}
		return nil
	}
	return w.pipeline(ctx, fill, func(i int, r *pgconn.ResultReader) error {
		found := map[uint64]stored{}
		for r.NextRow() {
			row, err := loadRow(chunks[i].statements.table, r.Values())
			if err != nil {
				return err
			}
			found[hashKey(row.row)] = row
		}
		for _, it := range chunks[i].items {
			if row, ok := found[it.key]; ok && row.row.CompareKey(it.fact) == 0 {
				it.base = row
			}
		}
		return nil
	})
}

// loadRow reads a row of the read statement.
func loadRow(t *runlog.Table, cells [][]byte) (stored, error) {
	damaged := func(err error) (stored, error) {
		return stored{}, fmt.Errorf("%w in %s, key %q: %w", errDamaged, t.Name, cells[0], err)
	}
	values := make([]runlog.Value, len(t.Columns))
	for i, c := range t.Columns {
		var err error
		if values[i], err = readCell(c.Type, cells[i]); err != nil {
			return damaged(err)
		}
	}
	row, err := runlog.LoadRow(t, values, cells[len(cells)-2])
	if err != nil {
		return damaged(err)
	}
	revision, err := readCell(runlog.Integer, cells[len(cells)-1])
	if err != nil {
		return damaged(err)
	}
	return stored{row, revision.Int()}, nil
}

// pipeline sends statements in one round trip, which is one transaction: it takes whole or not at all.
func (w *writer) pipeline(ctx context.Context, fill func(*pgconn.Pipeline) error, visit func(int, *pgconn.ResultReader) error) error {
	p := w.conn.StartPipeline(ctx)
	if err := fill(p); err != nil {
		return errors.Join(err, p.Close())
	}
	if err := p.Sync(); err != nil {
		return errors.Join(err, p.Close())
	}
	var failed error
	for i := 0; ; i++ {
		result, err := p.GetResults()
		if err != nil {
			failed = cmp.Or(failed, err)
			break
		}
		r, ok := result.(*pgconn.ResultReader)
		if !ok {
			break // the end
		}
		if failed == nil {
			failed = visit(i, r)
		}
		if _, err := r.Close(); err != nil {
			failed = err
			break
		}
	}
	return cmp.Or(failed, p.Close())
}

// again tries once more what failed because of others.
func (w *writer) again(ctx context.Context, do func() error) (err error) {
	for try := range maxTries {
		if err = do(); err == nil || !isCollision(err) {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
	return errors.Join(errBusy, err)
}

// pause lets others pass before another try: not at all before the first, longer and longer then.
func pause(ctx context.Context, try int) error {
	if try == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(rand.N(time.Millisecond << min(try, 7)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// What Restore refuses.
var (
	// ErrVersion: another version of this package wrote the state.
	ErrVersion = errors.New("breaker: state of another version")
	// ErrCorrupt: it is not the state of a registry, or no longer whole.
	ErrCorrupt = errors.New("breaker: state is corrupt")
)

// The encoding: magic, version, the shape of the windows, the keys of every shard from the one unused for longest
// to the last used, a checksum. Numbers are varints, times are zigzag with 0 for none, and buckets with nothing in
// them are left out: a healthy key with two buckets in use takes some 60 bytes.
const (
	magic         = "SFBR"
	exportVersion = 1
)

// Export returns the whole state, for [Registry.Restore]. What it leaves out: probes that are under way, and
// [Stats].
func (r *Registry) Export() []byte {
	for i := range r.shards { // all at once: the state of one moment
		r.shards[i].mu.Lock()
		defer r.shards[i].mu.Unlock()
	}
	var w writer
	w.buf = append(w.buf, magic...)
	w.buf = append(w.buf, exportVersion)
	w.uint(uint64(r.geometry.width)) //nolint:gosec // positive
	w.int(r.geometry.ring)
	var keys int
	for i := range r.shards {
		keys += len(r.shards[i].entries)
	}
	w.int(keys)
	for i := range r.shards {
		r.shards[i].export(&w)
	}
	return binary.BigEndian.AppendUint32(w.buf, crc32.ChecksumIEEE(w.buf))
}

func (s *shard) export(w *writer) {
	var pinned []*entry
	for _, e := range s.entries {
		if e.next == nil {
			pinned = append(pinned, e)
		}
	}
	slices.SortFunc(pinned, func(a, b *entry) int { return compareKeys(a.key, b.key) })
	for _, e := range pinned {
		e.export(w)
	}
	for e := s.recent.prev; e != s.recent; e = e.prev {
		e.export(w)
	}
}

func (e *entry) export(w *writer) {
	w.text(e.key.Operation)
	w.text(e.key.Provider)
	w.time(e.newest)
	w.uint(e.epoch)
	w.phase(&e.phase)
	w.byte(byte(e.mode))
	w.uint(e.forcings)
	w.times(e.streak)
	w.time(e.lastSuccess)
	w.time(e.retry)
	w.int(e.good)
	w.time(e.lastGood)
	w.int(len(e.spans))
	for _, s := range e.spans {
		w.byte(byte(s.state))
		w.byte(byte(s.from))
		w.time(s.at)
		w.time(s.until)
		w.time(s.opened)
		w.uint(s.generation)
	}
	w.ring(&e.window, e.window.own)
	if s := e.window.shared; s != nil {
		w.byte(1)
		w.phase(&s.told)
		w.times(s.streak)
		w.time(s.lastSuccess)
		w.int(s.good)
		w.ring(&e.window, s.sent)
		w.ring(&e.window, s.others)
	} else {
		w.byte(0)
	}
}

// Restore makes the registry what the exported one was; what it held is gone. Where the shape of the window has
// changed, the counts in it are lost, but not the states. Of more keys than fit, some are lost, but none that is
// forced as long as those fit. After an error the registry is as before.
func (r *Registry) Restore(state []byte) error {
	if len(state) < len(magic)+1 || string(state[:len(magic)]) != magic {
		return fmt.Errorf("%w: no state of breakers", ErrCorrupt)
	}
	if v := state[len(magic)]; v != exportVersion {
		return fmt.Errorf("%w: %d, this is %d", ErrVersion, v, exportVersion)
	}
	body := len(state) - crc32.Size
	if body <= len(magic) || crc32.ChecksumIEEE(state[:body]) != binary.BigEndian.Uint32(state[body:]) {
		return fmt.Errorf("%w: checksum", ErrCorrupt)
	}
	rd := &reader{buf: state[len(magic)+1 : body]}
	width, ring := rd.uint(), rd.int(maxRing)
	fits := width == uint64(r.geometry.width) && ring == r.geometry.ring //nolint:gosec // positive
	fresh := make(sharding, len(r.shards))
	for i := range fresh {
		fresh[i].max = r.shards[i].max
		fresh[i].reset()
	}
	for n := rd.int(maxKeys); n > 0 && !rd.bad; n-- {
		k := Key{rd.text(), rd.text()}
		s := fresh.of(k)
		known := s.entries[k] != nil
		e := s.touch(k, r)
		if e == nil { // no room: it has to be read all the same
			none := newMachine(r.policy, &r.geometry, hashOf(k))
			rd.machine(&none, fits, ring, &r.geometry)
			continue
		}
		rd.machine(&e.machine, fits, ring, &r.geometry)
		if rd.bad || known {
			return fmt.Errorf("%w: key %q", ErrCorrupt, k.String())
		}
		s.pin(e, e.mode != Auto)
	}
	if rd.bad || len(rd.buf) > 0 {
		return fmt.Errorf("%w: end", ErrCorrupt)
	}
	for i := range fresh {
		s := &r.shards[i]
		s.mu.Lock()
		s.entries, s.recent, s.pinned = fresh[i].entries, fresh[i].recent, fresh[i].pinned
		s.mu.Unlock()
	}
	return nil
}

// maxRing is the most buckets that any settings ask for.
const maxRing = maxBuckets * (maxWindows + 1)

// machine reads what export wrote. A ring of another shape is read and left out.
func (rd *reader) machine(m *machine, fits bool, ring int, g *geometry) {
	m.newest = rd.time()
	m.epoch = rd.generation()
	m.phase = rd.phase()
	t := trouble{mode: Mode(rd.byte()), forcings: rd.generation(), streak: rd.times(maxInARow)}
	m.lastSuccess, t.retry = rd.time(), rd.time()
	t.good, t.lastGood = rd.int(maxInARow), rd.time()
	for n := rd.int(maxSpans); n > 0 && !rd.bad; n-- {
		t.spans = append(t.spans, span{
			state: state(rd.byte()), from: state(rd.byte()),
			at: rd.time(), until: rd.time(), opened: rd.time(), generation: rd.generation(),
		})
	}
	if t.any() {
		m.troubled()
		*m.trouble = t
	}
	if m.newest != never {
		m.window.head = g.bucket(m.newest)
	}
	rd.ring(&m.window, m.window.own, fits, ring)
	switch rd.byte() {
	case 0:
	case 1:
		s := m.window.share()
		s.told = rd.phase()
		s.streak, s.lastSuccess, s.good = rd.times(maxInARow), rd.time(), rd.int(maxInARow)
		rd.ring(&m.window, s.sent, fits, ring)
		rd.ring(&m.window, s.others, fits, ring)
	default:
		rd.bad = true
	}
	rd.bad = rd.bad || !m.lawful()
}

// lawful reports whether the machine could have come about.
func (m *machine) lawful() bool {
	if m.mode > ForceClosed || m.phase.open && m.phase.until < m.phase.at || m.phase.open != (m.phase.openings > 0) ||
		!m.phase.open && (m.phase.at == never) != (m.phase.generation == 0) || !slices.IsSorted(m.streak) || m.epoch > m.phase.generation {
		return false
	}
	at, generation := int64(never), uint64(0)
	for _, s := range m.spans {
		if s.state > forcedClosed || s.from > forcedClosed || s.at < at || s.at == never || s.generation <= generation ||
			(s.state == open) != (s.until != never) {
			return false
		}
		at, generation = s.at, s.generation
	}
	return true
}

// writer appends to buf.
type writer struct{ buf []byte }

func (w *writer) byte(b byte)   { w.buf = append(w.buf, b) }
func (w *writer) uint(n uint64) { w.buf = binary.AppendUvarint(w.buf, n) }
func (w *writer) int(n int)     { w.uint(uint64(n)) } //nolint:gosec // never negative

func (w *writer) text(s string) {
	w.int(len(s))
	w.buf = append(w.buf, s...)
}

func (w *writer) time(t int64) {
	if t == never {
		w.uint(0)
		return
	}
	w.uint(uint64(t<<1^t>>63) + 1) //nolint:gosec // zigzag
}

func (w *writer) times(ts []int64) {
	w.int(len(ts))
	for _, t := range ts {
		w.time(t)
	}
}

func (w *writer) phase(p *phase) {
	w.time(p.at)
	w.time(p.until)
	w.uint(p.generation)
	w.uint(uint64(p.openings))
	w.text(p.source)
}

// ring writes the buckets that are not empty by their age.
func (w *writer) ring(in *window, counts []Counts) {
	var used int
	for _, c := range counts {
		if c != (Counts{}) {
			used++
		}
	}
	w.int(used)
	for age := range counts {
		if c := counts[in.at(in.head-int64(age))]; c != (Counts{}) {
			w.int(age)
			for _, n := range []uint32{c.Successes, c.Failures, c.Slow, c.NotPermitted} {
				w.uint(uint64(n))
			}
		}
	}
}

// reader takes from buf. What does not fit makes it bad, and everything from then on zero.
type reader struct {
	buf []byte
	bad bool
}

func (r *reader) byte() byte {
	if r.bad || len(r.buf) == 0 {
		r.bad = true
		return 0
	}
	b := r.buf[0]
	r.buf = r.buf[1:]
	return b
}

func (r *reader) uint() uint64 {
	n, size := binary.Uvarint(r.buf)
	if r.bad || size <= 0 {
		r.bad = true
		return 0
	}
	r.buf = r.buf[size:]
	return n
}

// upTo reads a number that is at most limit.
func (r *reader) upTo(limit uint64) uint64 {
	n := r.uint()
	if n > limit {
		r.bad = true
		return 0
	}
	return n
}

func (r *reader) int(limit int) int  { return int(r.upTo(uint64(limit))) } //nolint:gosec // limits are small
func (r *reader) generation() uint64 { return r.upTo(2 * maxGeneration) }
func (r *reader) count() uint32      { return uint32(r.upTo(maxCount)) } //nolint:gosec // bounded
func (r *reader) counts() Counts     { return Counts{r.count(), r.count(), r.count(), r.count()} }

func (r *reader) text() string {
	n := r.int(len(r.buf))
	if r.bad || n > len(r.buf) {
		r.bad = true
		return ""
	}
	s := string(r.buf[:n])
	r.buf = r.buf[n:]
	return s
}

func (r *reader) time() int64 {
	n := r.uint()
	if n == 0 {
		return never
	}
	n--
	t := int64(n>>1) ^ -int64(n&1)            //nolint:gosec // zigzag
	if t > maxTime+maxTime/2 || t < minTime { // the end of an opening may be a little farther
		r.bad = true
		return never
	}
	return t
}

func (r *reader) times(limit int) (ts []int64) {
	for n := r.int(limit); n > 0 && !r.bad; n-- {
		ts = append(ts, r.time())
	}
	return ts
}

func (r *reader) phase() phase {
	p := phase{
		at: r.time(), until: r.time(), generation: r.generation(),
		openings: uint32(r.upTo(1<<32 - 1)), //nolint:gosec // bounded
		source:   r.text(),
	}
	p.open = p.until != never
	return p
}

func (r *reader) ring(in *window, into []Counts, fits bool, ring int) {
	for n := r.int(ring); n > 0 && !r.bad; n-- {
		age, c := r.int(ring-1), r.counts()
		if fits && !r.bad {
			into[in.at(in.head-int64(age))] = c
		}
	}
}

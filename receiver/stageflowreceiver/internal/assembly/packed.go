// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"encoding/binary"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// packed is a settled run as one text: its trace, its id, and the rest. Numbers are varints, a text has its length before
// it. It is never stored or sent, so its form may change at any time.
type packed string

// maxPacking bounds the room that a large run leaves behind.
const maxPacking = 1 << 16

// pack appends all but what is unfinished.
func (s *settled) pack(b []byte) []byte {
	b = append(b, s.trace[:]...)
	b = packText(b, s.id)
	b = append(b, s.parent[:]...)
	b = packText(b, s.service)
	b = packText(b, s.parentID)
	b = packText(b, string(s.end))
	b = packText(b, string(s.status))
	b = binary.AppendVarint(b, int64(s.start))
	b = binary.AppendVarint(b, int64(len(s.keys)))
	for _, k := range s.keys {
		b = binary.BigEndian.AppendUint64(b, uint64(k))
	}
	b = binary.AppendVarint(b, int64(len(s.attempts)))
	for i := range s.attempts {
		a := &s.attempts[i]
		b = packText(b, a.stage)
		b = binary.AppendVarint(b, a.number)
		// Most attempts begin soon after their run and do not take long: their times are written as small differences.
		b = binary.AppendVarint(b, int64(a.start-s.start))
		b = binary.AppendVarint(b, int64(a.end-a.start))
		b = append(b, byte(a.flags()))
	}
	return b
}

func packText(b []byte, s string) []byte {
	return append(binary.AppendVarint(b, int64(len(s))), s...)
}

func (p packed) trace() semconv.TraceID { return semconv.TraceID([]byte(p[:16])) }

func (p packed) id() string {
	rest := unpacking(p[16:])
	return rest.text()
}

// unpack is what was packed, its attempts by stage.
func (p packed) unpack() *settled {
	rest := unpacking(p)
	s := &settled{}
	copy(s.trace[:], rest.take(len(s.trace)))
	s.id = rest.text()
	copy(s.parent[:], rest.take(len(s.parent)))
	s.service = rest.text()
	s.parentID = rest.text()
	s.end = semconv.EndKind(rest.text())
	s.status = semconv.Status(rest.text())
	s.start = pcommon.Timestamp(rest.number())
	s.keys = make([]event.Key, rest.number())
	for i := range s.keys {
		s.keys[i] = event.Key(binary.BigEndian.Uint64([]byte(rest.take(8))))
	}
	s.attempts = make([]sentAttempt, rest.number())
	for i := range s.attempts {
		a := &s.attempts[i]
		a.stage = rest.text()
		a.number = rest.number()
		a.start = s.start + pcommon.Timestamp(rest.number())
		a.end = a.start + pcommon.Timestamp(rest.number())
		a.setFlags(int64(rest.take(1)[0]))
	}
	sortByStage(s.attempts)
	return s
}

// unpacking is what is left to unpack.
type unpacking string

func (u *unpacking) take(n int) string {
	taken := (*u)[:n]
	*u = (*u)[n:]
	return string(taken)
}

func (u *unpacking) number() int64 {
	n, size := binary.Varint([]byte((*u)[:min(len(*u), binary.MaxVarintLen64)]))
	*u = (*u)[size:]
	return n
}

func (u *unpacking) text() string { return u.take(int(u.number())) }

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"slices"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// scratch is where the attributes of one event are gathered until it is known which of them belong where. It is used
// again and again, so facts keep copies of just the size they need.
type scratch struct {
	// common and own are those that every event may have and those of the event's kind, see [event.Event.Attributes].
	common, own attributes
	// written is what the event writes into, once for each.
	written [2]pcommon.Map
}

var scratches = sync.Pool{New: func() any { return &scratch{written: [2]pcommon.Map{pcommon.NewMap(), pcommon.NewMap()}} }}

func newScratch() *scratch { return scratches.Get().(*scratch) }

// read takes the attributes of an event.
func (s *scratch) read(e event.Event) {
	e.Attributes(s.written[0], s.written[1], true)
	s.common, s.own = takeAll(s.common[:0], s.written[0]), takeAll(s.own[:0], s.written[1])
	s.common.remove(semconv.RunIDKey)
	s.own.remove(semconv.RunIDKey)
}

// readDetail takes the attributes of a detail, which are all its own.
func (s *scratch) readDetail(e event.Event) {
	e.Attributes(s.written[1], s.written[1], true)
	s.own = takeAll(s.own[:0], s.written[1])
}

// takeAll moves attributes out of m, which keeps its room.
func takeAll(dst attributes, m pcommon.Map) attributes {
	dst = slices.Grow(dst, m.Len())
	m.RemoveIf(func(key string, v pcommon.Value) bool {
		dst = append(dst, attribute{key, takeValue(v)})
		return true
	})
	return dst
}

// free gives the scratch back. Nothing that an event said stays behind in it.
func (s *scratch) free() {
	clear(s.common[:cap(s.common)])
	clear(s.own[:cap(s.own)])
	scratches.Put(s)
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"sync"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// scratch is where the attributes of one event are gathered until it is known which of them belong where. It is used
// again and again, so facts keep copies of just the size they need.
type scratch struct {
	// common and own are those that every event may have and those of the event's kind, see [event.Event.WriteTo].
	common, own attributes
}

var scratches = sync.Pool{New: func() any { return &scratch{} }}

func newScratch() *scratch { return scratches.Get().(*scratch) }

// read takes the attributes of an event.
func (s *scratch) read(e event.Event) {
	s.common, s.own = s.common[:0], s.own[:0]
	e.WriteTo(&s.common, &s.own, true)
	s.common.remove(semconv.RunIDKey)
	s.own.remove(semconv.RunIDKey)
}

// readDetail takes the attributes of a detail, which are all its own.
func (s *scratch) readDetail(e event.Event) {
	s.own = s.own[:0]
	e.WriteTo(&s.own, &s.own, true)
}

// free gives the scratch back. Nothing that an event said stays behind in it.
func (s *scratch) free() {
	clear(s.common[:cap(s.common)])
	clear(s.own[:cap(s.own)])
	scratches.Put(s)
}

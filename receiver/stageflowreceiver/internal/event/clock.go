// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const (
	// maxAhead is how far a sender's clock may be ahead of ours before its times are not believed. Clocks that are
	// kept lie within seconds.
	maxAhead = 5 * time.Minute
	// maxBehind tells a clock that is wrong, one that starts in 1970 say, from events that are late: a queue that
	// held out over a weekend, a file that is read again. Those are days old, so it is a week.
	maxBehind = 7 * 24 * time.Hour
)

// Clock is the [semconv.ClockKey] of an event that arrived at the given time: future, past, or "" where its time may be
// right or is its arrival. What a collector on the way here found stays: it saw the event first.
func (e *Event) Clock(arrival pcommon.Timestamp) string {
	if v := e.beside[besideClock]; !v.IsNull() {
		return v.AsText()
	}
	switch t := e.Time; {
	case t == 0:
		return ""
	case t > arrival && t-arrival > pcommon.Timestamp(maxAhead):
		return semconv.ClockFuture
	case arrival > t && arrival-t > pcommon.Timestamp(maxBehind):
		return semconv.ClockPast
	}
	return ""
}

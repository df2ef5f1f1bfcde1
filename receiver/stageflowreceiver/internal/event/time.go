// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// toldTime is the event's own time, 0 when it tells none. What the application wrote comes before what a sink
// added later; a wide event of a stage has no time of emission, so its end serves (catalogue 1.4, 3.7).
func (e *Event) toldTime() pcommon.Timestamp {
	for _, name := range [...]string{"timestamp", "ended_at", "end_time", "emitted_at"} {
		if v, ok := e.data.Get(name); ok {
			if t := ParseTime(v); t != 0 {
				return t
			}
		}
	}
	for _, name := range [...]string{"emitted_at", "timestamp", "start_time"} {
		if v, ok := e.envelope.Get(name); ok {
			if t := ParseTime(v); t != 0 {
				return t
			}
		}
	}
	return 0
}

// TimeOf is a time field of the data, 0 when absent or unreadable.
func (e *Event) TimeOf(name string) pcommon.Timestamp {
	v, ok := e.Field(name)
	if !ok {
		return 0
	}
	return ParseTime(v)
}

// StartedAt is when what the event tells of began, EndedAt when it ended; 0 when it does not say. The telemetry branch
// has names of its own (catalogue 1.9).
func (e *Event) StartedAt() pcommon.Timestamp { return e.firstTime("started_at", "start_time") }

// EndedAt is described at [Event.StartedAt].
func (e *Event) EndedAt() pcommon.Timestamp { return e.firstTime("ended_at", "end_time") }

func (e *Event) firstTime(names ...string) pcommon.Timestamp {
	for _, name := range names {
		if t := e.TimeOf(name); t != 0 {
			return t
		}
	}
	return 0
}

// timeLayouts: isoformat() with its T or str() with its space; the fraction may be missing; without a zone it is UTC.
var timeLayouts = []string{
	time.RFC3339Nano,
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999",
}

// ParseTime reads a time as the framework writes it; 0 for anything else, and for years that nanoseconds since
// 1970 cannot hold.
func ParseTime(v Value) pcommon.Timestamp {
	text := v.Str()
	if text == "" || len(text) > 40 {
		return 0
	}
	for _, layout := range timeLayouts {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		if t.Year() < 1970 || t.Year() > 2261 {
			return 0
		}
		return pcommon.NewTimestampFromTime(t)
	}
	return 0
}

// Duration is a field of the data in milliseconds; ok is false when it is absent, negative, or longer than a
// [time.Duration] can hold.
func (e *Event) Duration(field string) (d time.Duration, ok bool) {
	ms, ok := e.Double(field)
	if !ok || ms < 0 || ms > float64(math.MaxInt64/int64(time.Millisecond)) {
		return 0, false
	}
	return time.Duration(ms * float64(time.Millisecond)), true
}

// Before is t − d, and 0, for unknown, where that would lie before 1970.
func Before(t pcommon.Timestamp, d time.Duration) pcommon.Timestamp {
	if pcommon.Timestamp(d) >= t {
		return 0
	}
	return t - pcommon.Timestamp(d)
}

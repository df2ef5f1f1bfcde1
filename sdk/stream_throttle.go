// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import "github.com/stageflow/otelcol-stageflow/sdk/semconv"

// throttle finds the windows in which a queue's producers should slow down: from 80 % full until 20 % full (the
// framework's BackpressureMonitor, catalogue 2.4). The queue's lock guards it.
type throttle struct {
	limit     int
	high, low int // chunks at which a window starts and ends
	active    bool
	told      bool // of the start of this window
}

func newThrottle(limit int) throttle {
	return throttle{limit: limit, high: limit - limit/5, low: limit / 5}
}

// put tells of a window that starts with a put, after which there are size chunks.
func (t *throttle) put(size int, events *streamEvents) {
	if !t.active && size >= t.high {
		t.active = true
		t.told = events.tell(semconv.TypeStreamThrottleStarted, t.fill(size))
	}
}

// got tells of a window that ends with a get, after which there are size chunks.
func (t *throttle) got(size int, events *streamEvents) {
	if t.active && size <= t.low {
		t.end(size, events)
	}
}

// end closes a window whatever the size; a window whose start was lost ends silently.
func (t *throttle) end(size int, events *streamEvents) {
	if t.active && t.told {
		events.mustTell(semconv.TypeStreamThrottleEnded, t.fill(size))
	}
	t.active = false
}

func (t *throttle) fill(size int) map[string]any {
	return map[string]any{
		"fill_percentage": float64(size) / float64(t.limit) * 100,
		fieldQueueSize:    size,
	}
}

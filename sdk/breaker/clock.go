// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"math"
	"time"
)

// Times are nanoseconds since 1970 within: half the size of a time.Time, and compared by one instruction.
const (
	// never is no time at all. It is before every other.
	never = math.MinInt64
	// minTime and maxTime are the bounds of time, in the years 1933 and 2116: the difference of two times, and the sum of a
	// time and some durations, never overflow.
	minTime = -1 << 60
	maxTime = 1 << 62
)

// nanos is t, or the nearest time within bounds.
func nanos(t time.Time) int64 {
	s := t.Unix()
	switch {
	case s >= maxTime/int64(time.Second):
		return maxTime
	case s <= minTime/int64(time.Second):
		return minTime
	}
	return s*int64(time.Second) + int64(t.Nanosecond())
}

// timeOf is the other way; never is the zero time.
func timeOf(n int64) time.Time {
	if n == never {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// back is t, d earlier; never stays.
func back(t, d int64) int64 {
	if t == never {
		return never
	}
	return max(t-d, minTime)
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// maxRetryAfter in seconds: a day; a breaker stays open for its max_open_duration at most anyway.
const maxRetryAfter = 24 * 60 * 60

// retryAfterOf is for how long, since the call ended, the provider asked not to be called again: as the call's event tells,
// else as the header Retry-After does, which HTTP instrumentations write when they are told to.
func (f *facts) retryAfterOf(end time.Time) time.Duration {
	if f.retryAfter > 0 {
		return seconds(f.retryAfter / 1000)
	}
	if f.retryHeader == (pcommon.Value{}) {
		return 0
	}
	text := f.retryHeader
	if text.Type() == pcommon.ValueTypeSlice { // of one header there may be several
		if text.Slice().Len() == 0 {
			return 0
		}
		text = text.Slice().At(0)
	}
	header := strings.TrimSpace(text.AsString())
	if n, err := strconv.ParseFloat(header, 64); err == nil {
		return seconds(n)
	}
	if t, err := http.ParseTime(header); err == nil {
		return seconds(t.Sub(end).Seconds())
	}
	return 0
}

// seconds is a duration between none and the most; what is no number is none.
func seconds(n float64) time.Duration {
	if !(n > 0) { // nor is what is no number
		return 0
	}
	return time.Duration(min(n, maxRetryAfter) * float64(time.Second))
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func TestClock(t *testing.T) {
	arrival := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		off   time.Duration
		found string // what a collector on the way found
		want  string
	}{
		{"now", 0, "", ""},
		{"as far ahead as clocks may be", maxAhead, "", ""},
		{"further ahead", maxAhead + 1, "", semconv.ClockFuture},
		{"late, but a queue may have held it", -3 * 24 * time.Hour, "", ""},
		{"as late as events may be", -maxBehind, "", ""},
		{"later", -maxBehind - 1, "", semconv.ClockPast},
		{"a clock that starts in 1970", -time.Duration(arrival.Add(-time.Second).UnixNano()), "", semconv.ClockPast},
		{"found ahead on the way, where it came first", 0, semconv.ClockFuture, semconv.ClockFuture},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lr := decodeOne(t, []byte(`{"type":"custom"}`))
			lr.SetTimestamp(pcommon.NewTimestampFromTime(arrival.Add(tt.off)))
			if tt.found != "" {
				lr.Attributes().PutStr(semconv.ClockKey, tt.found)
			}
			assert.Equal(t, tt.want, open(lr).Clock(pcommon.NewTimestampFromTime(arrival)))
		})
	}
	assert.Empty(t, open(decodeOne(t, []byte(`{"type":"custom"}`))).Clock(pcommon.NewTimestampFromTime(arrival)), "its arrival is its time")
}

func TestZeroParent(t *testing.T) {
	const trace = "00-0af7651916cd43dd8448eb211c80319c-"
	for line, want := range map[string]bool{
		`{"type":"x","traceparent":"` + trace + `0000000000000000-01"}`:          true,
		`{"type":"x","data":{"traceparent":"` + trace + `0000000000000000-01"}}`: true,
		`{"type":"x","traceparent":"` + trace + `b7ad6b7169203331-01"}`:          false,
		`{"type":"x","traceparent":"00-xyz"}`:                                    false,
		`{"type":"x"}`:                                                           false,
	} {
		assert.Equal(t, want, open(decodeOne(t, []byte(line))).ZeroParent(), line)
	}
}

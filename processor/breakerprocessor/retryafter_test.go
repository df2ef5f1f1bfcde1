// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func TestRetryAfter(t *testing.T) {
	for name, tt := range map[string]struct {
		attrs map[string]any
		want  time.Duration
	}{
		"none":                       {nil, 0},
		"the event's":                {map[string]any{semconv.CallRetryAfterKey: 1500.0}, 1500 * time.Millisecond},
		"the event's before headers": {map[string]any{semconv.CallRetryAfterKey: int64(1500), semconv.HTTPRetryAfterKey: "7"}, 1500 * time.Millisecond},
		"a header":                   {map[string]any{semconv.HTTPRetryAfterKey: "7"}, 7 * time.Second},
		"of several headers":         {map[string]any{semconv.HTTPRetryAfterKey: []any{" 7 ", "9"}}, 7 * time.Second},
		"a fraction":                 {map[string]any{semconv.HTTPRetryAfterKey: "0.25"}, 250 * time.Millisecond},
		"a number":                   {map[string]any{semconv.HTTPRetryAfterKey: int64(7)}, 7 * time.Second},
		"a date":                     {map[string]any{semconv.HTTPRetryAfterKey: "Thu, 01 Jan 2026 00:00:20 GMT"}, 10 * time.Second},
		"a date that is over":        {map[string]any{semconv.HTTPRetryAfterKey: "Thu, 01 Jan 2026 00:00:05 GMT"}, 0},
		"words":                      {map[string]any{semconv.HTTPRetryAfterKey: "later"}, 0},
		"an empty list":              {map[string]any{semconv.HTTPRetryAfterKey: []any{}}, 0},
		"never again":                {map[string]any{semconv.HTTPRetryAfterKey: "1e300"}, 24 * time.Hour},
		"no number":                  {map[string]any{semconv.HTTPRetryAfterKey: "NaN"}, 0},
		"before now":                 {map[string]any{semconv.HTTPRetryAfterKey: "-5", semconv.CallRetryAfterKey: -1.0}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			attrs := pcommon.NewMap()
			require.NoError(t, attrs.FromRaw(tt.attrs))
			var f facts
			f.read(attrs, newKeyAttributes(&KeyConfig{}))
			assert.Equal(t, tt.want, f.retryAfterOf(at(10)))
		})
	}
}

func TestABreakerStaysOpenForAsLongAsTheProviderAsks(t *testing.T) {
	c := newTestCore(t, defaults())
	calls := records(t, fail(5, 1)...)
	for _, r := range calls.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		r.Attributes().PutDouble(semconv.CallRetryAfterKey, 200_000)
	}
	_, err := c.processLogs(t.Context(), calls)
	require.NoError(t, err)
	assert.Equal(t, semconv.BreakerOpen, c.state(200))
	assert.Equal(t, semconv.BreakerHalfOpen, c.state(206))
}

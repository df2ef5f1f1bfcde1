// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// runSpan is the span of a run in the batch.
type runSpan struct {
	id    string
	attrs pcommon.Map
}

func (c *core) processTraces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	var calls []call
	var runs []runSpan
	now := c.now()
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			spans := ss.Spans()
			for i := range spans.Len() {
				span := spans.At(i)
				var f facts
				f.read(span.Attributes(), c.keys)
				if call, ok := fromSpan(span, &f, now); ok {
					calls = append(calls, call)
				} else if f.isRun && f.runID != "" {
					runs = append(runs, runSpan{id: f.runID, attrs: span.Attributes()})
				}
			}
		}
	}
	c.judge(ctx, calls, now)
	if len(runs) > 0 {
		listBreakers(runs, calls)
	}
	return td, nil
}

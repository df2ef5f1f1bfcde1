// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

func (c *core) processTraces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	var calls []call
	var owners []owner
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
				} else if o, ok := ownerOf(span, &f); ok {
					owners = append(owners, o)
				}
			}
		}
	}
	c.judge(ctx, calls, now)
	if len(owners) > 0 && len(calls) > 0 {
		listBreakers(owners, calls)
	}
	return td, nil
}

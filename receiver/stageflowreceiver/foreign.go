// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"context"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// passSpans hands on the spans of other instrumentations as they are. One that carries the id of a provider call says
// more of it than its events do, so the receiver makes no span of that call.
func (c *core) passSpans(ctx context.Context, td ptrace.Traces) error {
	calls := callIDs(td)
	if err := c.traces.ConsumeTraces(ctx, td); err != nil {
		return err
	}
	if len(calls) == 0 {
		return nil
	}
	return c.intake.assembler.TakeForeign(ctx, calls, c.now())
}

func callIDs(td ptrace.Traces) []string {
	var out []string
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				if id, ok := span.Attributes().Get(semconv.CallIDKey); ok && id.AsString() != "" {
					out = append(out, id.AsString())
				}
			}
		}
	}
	return out
}

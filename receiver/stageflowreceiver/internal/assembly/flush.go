// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"maps"
	"slices"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// flush takes out what has finished of a run that goes on: attempts and calls with an end, once. A failed attempt
// stays, because another may follow and make it a retried one. It returns nil when nothing has finished.
func (r *run) flush(parentTrace func(runID string) semconv.TraceID) *Run {
	out := r.resolve(parentTrace)
	out.Sent = true // the run's own span leaves when it is over
	left := map[string][]sentAttempt{}
	finished := slices.DeleteFunc(slices.Clone(out.Attempts), func(a *Attempt) bool {
		leaves := a.leaves() && a.Status != semconv.StatusAbandoned && a.Status != semconv.StatusFailed
		if leaves || a.sent != nil {
			left[a.Stage] = append(left[a.Stage], a.remember())
		}
		return !leaves
	})
	out.Calls = slices.DeleteFunc(out.Calls, func(c *Call) bool {
		// Before its stage has left it is not sure which attempt made the call, unless the call says so.
		placed := c.Stage != nil && (r.calls[c.ID].attempt > 0 || c.Stage.sent != nil || slices.Contains(finished, c.Stage))
		return c.Status == semconv.StatusAbandoned || !placed || r.leftCalls[c.ID]
	})
	if len(finished) == 0 && len(out.Calls) == 0 {
		return nil
	}
	out.Attempts, r.left = finished, left
	if r.leftCalls == nil {
		r.leftCalls = map[string]bool{}
	}
	for _, c := range out.Calls {
		r.leftCalls[c.ID] = true
		c.attributes = maps.Clone(c.attributes) // the run's own goes on to change while the span is written
	}
	return out
}

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
	out.Sent, out.of = true, r // the run's own span leaves when it is over
	var left []sentAttempt
	finished := slices.DeleteFunc(slices.Clone(out.Attempts), func(a *Attempt) bool {
		leaves := a.leaves() && a.Status != semconv.StatusAbandoned && a.Status != semconv.StatusFailed
		if leaves || a.sent != nil {
			left = append(left, a.remember())
		}
		return !leaves
	})
	// Before its stage has left it is not sure which attempt made a call, unless the call says so.
	placed := func(caller *Attempt, told int64) bool {
		return caller != nil && (told > 0 || caller.sent != nil || slices.Contains(finished, caller))
	}
	out.Calls = slices.DeleteFunc(out.Calls, func(c *Call) bool {
		return c.Status == semconv.StatusAbandoned || !placed(c.Stage, r.calls[c.ID].attempt) || r.leftCalls[c.ID]
	})
	out.Tools = slices.DeleteFunc(out.Tools, func(t *Tool) bool {
		return t.Status == semconv.StatusAbandoned || !placed(t.Stage, r.tools[t.ID].attempt) || r.leftTools[t.ID]
	})
	if len(finished) == 0 && len(out.Calls) == 0 && len(out.Tools) == 0 {
		return nil
	}
	sortByStage(left)
	out.Attempts, r.left = finished, left
	// What says what has left is made anew: a mark of the last time may still be written.
	r.leftCalls, r.leftTools = cloneSet(r.leftCalls), cloneSet(r.leftTools)
	for _, c := range out.Calls {
		r.leftCalls[c.ID] = true
		c.attributes = slices.Clone(c.attributes) // the run's own goes on to change while the span is written
	}
	for _, t := range out.Tools {
		r.leftTools[t.ID] = true
	}
	return out
}

func cloneSet(s map[string]bool) map[string]bool {
	out := make(map[string]bool, len(s)+1)
	maps.Copy(out, s)
	return out
}

func (a *Assembler) flush(r *run) *Run {
	out := r.flush(a.traceOf)
	if out != nil {
		a.leaveToOthers(out, r)
	}
	return out
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"maps"
	"slices"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// The fields of an entry of stageflow.run.breakers.
const (
	fieldKey   = "key"
	fieldState = "state"
)

// listBreakers writes on run spans which breakers were not closed in the run, as far as the batch holds its
// calls: when a call started, or because a call opened it. Of several states of one breaker the worst is kept.
func listBreakers(runs []runSpan, calls []call) {
	sick := map[string]map[string]semconv.BreakerState{} // run, breaker
	note := func(c *call, state semconv.BreakerState) {
		if severity(state) == 0 {
			return
		}
		of := sick[c.runID]
		if of == nil {
			of = map[string]semconv.BreakerState{}
			sick[c.runID] = of
		}
		if key := c.key.String(); severity(state) > severity(of[key]) {
			of[key] = state
		}
	}
	for i := range calls {
		note(&calls[i], calls[i].verdict.state)
		note(&calls[i], calls[i].verdict.to)
	}
	for _, run := range runs {
		of := sick[run.id]
		if len(of) == 0 {
			continue
		}
		list := run.attrs.PutEmptySlice(semconv.RunBreakersKey)
		for _, key := range slices.Sorted(maps.Keys(of)) {
			entry := list.AppendEmpty().SetEmptyMap()
			entry.PutStr(fieldKey, key)
			entry.PutStr(fieldState, string(of[key]))
		}
	}
}

// severity orders the states by how bad they are; closed, and none, are 0.
func severity(s semconv.BreakerState) int {
	switch s {
	case semconv.BreakerOpen, semconv.BreakerForcedOpen:
		return 2
	case semconv.BreakerHalfOpen:
		return 1
	}
	return 0
}

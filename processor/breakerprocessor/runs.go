// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"maps"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// The fields of an entry of stageflow.run.breakers and stageflow.stage.breakers.
const (
	fieldKey   = "key"
	fieldState = "state"
)

// owner is a span of the batch that has calls under it: a run's, or that of a stage's attempt.
type owner struct {
	// of names the run, or the stage's span, as call.owners does.
	of    string
	list  string // the attribute
	attrs pcommon.Map
}

// runOwner and spanOwner cannot be the same.
func runOwner(runID string) string { return "r" + runID }

func spanOwner(trace pcommon.TraceID, span pcommon.SpanID) string {
	return "s" + string(trace[:]) + string(span[:])
}

// ownerOf is the span as an owner of calls, if it is one.
func ownerOf(span ptrace.Span, f *facts) (o owner, ok bool) {
	switch {
	case f.isRun && f.runID != "":
		return owner{runOwner(f.runID), semconv.RunBreakersKey, span.Attributes()}, true
	case f.isStage:
		return owner{spanOwner(span.TraceID(), span.SpanID()), semconv.StageBreakersKey, span.Attributes()}, true
	}
	return owner{}, false
}

// listBreakers writes on the spans of runs and stages which breakers were not closed in them, as far as the batch holds
// their calls: when a call started, or because a call opened it. Of several states of one breaker the worst is kept.
func listBreakers(owners []owner, calls []call) {
	sick := map[string]map[string]semconv.BreakerState{} // owner, breaker
	note := func(of string, c *call, state semconv.BreakerState) {
		if severity(state) == 0 {
			return
		}
		if sick[of] == nil {
			sick[of] = map[string]semconv.BreakerState{}
		}
		if key := c.key.String(); severity(state) > severity(sick[of][key]) {
			sick[of][key] = state
		}
	}
	for i := range calls {
		c := &calls[i]
		for _, of := range [...]string{runOwner(c.runID), c.parent} {
			note(of, c, c.verdict.state)
			note(of, c, c.verdict.to)
		}
	}
	for _, o := range owners {
		of := sick[o.of]
		if len(of) == 0 {
			continue
		}
		list := o.attrs.PutEmptySlice(o.list)
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

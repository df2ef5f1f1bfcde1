// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	lru "github.com/hashicorp/golang-lru/v2"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// maxJoins bounds the provider calls whose start is remembered, and the tool calls whose run is.
const maxJoins = 100_000

// joins remembers the starts of provider calls: the end of a call repeats neither run nor operation nor provider
// (catalogue 2.1). Of tool calls it remembers the run, which on each of their events may be null (1.7).
type joins struct {
	byCallID *lru.Cache[string, callStart]
	// byActionID has the runs of tool calls.
	byActionID *lru.Cache[string, string]
}

// callStart is what the start of a call says and its end may not.
type callStart struct {
	runID      string
	attributes []callAttribute
}

type callAttribute struct {
	key   string
	value pcommon.Value
}

// joinedKeys are the attributes of a call's start that its end gets, too.
var joinedKeys = []string{
	semconv.GenAIOperationNameKey, semconv.GenAIProviderNameKey, semconv.GenAIRequestModelKey,
	semconv.StageNameKey, semconv.StageAttemptKey,
}

func newJoins() *joins {
	calls, _ := lru.New[string, callStart](maxJoins) // fails only on a size of zero
	actions, _ := lru.New[string, string](maxJoins)
	return &joins{byCallID: calls, byActionID: actions}
}

// runOf is the run of an event: its own, the one that it was joined to before, the one of the call it ends or of the
// tool call it is about, or one made up for a whole run that has no id. It is "" when nothing tells.
func (j *joins) runOf(e event.Event) string {
	if id := e.JoinedRunID(); id != "" {
		return id
	}
	switch e.Name {
	case semconv.EventCallEnded:
		return j.runOfCall(e.CallID())
	case semconv.EventWideRun:
		return e.AnonymousRunID()
	}
	if e.OfTool() {
		runID, _ := j.byActionID.Get(e.ActionID())
		return runID
	}
	return ""
}

// runOfCall is the run of a call whose start is remembered, "" for none.
func (j *joins) runOfCall(callID string) string {
	start, _ := j.byCallID.Get(callID)
	return start.runID
}

// keep remembers what later events of a call may need: its run, and what its start says.
func (j *joins) keep(e event.Event, runID string) {
	switch {
	case e.Name == semconv.EventCallStarted:
		if id := e.CallID(); id != "" {
			attrs := pcommon.NewMap()
			e.Attributes(attrs, attrs, false)
			j.keepCall(id, runID, attrs)
		}
	case e.OfTool():
		if id := e.ActionID(); id != "" && runID != "" {
			j.byActionID.Add(id, runID)
		}
	}
}

// keepCall remembers the start of a call.
func (j *joins) keepCall(id, runID string, attrs pcommon.Map) {
	start := callStart{runID: runID}
	for _, key := range joinedKeys {
		if v, ok := attrs.Get(key); ok {
			kept := pcommon.NewValueEmpty()
			v.CopyTo(kept)
			start.attributes = append(start.attributes, callAttribute{key, kept})
		}
	}
	j.byCallID.Add(id, start)
}

// complete fills the attributes of a call's end from its start.
func (j *joins) complete(e event.Event, attrs pcommon.Map) {
	if e.Name != semconv.EventCallEnded {
		return
	}
	start, _ := j.byCallID.Get(e.CallID())
	for _, a := range start.attributes {
		if v, found := attrs.GetOrPutEmpty(a.key); !found {
			a.value.CopyTo(v)
		}
	}
}

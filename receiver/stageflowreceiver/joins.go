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

// runOf is the run of an event: its own, the one of the call it ends or of the tool call it is about, or one made up
// for a whole run that has no id. It is "" when nothing tells.
func (j *joins) runOf(e event.Event) string {
	if id := e.RunID(); id != "" {
		return id
	}
	switch e.Name {
	case semconv.EventCallEnded:
		start, _ := j.byCallID.Get(e.CallID())
		return start.runID
	case semconv.EventWideRun:
		return e.AnonymousRunID()
	}
	if e.OfTool() {
		runID, _ := j.byActionID.Get(e.ActionID())
		return runID
	}
	return ""
}

// complete remembers the start of a call, and fills the attributes of its end from it.
func (j *joins) complete(e event.Event, runID string, attrs pcommon.Map) {
	id := e.CallID()
	if id == "" {
		return
	}
	switch e.Name {
	case semconv.EventCallStarted:
		start := callStart{runID: runID}
		for _, key := range joinedKeys {
			if v, ok := attrs.Get(key); ok {
				kept := pcommon.NewValueEmpty()
				v.CopyTo(kept)
				start.attributes = append(start.attributes, callAttribute{key, kept})
			}
		}
		j.byCallID.Add(id, start)
	case semconv.EventCallEnded:
		start, ok := j.byCallID.Get(id)
		if !ok {
			return
		}
		for _, a := range start.attributes {
			if v, found := attrs.GetOrPutEmpty(a.key); !found {
				a.value.CopyTo(v)
			}
		}
	}
}

// keepAction remembers the run of a tool call.
func (j *joins) keepAction(e event.Event, runID string) {
	if id := e.ActionID(); id != "" && runID != "" {
		j.byActionID.Add(id, runID)
	}
}

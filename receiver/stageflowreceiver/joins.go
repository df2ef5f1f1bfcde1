// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

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
	attributes event.Attributes
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
func (j *joins) runOf(e *event.Event) string {
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
func (j *joins) keep(e *event.Event, told []event.Told, runID string) {
	switch {
	case e.Name == semconv.EventCallStarted:
		if id := e.CallID(); id != "" {
			j.keepCall(id, runID, func(key string) event.Value { return event.Find(told, key) })
		}
	case e.OfTool():
		if id := e.ActionID(); id != "" && runID != "" {
			if known, _ := j.byActionID.Get(id); known != runID {
				j.byActionID.Add(strings.Clone(id), strings.Clone(runID))
			}
		}
	}
}

// keepCall remembers the start of a call, and of what it says copies of what the end gets, too.
func (j *joins) keepCall(id, runID string, said func(key string) event.Value) {
	size, n := len(id)+len(runID), 0
	for _, key := range joinedKeys {
		if v := said(key); !v.IsNull() {
			size, n = size+len(v.Str()), n+1
		}
	}
	texts := event.NewTexts(size)
	start := callStart{texts.Keep(runID), make(event.Attributes, 0, n)}
	for _, key := range joinedKeys {
		if v := said(key); !v.IsNull() {
			start.attributes = append(start.attributes, event.Attribute{Key: key, Value: v.Kept(texts)})
		}
	}
	j.byCallID.Add(texts.Keep(id), start)
}

// complete fills what the end of a call tells from its start.
func (j *joins) complete(e *event.Event, told []event.Told) []event.Told {
	if e.Name != semconv.EventCallEnded {
		return told
	}
	start, _ := j.byCallID.Get(e.CallID())
	for _, a := range start.attributes {
		if event.Find(told, a.Key).IsNull() {
			told = append(told, event.Told{Attribute: a})
		}
	}
	return told
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	lru "github.com/hashicorp/golang-lru/v2"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// maxJoins bounds the provider calls whose start is remembered.
const maxJoins = 100_000

// joins remembers the starts of provider calls: the end of a call repeats neither run nor operation nor provider
// (catalogue 2.1).
type joins struct {
	byCallID *lru.Cache[string, callStart]
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
	cache, _ := lru.New[string, callStart](maxJoins) // fails only on a size of zero
	return &joins{byCallID: cache}
}

// runOf is the run of an event: its own, the one of the call it ends, or one made up for a whole run that has no
// id. It is "" when nothing tells.
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

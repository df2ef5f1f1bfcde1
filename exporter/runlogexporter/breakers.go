// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// sourceCollector is the source of transitions that a collector's own breaker wrote on a call.
const sourceCollector = "collector"

// sourceSDK begins the source of transitions that the breaker of an application told: each of its processes has one.
const sourceSDK = "sdk/"

// callTransition is what a call says of the change of state that it caused, nil when it caused none. Breakers that do
// not count their changes are told apart by the end of the call, in microseconds.
func callTransition(attrs pcommon.Map, endedAt int64, fromSpan bool, trace pcommon.TraceID, span pcommon.SpanID) *runlog.Row {
	from, to, ok := strings.Cut(text(attrs, semconv.BreakerTransitionKey), ">")
	key := text(attrs, semconv.BreakerKeyKey)
	if !ok || key == "" {
		return nil
	}
	source, generation := text(attrs, semconv.BreakerSourceKey), endedAt/int64(time.Microsecond)
	if source == "" {
		source = sourceCollector
	}
	if v, ok := attrs.Get(semconv.BreakerGenerationKey); ok {
		if n := cell(runlog.Integer, v); !n.IsNull() {
			generation = n.Int()
		}
	}
	fact := transition(key, source, generation, from, to, endedAt, fromSpan, trace, span)
	fact.Set(transitionReason, runlog.TextValue(text(attrs, semconv.ErrorCodeKey)))
	return fact
}

// sdkTransition is what an application's own breaker says, nil when it does not say which. Its generations begin anew
// with each process, so the source is the process: its event sink, else its service instance.
func (e event) sdkTransition(resource pcommon.Map, trace pcommon.TraceID, span pcommon.SpanID) *runlog.Row {
	if !e.hasData {
		return nil
	}
	operation, provider := text(e.data, "operation"), text(e.data, "provider")
	generation, ok := e.data.Get("generation")
	if operation == "" && provider == "" || !ok {
		return nil
	}
	source := text(e.attrs, semconv.EventSinkIDKey)
	for _, key := range []string{semconv.ServiceInstanceIDKey, semconv.ServiceNameKey} {
		if source == "" {
			source = text(resource, key)
		}
	}
	fact := transition(operation+"/"+provider, sourceSDK+source, cell(runlog.Integer, generation).Int(),
		text(e.data, "from_state"), text(e.data, "to_state"), e.time, false, trace, span)
	fact.Set(transitionReason, runlog.TextValue(text(e.data, "reason")))
	return fact
}

func transition(key, source string, generation int64, from, to string, at int64, fromSpan bool, trace pcommon.TraceID, span pcommon.SpanID) *runlog.Row {
	fact := runlog.NewFact(runlog.BreakerTransitions, at, fromSpan, runlog.KeyValue(key), runlog.KeyValue(source), runlog.IntValue(generation))
	fact.Set(transitionFrom, runlog.TextValue(from))
	fact.Set(transitionTo, runlog.TextValue(to))
	fact.Set(transitionAt, runlog.TimeValue(at))
	if !trace.IsEmpty() {
		fact.Set(transitionTrace, runlog.TextValue(trace.String()))
	}
	if !span.IsEmpty() {
		fact.Set(transitionSpan, runlog.TextValue(span.String()))
	}
	return fact
}

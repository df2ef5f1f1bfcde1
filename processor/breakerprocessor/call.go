// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// result is what a call says about its provider.
type result uint8

const (
	noOutcome result = iota // still running, or nobody knows
	success
	failure
	ignored
	notPermitted
	results
)

// call is a call to a provider, as a span or a log record tells of it.
type call struct {
	key   breaker.Key
	start time.Time
	end   time.Time
	// result is how it ended.
	result result
	// retryAfter is for how long the provider asked not to be called again.
	retryAfter time.Duration
	// id names the call, so that it counts once; 0 is a call that nothing names.
	id    callID
	runID string
	// parent is the span above, as an owner of calls; "" for a log record.
	parent string
	attrs  pcommon.Map

	verdict verdict
}

// facts is what the attributes of a span or log record tell of a call.
type facts struct {
	operation, provider                                   ranked
	runID, callID, callStatus, runStatus, code, startTime string
	latency, retryAfter                                   float64 // milliseconds
	isCall, isRun, isStage                                bool
	retryHeader                                           pcommon.Value // the zero value for none
}

// read gathers all facts in one pass over the attributes.
func (f *facts) read(attrs pcommon.Map, keys keyAttributes) {
	for key, v := range attrs.All() {
		if a, ok := keys[key]; ok {
			if a.provider {
				f.provider.take(a, v.AsString())
			} else {
				f.operation.take(a, v.AsString())
			}
		}
		switch key {
		case semconv.OpenInferenceKindKey:
			f.isCall = f.isCall || calling[v.AsString()]
		case semconv.RunIDKey:
			f.runID = v.AsString()
		case semconv.CallIDKey:
			f.callID, f.isCall = v.AsString(), true
		case semconv.CallStatusKey:
			f.callStatus = v.AsString()
		case semconv.RunStatusKey:
			f.runStatus, f.isRun = v.AsString(), true
		case semconv.StageStatusKey:
			f.isStage = true
		case semconv.ErrorCodeKey:
			f.code = v.AsString()
		case semconv.StartTimeKey:
			f.startTime = v.AsString()
		case semconv.CallLatencyKey:
			f.latency = number(v)
		case semconv.CallRetryAfterKey:
			f.retryAfter = number(v)
		case semconv.HTTPRetryAfterKey:
			f.retryHeader = v
		}
	}
}

func number(v pcommon.Value) float64 {
	switch v.Type() {
	case pcommon.ValueTypeDouble:
		return v.Double()
	case pcommon.ValueTypeInt:
		return float64(v.Int())
	}
	return 0
}

// breakerKey needs both names: half a key would mix providers.
func (f *facts) breakerKey() (breaker.Key, bool) {
	return breaker.Key{Operation: f.operation.name, Provider: f.provider.name}, f.operation.name != "" && f.provider.name != ""
}

// result judges a call by its status and, where it failed, by the code.
func (f *facts) result(status semconv.Status) result {
	switch status {
	case semconv.StatusCompleted:
		return success
	case semconv.StatusCancelled, semconv.StatusSkipped:
		return ignored
	case semconv.StatusFailed, semconv.StatusRetried:
		switch breaker.Classify(f.code) {
		case breaker.Ignored:
			return ignored
		case breaker.NotPermitted:
			return notPermitted
		}
		return failure
	}
	return noOutcome
}

// id names the call by run and call id. The framework's logger that does nothing gives every call the nil UUID, which
// names none.
func (f *facts) id() callID {
	if f.callID == "" || strings.Trim(f.callID, "0-") == "" {
		return 0
	}
	return callIDOf(f.runID, f.callID)
}

// fromRecord reads the record of a call's start or end; ok is false for all other records.
func fromRecord(record plog.LogRecord, keys keyAttributes, now time.Time) (c call, ok bool) {
	name := semconv.EventName(record.EventName())
	if name != semconv.EventCallEnded && name != semconv.EventCallStarted {
		return call{}, false
	}
	var f facts
	f.read(record.Attributes(), keys)
	key, ok := f.breakerKey()
	if !ok {
		return call{}, false
	}
	c = call{key: key, runID: f.runID, attrs: record.Attributes(), id: f.id()}
	c.end = earliest(now, record.Timestamp(), record.ObservedTimestamp())
	c.start = c.end
	if name == semconv.EventCallStarted {
		return c, true
	}
	if status, known := semconv.ParseStatus(f.callStatus); known {
		c.result = f.result(status)
		c.retryAfter = f.retryAfterOf(c.end)
	}
	if f.latency > 0 && f.latency < maxLatency {
		c.start = c.end.Add(-time.Duration(f.latency * float64(time.Millisecond)))
	} else if start, err := time.Parse(time.RFC3339Nano, f.startTime); err == nil && start.Before(c.end) {
		c.start = start
	}
	return c, true
}

// maxLatency in milliseconds: eleven days; more is a mistake.
const maxLatency = 1e9

// fromSpan reads the span of a call: one of the framework's, or a client span of another instrumentation.
func fromSpan(span ptrace.Span, f *facts, now time.Time) (c call, ok bool) {
	if !f.isCall && span.Kind() != ptrace.SpanKindClient {
		return call{}, false
	}
	key, ok := f.breakerKey()
	if !ok {
		return call{}, false
	}
	c = call{key: key, runID: f.runID, attrs: span.Attributes(), id: f.id(), parent: spanOwner(span.TraceID(), span.ParentSpanID())}
	if c.id == 0 {
		trace, id := span.TraceID(), span.SpanID()
		c.id = callIDOf(string(trace[:]), string(id[:]))
	}
	c.end = earliest(now, span.EndTimestamp(), span.StartTimestamp())
	c.start = c.end
	if start := span.StartTimestamp(); start != 0 && start.AsTime().Before(c.end) {
		c.start = start.AsTime()
	}
	status, known := semconv.ParseStatus(f.callStatus)
	switch {
	case known:
	case span.Status().Code() == ptrace.StatusCodeError:
		status = semconv.StatusFailed
	default:
		status = semconv.StatusCompleted
	}
	c.result, c.retryAfter = f.result(status), f.retryAfterOf(c.end)
	return c, true
}

// earliest returns the first of times that is set, but nothing after now: one clock that runs ahead would
// otherwise keep a breaker open, or closed, until that time comes.
func earliest(now time.Time, times ...pcommon.Timestamp) time.Time {
	for _, ts := range times {
		if ts != 0 {
			if t := ts.AsTime(); ts <= math.MaxInt64 && t.Before(now) { // more nanoseconds wrap around to before 1970
				return t
			}
			return now
		}
	}
	return now
}

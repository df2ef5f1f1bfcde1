// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/errorsummary"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// What stageflow.error.rule shows where the summary is another span's.
const (
	ruleFailedCall  = "failed_call"
	ruleFailedStage = "failed_stage"
)

// spanKey names a span.
type spanKey struct {
	trace pcommon.TraceID
	span  pcommon.SpanID
}

// runKey names a run in a trace. Only what one batch holds is joined; a receiver sends a run in one batch.
type runKey struct {
	trace pcommon.TraceID
	run   string
}

// nameRootCauses gives stages that only know that they failed the summary of the last failed call under them,
// and runs that of their first failed stage.
func nameRootCauses(failures []*failure) {
	calls := map[spanKey]*failure{}
	stages := map[runKey][]*failure{}
	var runs []*failure
	for _, f := range failures {
		if f.span.Status().Code() != ptrace.StatusCodeError {
			continue // something was thrown and caught: no cause of anything
		}
		switch {
		case f.isCall():
			parent := spanKey{f.span.TraceID(), f.span.ParentSpanID()}
			if last := calls[parent]; last == nil || f.span.EndTimestamp() >= last.span.EndTimestamp() {
				calls[parent] = f
			}
		case f.facts.runStatus != "":
			runs = append(runs, f)
		case f.facts.stageName != "":
			key := runKey{f.span.TraceID(), f.facts.runID}
			stages[key] = append(stages[key], f)
		}
	}
	for _, of := range stages {
		for _, stage := range of {
			if call := calls[spanKey{stage.span.TraceID(), stage.span.SpanID()}]; call != nil {
				stage.take(call, ruleFailedCall)
			}
		}
	}
	for _, run := range runs {
		run.nameStage(stages[runKey{run.span.TraceID(), run.facts.runID}])
	}
}

// isCall: the framework's call to a provider, or one that another instrumentation saw.
func (f *failure) isCall() bool {
	return f.facts.callID != "" || (f.facts.provider != "" && f.span.Kind() == ptrace.SpanKindClient)
}

// nameStage puts the blame on a stage: the one that the end of the run names, else the first that failed.
func (f *failure) nameStage(stages []*failure) {
	f.stage = f.facts.failedStage
	var cause *failure
	for _, s := range stages {
		if f.stage != "" && s.facts.stageName != f.stage {
			continue
		}
		if cause == nil || earlierCause(s, cause) {
			cause = s
		}
	}
	if cause == nil {
		return
	}
	f.stage = cause.facts.stageName
	f.take(cause, ruleFailedStage)
}

// earlierCause: an attempt that was tried again did not fail the run; among the others the first to end did.
func earlierCause(a, b *failure) bool {
	if ar, br := a.retried(), b.retried(); ar != br {
		return br
	}
	return a.span.EndTimestamp() < b.span.EndTimestamp()
}

func (f *failure) retried() bool {
	s, ok := semconv.ParseStatus(f.facts.stageStatus)
	return ok && s == semconv.StatusRetried
}

// take replaces the summary by the cause's where that says more. A code that came with the span stays.
func (f *failure) take(cause *failure, rule string) {
	if f.facts.code != "" {
		return
	}
	better := f.summary.Code == errorsummary.CodeUnknown && cause.summary.Code != errorsummary.CodeUnknown
	if better || f.summary.Message == "" {
		f.summary = cause.summary
		f.summary.Rule = rule
	}
}

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

// maxDepth bounds how many failed spans are climbed from a failure to its stage, and how many runs are nested.
const maxDepth = 32

// causes is what a batch tells of the failures under its stages and runs.
type causes struct {
	spans  map[spanKey]*failure
	stages map[runKey][]*failure
	// calls and children hold the failed call and the failed child run that a stage failed with.
	calls, children map[*failure]*failure
	named           map[*failure]bool // runs
}

// nameRootCauses gives stages that only know that they failed the summary of what failed under them, the last call or a
// child run, and runs that of their first failed stage.
func nameRootCauses(failures []*failure) {
	c := causes{
		spans: map[spanKey]*failure{}, stages: map[runKey][]*failure{},
		calls: map[*failure]*failure{}, children: map[*failure]*failure{}, named: map[*failure]bool{},
	}
	var runs, calls []*failure
	for _, f := range failures {
		if f.span.Status().Code() != ptrace.StatusCodeError {
			continue // something was thrown and caught: no cause of anything
		}
		c.spans[spanKey{f.span.TraceID(), f.span.SpanID()}] = f
		switch {
		case f.isCall():
			calls = append(calls, f)
		case f.isRun():
			runs = append(runs, f)
		case f.isStage():
			key := f.runKey()
			c.stages[key] = append(c.stages[key], f)
		}
	}
	c.hang(calls, c.calls)
	c.hang(runs, c.children)
	for _, run := range runs {
		c.nameRun(run, maxDepth)
	}
	for _, of := range c.stages { // those whose run is in another batch, or did not fail
		for _, stage := range of {
			c.nameStage(stage, maxDepth)
		}
	}
}

// hang finds the stage above each failure; of several the last to end is what the stage failed with.
func (c *causes) hang(failures []*failure, on map[*failure]*failure) {
	for _, f := range failures {
		if stage := c.stageAbove(f); stage != nil {
			if last := on[stage]; last == nil || f.span.EndTimestamp() >= last.span.EndTimestamp() {
				on[stage] = f
			}
		}
	}
}

// stageAbove climbs through spans that failed too, as the application's own between a stage and its calls.
func (c *causes) stageAbove(f *failure) *failure {
	for range maxDepth {
		f = c.spans[spanKey{f.span.TraceID(), f.span.ParentSpanID()}]
		switch {
		case f == nil || f.isRun():
			return nil
		case f.isStage():
			return f
		}
	}
	return nil
}

// nameStage names the stage itself, or the one of a child run that failed under it.
func (c *causes) nameStage(stage *failure, depth int) {
	if stage.stage != "" || depth == 0 {
		return
	}
	stage.stage = stage.facts.stageName
	if call := c.calls[stage]; call != nil {
		stage.take(call, ruleFailedCall)
	} else if child := c.children[stage]; child != nil {
		c.nameRun(child, depth-1)
		stage.take(child, ruleFailedStage)
		stage.stage = first(child.stage, stage.stage)
	}
}

// nameRun puts the blame on a stage: the one that the end of the run names, else the first that failed.
func (c *causes) nameRun(run *failure, depth int) {
	if c.named[run] || depth == 0 {
		return
	}
	c.named[run] = true
	run.stage = run.facts.failedStage
	var cause *failure
	for _, s := range c.stages[run.runKey()] {
		c.nameStage(s, depth)
		if run.stage != "" && s.facts.stageName != run.stage {
			continue
		}
		if cause == nil || earlierCause(s, cause) {
			cause = s
		}
	}
	if cause == nil {
		return
	}
	run.stage = cause.facts.stageName
	run.take(cause, ruleFailedStage)
}

// isCall: the framework's call to a provider, or one that another instrumentation saw.
func (f *failure) isCall() bool {
	return f.facts.callID != "" || (f.facts.provider != "" && f.span.Kind() == ptrace.SpanKindClient)
}

func (f *failure) isRun() bool   { return !f.isCall() && f.facts.runStatus != "" }
func (f *failure) isStage() bool { return !f.isCall() && !f.isRun() && f.facts.stageName != "" }

func (f *failure) runKey() runKey { return runKey{f.span.TraceID(), f.facts.runID} }

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

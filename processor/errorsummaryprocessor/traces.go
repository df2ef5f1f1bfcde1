// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/errorsummary"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

type tracesProcessor struct {
	decider
	count counter
}

// failure is a span with an error, with what is going to be written on it.
type failure struct {
	span    ptrace.Span
	facts   facts
	summary errorsummary.Summary
	// stage is the root cause's, on spans of runs and stages.
	stage string
}

func (p *tracesProcessor) process(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	found := p.collect(ctx, td)
	if len(found) == 0 {
		return td, nil
	}
	nameRootCauses(found)
	written := newTally()
	for _, f := range found {
		write(f.span.Attributes(), &f.summary, f.stage)
		written.add(&f.summary)
		written.redactions += p.maskSpan(f.span)
	}
	p.count.record(ctx, &written)
	return td, nil
}

func (p *tracesProcessor) collect(ctx context.Context, td ptrace.Traces) []*failure {
	var found failures
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			// Most batches leave this loop without a call: what a span without an error costs is two comparisons.
			for _, span := range ss.Spans().All() {
				if span.Status().Code() == ptrace.StatusCodeError || span.Events().Len() > 0 {
					p.collectSpan(ctx, &found, rs, ss, span)
				}
			}
		}
	}
	return found.all
}

func (p *tracesProcessor) collectSpan(ctx context.Context, to *failures, rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, span ptrace.Span) {
	exception, ok := lastException(span)
	if !ok && span.Status().Code() != ptrace.StatusCodeError {
		return
	}
	f := to.add()
	p.summarize(f, span, exception, ok)
	if f.facts.code == "" {
		p.byRules(span.Attributes(), &f.summary, func() *rule { return p.rules.ofSpan(ctx, rs, ss, span) })
	}
}

// failures are those of a batch, allocated together: they are large, and how many there are is not known before.
type failures struct {
	all  []*failure
	free []failure
}

func (fs *failures) add() *failure {
	const slab = 32
	if len(fs.free) == 0 {
		fs.free = make([]failure, slab)
	}
	f := &fs.free[0]
	fs.free = fs.free[1:]
	fs.all = append(fs.all, f)
	return f
}

// lastException finds the last exception event: with several, the last is the one that the span ended with.
func lastException(span ptrace.Span) (attrs pcommon.Map, ok bool) {
	events := span.Events()
	for i := events.Len() - 1; i >= 0; i-- {
		if e := events.At(i); e.Name() == semconv.ExceptionEventName {
			return e.Attributes(), true
		}
	}
	return attrs, false
}

func (p *tracesProcessor) summarize(f *failure, span ptrace.Span, exception pcommon.Map, hasException bool) {
	f.span = span
	f.facts.read(span.Attributes())
	if hasException {
		var e facts
		e.read(exception)
		f.facts.exceptionType = first(e.exceptionType, f.facts.exceptionType)
		f.facts.exceptionMessage = first(e.exceptionMessage, f.facts.exceptionMessage)
		f.facts.exceptionStack = first(e.exceptionStack, f.facts.exceptionStack)
	}
	f.summary = p.summary(&f.facts, span.Status().Message())
}

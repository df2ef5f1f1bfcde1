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
	// stage is the root cause's, on run spans.
	stage string
}

func (p *tracesProcessor) process(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	failures := p.collect(ctx, td)
	if len(failures) == 0 {
		return td, nil
	}
	nameRootCauses(failures)
	written := newTally()
	for _, f := range failures {
		write(f.span.Attributes(), &f.summary, f.stage)
		written.add(&f.summary)
		written.redactions += p.maskSpan(f.span)
	}
	p.count.record(ctx, &written)
	return td, nil
}

// slab is how many failures are allocated together: they are large, and how many a batch has is not known before.
const slab = 32

func (p *tracesProcessor) collect(ctx context.Context, td ptrace.Traces) (out []*failure) {
	var free []failure
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			spans := ss.Spans()
			for i := range spans.Len() {
				span := spans.At(i)
				isError := span.Status().Code() == ptrace.StatusCodeError
				if !isError && span.Events().Len() == 0 {
					continue
				}
				exception, ok := lastException(span)
				if !isError && !ok {
					continue
				}
				if len(free) == 0 {
					free = make([]failure, slab)
				}
				f := &free[0]
				free = free[1:]
				p.summarize(f, span, exception, ok)
				if f.facts.code == "" {
					p.byRules(span.Attributes(), &f.summary, func() *rule { return p.rules.ofSpan(ctx, rs, ss, span) })
				}
				out = append(out, f)
			}
		}
	}
	return out
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

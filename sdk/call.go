// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"errors"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
)

// Call makes one call to a provider by calling f, and returns its error unchanged. Every try is a call of its own.
//
// The circuit breaker that [SetCircuitBreaker] installed is asked first: while it is open f is not called, and a
// [*CircuitBreakerOpenError] is returned and recorded as the call's failure. Afterwards it is told the outcome; what
// is not the provider's fault (a bad request, a cancelled context, see [breaker.Classify]) is not held against it.
//
// The usage that f returns is recorded even beside an error. The context that f gets carries the ids of the span
// that the collector will make of the call. Outside of [Run] the call is sent as one of no run.
func Call(ctx context.Context, operation, provider, model string, f func(context.Context) (Usage, error)) error {
	c := clientOf(ctx)
	k := c.startCall(ctx, CallStart{Operation: operation, Provider: provider, ModelID: model})
	inside := k.under(ctx)

	p := ask(inside, GetCircuitBreaker(), operation, provider)
	if !p.Allowed {
		open := &CircuitBreakerOpenError{Operation: operation, Provider: provider, RetryAfter: p.RetryAfter}
		at := c.now()
		c.endCall(ctx, k, at, CallEnd{Err: open}, SummarizePipelineError(open))
		p.end(inside, operation, provider, &breaker.Outcome{Start: k.started, End: at, NotPermitted: true}, "")
		return open
	}

	var used Usage
	return protect(inside, func(ctx context.Context) (err error) {
		used, err = f(ctx)
		return err
	}, func(err error) {
		at, summary := c.now(), SummarizePipelineError(err)
		c.endCall(ctx, k, at, CallEnd{Success: err == nil, Err: err, Usage: used}, summary)
		p.end(inside, operation, provider, outcomeOf(inside, k, at, err, summary), summary.String())
	})
}

// outcomeOf is what the call's end says about the provider, nil for nothing.
func outcomeOf(ctx context.Context, k *call, at time.Time, err error, s ErrorSummary) *breaker.Outcome {
	if err != nil && (breaker.Classify(s.Code) != breaker.Failure || isCancelled(ctx, err, s)) {
		return nil
	}
	return &breaker.Outcome{Start: k.started, End: at, Success: err == nil, RetryAfter: retryAfter(err)}
}

// retryAfter is how long the provider wants to be left alone, as errors of HTTP clients tell by a method of that name.
func retryAfter(err error) time.Duration {
	return orZero(func() time.Duration {
		var told interface{ RetryAfter() time.Duration }
		if err == nil || !errors.As(err, &told) {
			return 0
		}
		return told.RetryAfter()
	})
}

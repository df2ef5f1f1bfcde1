// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
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

	b := GetCircuitBreaker()
	permit, open := ask(inside, b, operation, provider)
	if open != nil {
		at := c.now()
		c.endCall(ctx, k, at, CallEnd{Err: open}, SummarizePipelineError(open))
		if local, ok := b.(callBreaker); ok {
			local.record(inside, operation, provider, breaker.Outcome{Start: k.started, End: at, NotPermitted: true})
		}
		return open
	}

	var used Usage
	return protect(inside, func(ctx context.Context) (err error) {
		used, err = f(ctx)
		return err
	}, func(err error) {
		at, summary := c.now(), SummarizePipelineError(err)
		c.endCall(ctx, k, at, CallEnd{Success: err == nil, Err: err, Usage: used}, summary)
		record(inside, b, k, at, err, summary)
		if local, ok := b.(callBreaker); ok {
			local.release(operation, provider, permit)
		}
	})
}

// ask returns the breaker's permit to make the call, or the error that it is open.
func ask(ctx context.Context, b CircuitBreaker, operation, provider string) (breaker.Permit, error) {
	var p breaker.Permit
	if local, ok := b.(callBreaker); ok {
		p = local.allow(operation, provider)
	} else {
		p.Allowed = !b.IsOpen(ctx, operation, provider)
	}
	if p.Allowed {
		return p, nil
	}
	return p, &CircuitBreakerOpenError{Operation: operation, Provider: provider, RetryAfter: p.RetryAfter}
}

// record tells the breaker how the call ended, if that says something about the provider.
func record(ctx context.Context, b CircuitBreaker, k *call, at time.Time, err error, s ErrorSummary) {
	if err != nil && (breaker.Classify(s.Code) != breaker.Failure || isCancelled(ctx, err, s)) {
		return
	}
	operation, provider := k.start.Operation, k.start.Provider
	if local, ok := b.(callBreaker); ok {
		local.record(ctx, operation, provider, breaker.Outcome{Start: k.started, End: at, Success: err == nil})
		return
	}
	if err == nil {
		b.RecordSuccess(ctx, operation, provider)
		return
	}
	b.RecordFailure(ctx, operation, provider, s.String())
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"sync/atomic"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// CircuitBreaker keeps calls from a provider that is failing (API: CircuitBreaker protocol). [Call] asks and tells
// the one that [SetCircuitBreaker] installed. Methods do not block.
type CircuitBreaker interface {
	// IsOpen reports whether a call should not be made now.
	IsOpen(ctx context.Context, operation, provider string) bool
	RecordSuccess(ctx context.Context, operation, provider string)
	// RecordFailure takes only failures that are the provider's fault; reason is for people.
	RecordFailure(ctx context.Context, operation, provider, reason string)
}

var installed atomic.Pointer[CircuitBreaker]

// GetCircuitBreaker is the installed circuit breaker, [NoOpCircuitBreaker] when there is none (API:
// get_circuit_breaker).
func GetCircuitBreaker() CircuitBreaker {
	if b := installed.Load(); b != nil {
		return *b
	}
	return NoOpCircuitBreaker{}
}

// SetCircuitBreaker installs the circuit breaker that [Call] uses; nil goes back to none.
func SetCircuitBreaker(b CircuitBreaker) {
	if b == nil {
		installed.Store(nil)
		return
	}
	installed.Store(&b)
}

// NewCircuitBreaker returns a circuit breaker that judges by the calls of this process, and sends an event through
// c at every change; nil means the default client at the time of the change. Settings that are zero mean
// [breaker.DefaultSettings]: 5 failures in a row, or half of at least 10 calls in a minute, open it for some 30 s, then
// 3 successes close it. Until they do, [Call] lets only 3 calls try at once.
func NewCircuitBreaker(c *Client, s breaker.Settings) CircuitBreaker {
	return &localBreaker{client: c, registry: breaker.New(s)}
}

type localBreaker struct {
	client   *Client
	registry *breaker.Registry
}

func (b *localBreaker) IsOpen(_ context.Context, operation, provider string) bool {
	return b.registry.IsOpen(breaker.Key{Operation: operation, Provider: provider}, b.client.or().now())
}

func (b *localBreaker) RecordSuccess(ctx context.Context, operation, provider string) {
	now := b.client.or().now()
	b.record(ctx, operation, provider, breaker.Outcome{Start: now, End: now, Success: true})
}

func (b *localBreaker) RecordFailure(ctx context.Context, operation, provider, _ string) {
	now := b.client.or().now()
	b.record(ctx, operation, provider, breaker.Outcome{Start: now, End: now})
}

func (b *localBreaker) allow(operation, provider string) breaker.Permit {
	return b.registry.Allow(breaker.Key{Operation: operation, Provider: provider}, b.client.or().now())
}

func (b *localBreaker) release(operation, provider string, p breaker.Permit) {
	b.registry.Release(breaker.Key{Operation: operation, Provider: provider}, p)
}

// record tells the outcome of a call and sends an event if it changed the breaker's state. That an open breaker
// lets calls try again after its time is no event: nothing happened.
func (b *localBreaker) record(ctx context.Context, operation, provider string, o breaker.Outcome) {
	tr, changed := b.registry.Record(breaker.Key{Operation: operation, Provider: provider}, o, b.client.or().now())
	if !changed {
		return
	}
	d := newData()
	d.text(fieldOperation, operation)
	d.text(fieldProvider, provider)
	d.text(fieldFromState, string(tr.From))
	d.text(fieldToState, string(tr.To))
	d.count(fieldGeneration, int64(tr.Generation))
	b.client.or().emit(ctx, semconv.EventBreakerTransition, semconv.TypeBreakerTransition, tr.At, "", d)
}

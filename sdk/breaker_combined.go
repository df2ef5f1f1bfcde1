// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import "context"

// CombineCircuitBreakers is open while any of several is, and tells all of them every outcome: what this process sees
// itself counts at once, and what others see counts too.
//
//	stageflow.SetCircuitBreaker(stageflow.CombineCircuitBreakers(fleet, stageflow.NewCircuitBreaker(nil, breaker.DefaultSettings())))
//
// They are asked in their order, up to the first that is open. Nil ones are left out.
func CombineCircuitBreakers(breakers ...CircuitBreaker) CircuitBreaker {
	return combinedBreaker(present(breakers))
}

type combinedBreaker []CircuitBreaker

func (c combinedBreaker) IsOpen(ctx context.Context, operation, provider string) bool {
	for _, b := range c {
		if b.IsOpen(ctx, operation, provider) {
			return true
		}
	}
	return false
}

func (c combinedBreaker) RecordSuccess(ctx context.Context, operation, provider string) {
	for _, b := range c {
		b.RecordSuccess(ctx, operation, provider)
	}
}

func (c combinedBreaker) RecordFailure(ctx context.Context, operation, provider, reason string) {
	for _, b := range c {
		b.RecordFailure(ctx, operation, provider, reason)
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
)

// callBreaker is what [Call] can tell a breaker that wants to know more than the protocol says.
type callBreaker interface {
	allow(operation, provider string) breaker.Permit
	record(ctx context.Context, operation, provider string, o breaker.Outcome)
	release(operation, provider string, p breaker.Permit)
}

// permit is the answer of a breaker, or of several, to whether one call may be made. The call's end tells it the outcome.
type permit struct {
	breaker.Permit
	by CircuitBreaker
	// each is the answers of a combination's breakers, up to the first that is open.
	each []permit
}

func ask(ctx context.Context, b CircuitBreaker, operation, provider string) permit {
	p := permit{by: b}
	switch b := b.(type) {
	case combinedBreaker:
		p.Allowed = true
		p.each = make([]permit, 0, len(b))
		for _, one := range b {
			answer := ask(ctx, one, operation, provider)
			p.each = append(p.each, answer)
			if !answer.Allowed {
				p.Permit = answer.Permit
				break
			}
		}
	case callBreaker:
		p.Permit = b.allow(operation, provider)
	default:
		p.Allowed = !b.IsOpen(ctx, operation, provider)
	}
	return p
}

// end tells how the call went: an outcome that says nothing about the provider is nil; reason is for people.
func (p *permit) end(ctx context.Context, operation, provider string, o *breaker.Outcome, reason string) {
	for i := range p.each {
		p.each[i].end(ctx, operation, provider, o, reason)
	}
	switch b := p.by.(type) {
	case combinedBreaker:
	case callBreaker:
		if o != nil {
			b.record(ctx, operation, provider, *o)
		}
		b.release(operation, provider, p.Permit)
	default:
		switch {
		case o == nil || o.NotPermitted: // the protocol has no word for it
		case o.Success:
			b.RecordSuccess(ctx, operation, provider)
		default:
			b.RecordFailure(ctx, operation, provider, reason)
		}
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// handBreaker is an application's own.
type handBreaker struct {
	open     bool
	recorded []string
}

func (h *handBreaker) IsOpen(context.Context, string, string) bool { return h.open }
func (h *handBreaker) RecordSuccess(context.Context, string, string) {
	h.recorded = append(h.recorded, "success")
}
func (h *handBreaker) RecordFailure(_ context.Context, _, _, reason string) {
	h.recorded = append(h.recorded, reason)
}

func TestCombinedBreakerIsOpenWhileAnyIs(t *testing.T) {
	c, _, k := newTestClient(t)
	local := NewCircuitBreaker(c, breaker.Settings{ConsecutiveFailures: 2})
	fleet := &FleetCircuitBreaker{now: k.Now}
	hand := &handBreaker{}
	SetCircuitBreaker(CombineCircuitBreakers(fleet, nil, local, hand))
	t.Cleanup(func() { SetCircuitBreaker(nil) })
	call := func(result error) error {
		return inRun(t, c, func(ctx context.Context) error {
			return Call(ctx, "chat", "openai", "", func(context.Context) (Usage, error) { return Usage{}, result })
		})
	}

	require.NoError(t, call(nil))
	boom := errors.New("503 Service Unavailable")
	require.ErrorIs(t, call(boom), boom)
	require.ErrorIs(t, call(boom), boom)
	var open *CircuitBreakerOpenError
	require.ErrorAs(t, call(nil), &open)
	assert.Positive(t, open.RetryAfter, "the local one is open")
	assert.Equal(t, []string{"success", "UNAVAILABLE: 503 Service Unavailable", "UNAVAILABLE: 503 Service Unavailable"}, hand.recorded)

	k.pass(time.Hour)
	for range 3 {
		require.NoError(t, call(nil))
	}
	assert.False(t, local.IsOpen(t.Context(), "chat", "openai"))

	fleet.learn(&breaker.APIStates{Breakers: []breaker.APIState{chat(semconv.BreakerOpen, 7*time.Second, 1)}})
	require.ErrorAs(t, call(nil), &open)
	assert.Equal(t, 7*time.Second, open.RetryAfter)
	fleet.learn(nil)
	require.NoError(t, call(nil))
	hand.open = true
	require.ErrorAs(t, call(nil), &open)
	assert.True(t, GetCircuitBreaker().IsOpen(t.Context(), "chat", "openai"))
}

// A probe that one breaker permits and another forbids is given back.
func TestCombinedBreakerGivesProbesBack(t *testing.T) {
	c, _, k := newTestClient(t)
	local := NewCircuitBreaker(c, breaker.Settings{ConsecutiveFailures: 1})
	hand := &handBreaker{}
	b := CombineCircuitBreakers(local, hand)
	b.RecordFailure(t.Context(), "chat", "openai", "x")
	k.pass(time.Hour)
	hand.open = true
	for range 10 {
		p := ask(t.Context(), b, "chat", "openai")
		assert.False(t, p.Allowed)
		p.end(t.Context(), "chat", "openai", &breaker.Outcome{Start: k.Now(), End: k.Now(), NotPermitted: true}, "")
	}
	hand.open = false
	p := ask(t.Context(), b, "chat", "openai")
	assert.True(t, p.Allowed)
	p.end(t.Context(), "chat", "openai", nil, "")
}

// inRun runs f in a run of its own and returns its error.
func inRun(t *testing.T, c *Client, f func(context.Context) error) error {
	t.Helper()
	return Run(t.Context(), "p", f, WithClient(c))
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func install(t *testing.T, b CircuitBreaker) {
	t.Helper()
	SetCircuitBreaker(b)
	t.Cleanup(func() { SetCircuitBreaker(nil) })
}

func TestBreakerOpensAndClosesAgain(t *testing.T) {
	c, s, k := newTestClient(t)
	install(t, NewCircuitBreaker(c, breaker.Settings{Jitter: -1}))
	var made int
	try := func(ctx context.Context, result error) error {
		return Call(ctx, "chat", "openai", "gpt-x", func(context.Context) (Usage, error) {
			made++
			k.pass(time.Millisecond)
			return Usage{}, result
		})
	}
	require.NoError(t, Run(t.Context(), "p", func(ctx context.Context) error {
		for range 5 {
			require.Error(t, try(ctx, &statusError{429}))
		}
		k.pass(10 * time.Second)
		err := try(ctx, nil)
		var open *CircuitBreakerOpenError
		require.ErrorAs(t, err, &open)
		require.EqualError(t, err, "Circuit breaker open for chat/openai")
		assert.Equal(t, "openai", open.Provider)
		assert.Equal(t, "chat", open.Operation)
		assert.Equal(t, 20*time.Second, open.RetryAfter)
		assert.Equal(t, 5, made, "the provider was not called")

		k.pass(20 * time.Second)
		for range 3 {
			require.NoError(t, try(ctx, nil))
		}
		return nil
	}, WithClient(c), WithRunID(runID)))

	var transitions, rejected []event
	for _, e := range s.all() {
		switch {
		case e.eventType == "breaker.transition":
			transitions = append(transitions, e)
		case e.data["error_code"] == "CIRCUIT_OPEN":
			rejected = append(rejected, e)
		}
	}
	require.Len(t, transitions, 2)
	assert.Equal(t, string(semconv.EventBreakerTransition), transitions[0].name)
	assert.Equal(t, map[string]any{
		"operation": "chat", "provider": "openai", "from_state": "closed", "to_state": "open", "generation": int64(1),
	}, transitions[0].data)
	assert.Equal(t, noon.Add(5*time.Millisecond), transitions[0].at)
	assert.Equal(t, runTrace, transitions[0].traceID.String(), "in the trace of the call that caused it")
	assert.Equal(t, map[string]any{
		"operation": "chat", "provider": "openai", "from_state": "half_open", "to_state": "closed", "generation": int64(3),
	}, transitions[1].data)

	require.Len(t, rejected, 1)
	assert.Equal(t, "provider_call.ended", rejected[0].eventType)
	assert.Equal(t, false, rejected[0].data["success"])
	assert.Equal(t, true, rejected[0].data["error_retryable"])
}

func TestWhatIsNotTheProvidersFaultDoesNotOpenTheBreaker(t *testing.T) {
	for name, err := range map[string]error{
		"bad request":          &statusError{400},
		"unauthorised":         &statusError{401},
		"cancelled":            context.Canceled,
		"cancelled on purpose": fmt.Errorf("x: %w", Cancel("hung up")),
		"rejected elsewhere":   &CircuitBreakerOpenError{Operation: "a", Provider: "b"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _, _ := newTestClient(t)
			install(t, NewCircuitBreaker(c, breaker.Settings{ConsecutiveFailures: 1}))
			require.Equal(t, err, Call(t.Context(), "chat", "x", "", func(context.Context) (Usage, error) { return Usage{}, err }))
			assert.False(t, GetCircuitBreaker().IsOpen(t.Context(), "chat", "x"))
		})
	}
}

func TestPanicIsTheApplicationsFault(t *testing.T) {
	c, _, _ := newTestClient(t)
	install(t, NewCircuitBreaker(c, breaker.Settings{ConsecutiveFailures: 1}))
	assert.Panics(t, func() {
		_ = Call(t.Context(), "chat", "x", "", func(context.Context) (Usage, error) { panic("nil response") })
	})
	assert.False(t, GetCircuitBreaker().IsOpen(t.Context(), "chat", "x"))
}

func TestBreakerByHand(t *testing.T) {
	c, s, k := newTestClient(t)
	b := NewCircuitBreaker(c, breaker.Settings{ConsecutiveFailures: 2, OpenFor: time.Second, HalfOpenSuccesses: 1, Jitter: -1})
	b.RecordFailure(t.Context(), "stt", "deepgram", "timeout")
	b.RecordSuccess(t.Context(), "stt", "deepgram")
	b.RecordFailure(t.Context(), "stt", "deepgram", "timeout")
	assert.False(t, b.IsOpen(t.Context(), "stt", "deepgram"))
	k.pass(time.Millisecond)
	b.RecordFailure(t.Context(), "stt", "deepgram", "timeout")
	assert.True(t, b.IsOpen(t.Context(), "stt", "deepgram"))
	assert.False(t, b.IsOpen(t.Context(), "tts", "deepgram"))
	k.pass(time.Second)
	assert.False(t, b.IsOpen(t.Context(), "stt", "deepgram"), "half-open lets calls try")
	b.RecordSuccess(t.Context(), "stt", "deepgram")
	assert.Len(t, s.all(), 2)
}

func TestHalfOpenLetsFewCallsTryAtOnce(t *testing.T) {
	c, _, k := newTestClient(t)
	SetDefault(c)
	t.Cleanup(func() { SetDefault(nil) })
	install(t, NewCircuitBreaker(c, breaker.Settings{ConsecutiveFailures: 1, OpenFor: time.Second, HalfOpenProbes: 1, Jitter: -1}))
	call := func(during func(), result error) error {
		return Call(t.Context(), "chat", "x", "", func(context.Context) (Usage, error) {
			during()
			return Usage{}, result
		})
	}
	nothing := func() {}
	require.Error(t, call(nothing, &statusError{500}))
	k.pass(time.Second)
	var open *CircuitBreakerOpenError
	require.NoError(t, call(func() {
		require.ErrorAs(t, call(nothing, nil), &open, "one is trying")
		assert.Zero(t, open.RetryAfter, "nobody knows when it will be done")
		assert.False(t, GetCircuitBreaker().IsOpen(t.Context(), "chat", "x"), "asking by hand counts no calls")
	}, nil))
	require.Equal(t, &statusError{400}, call(nothing, &statusError{400}), "says nothing about the provider")
	require.NoError(t, call(nothing, nil), "but made way for the next")
}

// recorder is a circuit breaker of the application's own.
type recorder struct {
	NoOpCircuitBreaker
	told []string
}

func (r *recorder) RecordSuccess(_ context.Context, operation, provider string) {
	r.told = append(r.told, operation+"/"+provider+" ok")
}

func (r *recorder) RecordFailure(_ context.Context, operation, provider, reason string) {
	r.told = append(r.told, operation+"/"+provider+" "+reason)
}

func TestBreakerOfTheApplicationsOwn(t *testing.T) {
	r := &recorder{}
	install(t, r)
	for _, err := range []error{nil, errors.New("odd"), context.DeadlineExceeded} {
		_ = Call(t.Context(), "chat", "x", "", func(context.Context) (Usage, error) { return Usage{}, err })
	}
	assert.Equal(t, []string{"chat/x ok", "chat/x UNKNOWN: odd", "chat/x TIMEOUT: context deadline exceeded"}, r.told)
}

func TestSummarizePipelineError(t *testing.T) {
	assert.Equal(t, ErrorSummary{}, SummarizePipelineError(nil))
	assert.Equal(t, "CIRCUIT_OPEN: Circuit breaker open for a/b", SummarizePipelineError(&CircuitBreakerOpenError{Operation: "a", Provider: "b"}).String())
}

// busyError asks to be left alone.
type busyError struct{ after time.Duration }

func (busyError) Error() string               { return "503 Service Unavailable" }
func (e busyError) RetryAfter() time.Duration { return e.after }

func TestBreakerStaysOpenForAsLongAsTheProviderAsks(t *testing.T) {
	c, s, k := newTestClient(t)
	SetCircuitBreaker(NewCircuitBreaker(c, breaker.Settings{ConsecutiveFailures: 1, Jitter: -1}))
	t.Cleanup(func() { SetCircuitBreaker(nil) })
	call := func(result error) error {
		return inRun(t, c, func(ctx context.Context) error {
			return Call(ctx, "chat", "openai", "", func(context.Context) (Usage, error) { return Usage{}, result })
		})
	}
	require.Error(t, call(fmt.Errorf("asked: %w", busyError{2 * time.Minute})))
	assert.InDelta(t, 120_000, s.only(t, "provider_call.ended").data["retry_after_ms"], 0, "the collector is told, too")
	k.pass(119 * time.Second)
	var open *CircuitBreakerOpenError
	require.ErrorAs(t, call(nil), &open)
	assert.Equal(t, time.Second, open.RetryAfter)
	k.pass(time.Second)
	require.NoError(t, call(nil))
}

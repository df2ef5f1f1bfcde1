// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"strconv"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
)

// What all breakers are told to do.
const (
	window       = time.Minute
	buckets      = 10
	failureRatio = 0.5
	minimumCalls = 10
	inARow       = 5
	openFor      = 30 * time.Second
	probes       = 3
)

const operation = "chat"

func providerName(i int) string { return "provider-" + strconv.Itoa(i) }

// guard makes a successful call to the ith provider through a breaker, and reports whether the breaker permitted it.
type guard func(i int) bool

// contestant is one way to guard calls.
type contestant struct {
	name string
	// new makes the breakers of so many keys.
	new func(keys int) guard
}

// ours is how many contestants come first that are the SDK's.
const ours = 3

// Where a library has two ways, both are there: a function is handed over, or the call is told of in two steps, which
// is what the SDK does.
var contestants = []contestant{
	{"stageflow", newStageflow},
	{"stageflow-told", newStageflowTold},
	{"stageflow-observed", newStageflowObserved},
	{"gobreaker", newGobreaker},
	{"gobreaker-twostep", newGobreakerTwoStep},
	{"failsafe", newFailsafe},
	{"failsafe-permit", newFailsafePermit},
}

// newStageflow reads the clock before and after the call, as gobreaker does.
func newStageflow(keys int) guard {
	r, names := newRegistry(keys)
	return func(i int) bool {
		k, start := names[i], time.Now()
		p := r.Allow(k, start)
		if !p.Allowed {
			return false
		}
		end := time.Now()
		r.Record(k, breaker.Outcome{Start: start, End: end, Success: true}, end)
		r.Release(k, p)
		return true
	}
}

// newStageflowTold knows the times already, as those do whose telemetry says when calls began and ended.
func newStageflowTold(keys int) guard {
	r, names := newRegistry(keys)
	now := time.Now()
	return func(i int) bool {
		k, start := names[i], now
		p := r.Allow(k, start)
		if !p.Allowed {
			return false
		}
		now = start.Add(100 * time.Nanosecond)
		r.Record(k, breaker.Outcome{Start: start, End: now, Success: true}, now)
		r.Release(k, p)
		return true
	}
}

// newStageflowObserved is only told how calls ended that somebody else made: what the collector does.
func newStageflowObserved(keys int) guard {
	r, names := newRegistry(keys)
	now := time.Now()
	return func(i int) bool {
		start := now
		now = start.Add(100 * time.Nanosecond)
		_, opened := r.Record(names[i], breaker.Outcome{Start: start, End: now, Success: true}, now)
		return !opened
	}
}

func newRegistry(keys int) (*breaker.Registry, []breaker.Key) {
	r := breaker.New(breaker.Settings{
		Window: window, Buckets: buckets, FailureRatio: failureRatio, MinimumCalls: minimumCalls,
		ConsecutiveFailures: inARow, OpenFor: openFor, HalfOpenSuccesses: probes, MaxKeys: 2 * keys,
	})
	names := make([]breaker.Key, keys)
	for i := range names {
		names[i] = breaker.Key{Operation: operation, Provider: providerName(i)}
	}
	return r, names
}

func gobreakerSettings() gobreaker.Settings {
	return gobreaker.Settings{
		MaxRequests: probes, Interval: window, BucketPeriod: window / buckets, Timeout: openFor,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return c.ConsecutiveFailures >= inARow ||
				c.Requests >= minimumCalls && float64(c.TotalFailures) >= failureRatio*float64(c.Requests)
		},
	}
}

func newGobreaker(keys int) guard {
	call := func() (struct{}, error) { return struct{}{}, nil }
	find := finder(keys, func() *gobreaker.CircuitBreaker[struct{}] {
		return gobreaker.NewCircuitBreaker[struct{}](gobreakerSettings())
	})
	return func(i int) bool {
		_, err := find(i).Execute(call)
		return err == nil
	}
}

func newGobreakerTwoStep(keys int) guard {
	find := finder(keys, func() *gobreaker.TwoStepCircuitBreaker[struct{}] {
		return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreakerSettings())
	})
	return func(i int) bool {
		done, err := find(i).Allow()
		if err != nil {
			return false
		}
		done(nil)
		return true
	}
}

func newFailsafeBreaker() circuitbreaker.CircuitBreaker[any] {
	return circuitbreaker.NewBuilder[any]().
		WithFailureRateThreshold(failureRatio, minimumCalls, window).
		WithDelay(openFor).WithSuccessThreshold(probes).
		Build()
}

// The executor is made once per breaker, as a program that cares would do.
func newFailsafe(keys int) guard {
	call := func() error { return nil }
	find := finder(keys, func() failsafe.Executor[any] { return failsafe.With[any](newFailsafeBreaker()) })
	return func(i int) bool { return find(i).Run(call) == nil }
}

func newFailsafePermit(keys int) guard {
	find := finder(keys, newFailsafeBreaker)
	return func(i int) bool {
		b := find(i)
		if !b.TryAcquirePermit() {
			return false
		}
		b.RecordSuccess()
		return true
	}
}

// finder makes the breakers of a library that knows no keys, and finds them again.
func finder[B any](keys int, make1 func() B) func(i int) B {
	if keys == 1 {
		only := make1()
		return func(int) B { return only }
	}
	names, byName := make([]string, keys), make(map[string]B, keys)
	for i := range names {
		names[i] = operation + "/" + providerName(i)
		byName[names[i]] = make1()
	}
	return func(i int) B { return byName[names[i]] }
}

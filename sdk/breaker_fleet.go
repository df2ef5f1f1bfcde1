// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// What a half-open breaker of the fleet lets through from one process, until the collector has judged: so many calls
// in such a time, so that a probe that is lost does not keep the breaker half-open for ever.
const (
	fleetProbes     = 3
	fleetProbesEach = 10 * time.Second
)

// FleetCircuitBreaker knows what all processes together know of their providers: it follows the states that a
// collector's breaker processor serves (its option api). One goroutine asks the collector and waits there for changes; a
// call is answered from memory, without allocation.
//
// It judges nothing by itself, so recording does nothing: the collector learns outcomes from the events of the calls. A
// breaker that the collector does not know is closed. While the collector cannot be reached all are closed: a
// pipeline does not depend on its telemetry. The metric stageflow.breaker.fleet.connected says so, 1 or 0.
//
// Beside a breaker of the process's own: [CombineCircuitBreakers].
type FleetCircuitBreaker struct {
	follow fleetFollower
	now    func() time.Time
	states atomic.Pointer[fleetStates] // nil: not connected

	stop context.CancelFunc
	done chan struct{}
}

// fleetStates never changes; the next answer of the collector replaces it.
type fleetStates map[breaker.Key]*fleetState

type fleetState struct {
	state breaker.APIState
	// until is when an open breaker lets calls try again.
	until time.Time
	// probes are those of the present window, which began at, in nanoseconds since 1970.
	probes, at atomic.Int64
}

// FleetOption is a setting of [NewFleetCircuitBreaker].
type FleetOption func(*fleetFollower)

// WithHTTPClient asks with client: for TLS, a proxy, or headers by its transport. It should have no timeout of its own.
// Default: [http.DefaultTransport].
func WithHTTPClient(client *http.Client) FleetOption {
	return func(f *fleetFollower) { f.client = client }
}

// WithHeader adds a header to each request, such as Authorization.
func WithHeader(name, value string) FleetOption {
	return func(f *fleetFollower) { f.header.Set(name, value) }
}

// NewFleetCircuitBreaker follows the breakers of the collector whose API listens at endpoint, e.g.
// "http://localhost:4320". Close it. The error tells of an endpoint that cannot be right; that nobody answers there is
// none.
func NewFleetCircuitBreaker(endpoint string, opts ...FleetOption) (*FleetCircuitBreaker, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("stageflow: breaker API: %w", err)
	}
	if u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("stageflow: breaker API %q: want http:// or https:// and a host", endpoint)
	}
	f := &FleetCircuitBreaker{
		follow: fleetFollower{client: &http.Client{}, header: http.Header{}, url: strings.TrimSuffix(u.String(), "/") + breaker.APIPath},
		now:    time.Now,
		done:   make(chan struct{}),
	}
	for _, opt := range opts {
		opt(&f.follow)
	}
	unregister, err := f.observe()
	if err != nil {
		return nil, fmt.Errorf("stageflow: breaker API: metric: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	go func() {
		defer close(f.done)
		defer unregister()
		f.follow.run(ctx, f.learn)
		f.learn(nil)
	}()
	return f, nil
}

// Close stops following; all breakers are closed then. The error is ctx's, if the goroutine did not end in its time.
func (f *FleetCircuitBreaker) Close(ctx context.Context) error {
	f.stop()
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Connected tells whether the states are the collector's of now.
func (f *FleetCircuitBreaker) Connected() bool { return f.states.Load() != nil }

// learn takes an answer of the collector, nil for none.
func (f *FleetCircuitBreaker) learn(answer *breaker.APIStates) {
	if answer == nil {
		f.states.Store(nil)
		return
	}
	now := f.now()
	next := make(fleetStates, len(answer.Breakers))
	before := f.states.Load()
	for _, s := range answer.Breakers {
		key := breaker.Key{Operation: s.Operation, Provider: s.Provider}
		state := &fleetState{state: s, until: now.Add(time.Duration(s.RetryAfterMS) * time.Millisecond)}
		if before != nil {
			// The probes of this opening have been made, whatever else changed.
			if old := (*before)[key]; old != nil && old.openings().Equal(state.openings()) {
				state.probes.Store(old.probes.Load())
				state.at.Store(old.at.Load())
			}
		}
		next[key] = state
	}
	f.states.Store(&next)
}

// openings is the same for all states of one opening: open, then half-open.
func (s *fleetState) openings() time.Time {
	if s.state.OpenedAt == nil {
		return time.Time{}
	}
	return *s.state.OpenedAt
}

// IsOpen reports whether the call should not be made: the fleet's breaker is open, or half-open and this process has
// made its share of probes.
func (f *FleetCircuitBreaker) IsOpen(_ context.Context, operation, provider string) bool {
	return !f.allow(operation, provider).Allowed
}

// RecordSuccess does nothing: the collector learns outcomes from the events of the calls.
func (*FleetCircuitBreaker) RecordSuccess(context.Context, string, string) {}

// RecordFailure does nothing: the collector learns outcomes from the events of the calls.
func (*FleetCircuitBreaker) RecordFailure(context.Context, string, string, string) {}

func (*FleetCircuitBreaker) record(context.Context, string, string, breaker.Outcome) {}
func (*FleetCircuitBreaker) release(string, string, breaker.Permit)                  {}

func (f *FleetCircuitBreaker) allow(operation, provider string) breaker.Permit {
	closed := breaker.Permit{Allowed: true, State: semconv.BreakerClosed}
	states := f.states.Load()
	if states == nil {
		return closed
	}
	s := (*states)[breaker.Key{Operation: operation, Provider: provider}]
	if s == nil {
		return closed
	}
	switch s.state.State {
	case semconv.BreakerOpen:
		now := f.now()
		if left := s.until.Sub(now); left > 0 {
			return breaker.Permit{State: s.state.State, RetryAfter: left}
		}
		return s.probe(now)
	case semconv.BreakerHalfOpen:
		return s.probe(f.now())
	case semconv.BreakerForcedOpen:
		return breaker.Permit{State: s.state.State}
	}
	return breaker.Permit{Allowed: true, State: s.state.State}
}

// probe permits a few calls in each window of time. Two goroutines at the edge of a window may both begin it; a probe
// more does no harm.
func (s *fleetState) probe(now time.Time) breaker.Permit {
	p := breaker.Permit{State: semconv.BreakerHalfOpen}
	if at := s.at.Load(); now.UnixNano()-at >= int64(fleetProbesEach) || now.UnixNano() < at {
		if s.at.CompareAndSwap(at, now.UnixNano()) {
			s.probes.Store(0)
		}
	}
	p.Allowed = s.probes.Load() < fleetProbes && s.probes.Add(1) <= fleetProbes
	return p
}

var errNoStates = errors.New("not an answer of the breaker API")

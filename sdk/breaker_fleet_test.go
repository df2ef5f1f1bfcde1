// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// fleetServer answers as a collector's breaker API does, without a network.
type fleetServer struct {
	mu      sync.Mutex
	states  breaker.APIStates
	etag    string
	down    bool
	changed chan struct{}
	asked   []*http.Request
	status  int
}

func newFleetServer() *fleetServer { return &fleetServer{changed: make(chan struct{}), etag: `"0"`} }

func (s *fleetServer) set(etag string, states ...breaker.APIState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states.Breakers, s.etag = states, etag
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *fleetServer) kill(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *fleetServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.asked = append(s.asked, r)
	wait, _ := time.ParseDuration(r.URL.Query().Get("wait"))
	if !s.down && wait > 0 && r.Header.Get("If-None-Match") == s.etag {
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-time.After(wait):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	if s.down {
		return nil, errors.New("connection refused")
	}
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Etag": {s.etag}}, Body: io.NopCloser(strings.NewReader(""))}
	switch {
	case s.status != 0:
		resp.StatusCode, resp.Status = s.status, http.StatusText(s.status)
	case r.Header.Get("If-None-Match") == s.etag:
		resp.StatusCode = http.StatusNotModified
	default:
		body, err := json.Marshal(s.states)
		if err != nil {
			return nil, err
		}
		resp.Body = io.NopCloser(strings.NewReader(string(body)))
	}
	return resp, nil
}

func follow(t *testing.T, s *fleetServer, opts ...FleetOption) *FleetCircuitBreaker {
	t.Helper()
	f, err := NewFleetCircuitBreaker("http://collector:4320/", append(opts, WithHTTPClient(&http.Client{Transport: s}))...)
	require.NoError(t, err)
	synctest.Wait()
	return f
}

func chat(state semconv.BreakerState, retryAfter time.Duration, opened int64) breaker.APIState {
	s := breaker.APIState{Operation: "chat", Provider: "openai", State: state, RetryAfterMS: retryAfter.Milliseconds()}
	if opened > 0 {
		at := time.Unix(opened, 0)
		s.OpenedAt = &at
	}
	return s
}

func TestFleetBreakerFollowsTheCollector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFleetServer()
		f := follow(t, s, WithHeader("Authorization", "Bearer x"))
		ctx := t.Context()
		assert.True(t, f.Connected())
		assert.False(t, f.IsOpen(ctx, "chat", "openai"), "nobody knows it")

		s.set(`"1"`, chat(semconv.BreakerOpen, 30*time.Second, 100))
		time.Sleep(fleetPace) // the collector may be asked again
		synctest.Wait()
		assert.True(t, f.IsOpen(ctx, "chat", "openai"))
		assert.Equal(t, 30*time.Second, f.allow("chat", "openai").RetryAfter.Round(time.Second))
		assert.False(t, f.IsOpen(ctx, "stt", "openai"))

		s.set(`"2"`, chat(semconv.BreakerClosed, 0, 0))
		time.Sleep(fleetPace)
		synctest.Wait()
		assert.False(t, f.IsOpen(ctx, "chat", "openai"))
		require.NoError(t, f.Close(ctx))
		assert.False(t, f.Connected())

		s.mu.Lock()
		defer s.mu.Unlock()
		assert.Equal(t, "http://collector:4320/v1/breakers", s.asked[0].URL.String(), "the first does not wait")
		assert.Equal(t, "wait=10s", s.asked[1].URL.RawQuery)
		for _, r := range s.asked {
			assert.Equal(t, "Bearer x", r.Header.Get("Authorization"))
		}
	})
}

// Half-open, each process makes a few probes and waits for the verdict; one that never comes back does not wedge it.
func TestFleetBreakerProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFleetServer()
		s.set(`"1"`, chat(semconv.BreakerOpen, time.Second, 100))
		f := follow(t, s)
		defer func() { require.NoError(t, f.Close(context.Background())) }()
		permitted := func() (n int) {
			for range 10 {
				if !f.IsOpen(t.Context(), "chat", "openai") {
					n++
				}
			}
			return n
		}
		assert.Zero(t, permitted())
		time.Sleep(time.Second) // its time is over, whatever the collector says
		assert.Equal(t, fleetProbes, permitted())
		s.set(`"2"`, chat(semconv.BreakerHalfOpen, 0, 100))
		time.Sleep(fleetPace)
		synctest.Wait()
		assert.Zero(t, permitted(), "they were probes of the same opening")
		time.Sleep(fleetProbesEach)
		assert.Equal(t, fleetProbes, permitted())
		s.set(`"3"`, chat(semconv.BreakerOpen, time.Second, 200))
		time.Sleep(fleetPace)
		synctest.Wait()
		assert.Zero(t, permitted())
		time.Sleep(time.Second)
		assert.Equal(t, fleetProbes, permitted(), "of the next opening")
	})
}

func TestFleetBreakerForced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFleetServer()
		s.set(`"1"`, chat("forced_open", 0, 0), breaker.APIState{Operation: "stt", Provider: "x", State: "forced_closed"},
			breaker.APIState{Operation: "tts", Provider: "x", State: "what comes in a later version"})
		f := follow(t, s)
		assert.True(t, f.IsOpen(t.Context(), "chat", "openai"))
		assert.False(t, f.IsOpen(t.Context(), "stt", "x"))
		assert.False(t, f.IsOpen(t.Context(), "tts", "x"))
		require.NoError(t, f.Close(t.Context()))
	})
}

// A pipeline goes on when the collector is killed, at once, and finds it again.
func TestFleetBreakerFailsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFleetServer()
		s.set(`"1"`, chat(semconv.BreakerOpen, time.Hour, 100))
		f := follow(t, s)
		assert.True(t, f.IsOpen(t.Context(), "chat", "openai"))
		time.Sleep(fleetPace) // it waits at the collector
		synctest.Wait()
		s.kill(true)
		synctest.Wait()
		assert.False(t, f.IsOpen(t.Context(), "chat", "openai"))
		assert.False(t, f.Connected())
		time.Sleep(time.Minute)
		s.kill(false)
		time.Sleep(fleetRetryMost)
		synctest.Wait()
		assert.True(t, f.IsOpen(t.Context(), "chat", "openai"))

		s.mu.Lock()
		s.status = http.StatusServiceUnavailable
		s.mu.Unlock()
		time.Sleep(fleetWait + fleetGrace)
		synctest.Wait()
		assert.False(t, f.Connected())
		require.NoError(t, f.Close(t.Context()))
	})
}

func TestFleetBreakerRefusesEndpoints(t *testing.T) {
	for _, endpoint := range []string{"", "collector:4320", "ftp://collector", "http://", "http://[::"} {
		_, err := NewFleetCircuitBreaker(endpoint)
		require.ErrorContains(t, err, "breaker API", endpoint)
	}
}

func TestFleetBreakerAnswersWithoutAllocating(t *testing.T) {
	f := &FleetCircuitBreaker{now: time.Now}
	f.learn(&breaker.APIStates{Breakers: []breaker.APIState{chat(semconv.BreakerOpen, time.Hour, 1)}})
	b := CombineCircuitBreakers(nil, f, NoOpCircuitBreaker{})
	ctx := t.Context()
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_ = b.IsOpen(ctx, "chat", "openai")
		_ = b.IsOpen(ctx, "chat", "groq")
	}))
}

func BenchmarkFleetBreaker(b *testing.B) {
	f := &FleetCircuitBreaker{now: time.Now}
	f.learn(&breaker.APIStates{Breakers: []breaker.APIState{
		chat(semconv.BreakerOpen, time.Hour, 1), {Operation: "chat", Provider: "groq", State: semconv.BreakerClosed},
	}})
	for name, provider := range map[string]string{"open": "openai", "closed": "groq", "unknown": "x"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.IsOpen(b.Context(), "chat", provider)
			}
		})
	}
}

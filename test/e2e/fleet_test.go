// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/redistest"
	"github.com/stageflow/otelcol-stageflow/internal/testbed"
	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// provider is what the processes of a fleet call. It fails when told.
type provider struct {
	url string

	mu      sync.Mutex
	failing bool
	calls   []time.Time
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.calls = append(p.calls, time.Now())
		if p.failing {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *provider) fail(failing bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failing = failing
}

// since is how many calls came after a time.
func (p *provider) since(at time.Time) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, call := range p.calls {
		if call.After(at) {
			n++
		}
	}
	return n
}

// member is a collector that says how the breakers are.
type member struct {
	*testbed.Collector
	api string
}

// startMember starts a collector whose breakers stay open for two seconds.
func startMember(t *testing.T, shared string) member {
	t.Helper()
	api := freeAddress(t)
	return member{start(t, t.TempDir(), fmt.Sprintf("processors: {breaker: {open_duration: 2s, max_open_duration: 2s, api: {endpoint: %q}%s}}", api, shared)), api}
}

// breaker is how the breaker of the fleet's calls is.
func (m member) breaker(t *testing.T) (s breaker.APIState) {
	t.Helper()
	resp, err := http.Get("http://" + m.api + breaker.APIPath + "/chat/acme")
	require.NoError(t, err)
	defer resp.Body.Close()
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&s))
	return s
}

// startFleet starts processes that call the provider all the time, in one run each, until the test ends. Each knows one
// of the collectors.
func startFleet(t *testing.T, processes int, p *provider, collectors ...member) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "fleetclient")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program, "./fleetclient")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for i := range processes {
		c := collectors[i%len(collectors)]
		process := exec.Command(program, p.url, "http://"+c.api)
		process.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+c.GRPC)
		require.NoError(t, process.Start())
		t.Cleanup(func() {
			_ = process.Process.Signal(syscall.SIGTERM)
			_ = process.Wait()
		})
	}
}

// eventually waits for what other processes do.
func eventually(t *testing.T, what string, ready func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(t, testbed.Poll(ctx, func() (bool, error) { return ready(), nil }), what)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// Three processes in the middle of long runs stop calling a provider that fails, because their collector says so; they
// try it a little, come back when it does, and go on without the collector.
func TestFleetStopsCallingTogether(t *testing.T) {
	testFleet(t, startMember(t, ""))
}

// The same where each collector sees a part of the calls, and they share what they see.
func TestFleetOfTwoCollectorsStopsCallingTogether(t *testing.T) {
	shared := fmt.Sprintf(", shared: {redis: {transport: unix, endpoint: %q}}", redistest.Start(t).Socket)
	testFleet(t, startMember(t, shared), startMember(t, shared))
}

func testFleet(t *testing.T, collectors ...member) {
	const (
		processes = 3
		probes    = 3 // of each process in a half-open period
	)
	p := newProvider(t)
	startFleet(t, processes, p, collectors...)
	all := func(state semconv.BreakerState) func() bool {
		return func() bool {
			for _, c := range collectors {
				if c.breaker(t).State != state {
					return false
				}
			}
			return true
		}
	}
	begin := time.Now()
	eventually(t, "all processes call", func() bool { return p.since(begin) > 100 })
	assert.True(t, all(semconv.BreakerClosed)())

	p.fail(true)
	eventually(t, "the breaker opens", all(semconv.BreakerOpen))
	opened := collectors[0].breaker(t).Generation
	tripped := time.Now()
	eventually(t, "it has opened again and again", func() bool { return collectors[0].breaker(t).Generation >= opened+4 })
	assert.LessOrEqual(t, p.since(tripped.Add(2*time.Second)), 3*processes*probes, "no more than the probes of three half-open periods")
	assert.Less(t, p.since(tripped), 2*processes*50+3*processes*probes, "all have stopped within two seconds")

	p.fail(false)
	eventually(t, "the breaker closes", all(semconv.BreakerClosed))
	recovered := time.Now()
	eventually(t, "all processes call again", func() bool { return p.since(recovered) > 100 })

	p.fail(true)
	eventually(t, "the breaker opens again", all(semconv.BreakerOpen))
	for _, c := range collectors {
		c.Kill()
	}
	killed := time.Now()
	eventually(t, "pipelines go on without the collector", func() bool { return p.since(killed) > 100 })
}

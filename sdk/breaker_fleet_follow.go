// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const (
	// fleetWait is how long a request waits at the collector for a change, and fleetGrace how much longer the answer may
	// take: a collector that vanished without a word is noticed after both.
	fleetWait, fleetGrace = 10 * time.Second, 3 * time.Second
	// fleetRetryFirst and fleetRetryMost: a collector that restarts is found again soon.
	fleetRetryFirst, fleetRetryMost = 100 * time.Millisecond, 2 * time.Second
	// maxFleetAnswer is more than ten thousand breakers need.
	maxFleetAnswer = 8 << 20
	// fleetPace keeps a server that does not wait from being asked all the time.
	fleetPace = 50 * time.Millisecond
)

// fleetFollower asks a collector's breaker API for changes, one request after the other.
type fleetFollower struct {
	client *http.Client
	header http.Header
	url    string
	etag   string // of the last answer
}

// run tells every answer that is news, and nil when the collector cannot be asked, until ctx ends.
func (f *fleetFollower) run(ctx context.Context, tell func(*breaker.APIStates)) {
	failures := 0
	for ctx.Err() == nil {
		began := time.Now()
		answer, err := f.ask(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			if failures == 0 {
				tell(nil)
				otel.Handle(fmt.Errorf("stageflow: breakers of the fleet are not known and count as closed (said once until they are): %w", err))
			}
			f.etag = ""
			pauseFor(ctx, min(fleetRetryFirst<<min(failures, 10), fleetRetryMost))
			failures++
			continue
		}
		failures = 0
		if answer != nil {
			tell(answer)
		}
		pauseFor(ctx, fleetPace-time.Since(began))
	}
}

// ask returns what is new, nil when nothing is. The first time it does not wait for a change.
func (f *fleetFollower) ask(ctx context.Context) (*breaker.APIStates, error) {
	ctx, cancel := context.WithTimeout(ctx, fleetWait+fleetGrace)
	defer cancel()
	url := f.url
	if f.etag != "" {
		url += "?" + breaker.APIWait + "=" + fleetWait.String()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header = f.header.Clone()
	if f.etag != "" {
		req.Header.Set("If-None-Match", f.etag)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body := io.LimitReader(resp.Body, maxFleetAnswer)
	defer func() { _, _ = io.Copy(io.Discard, body) }() // so that the connection is used again
	switch resp.StatusCode {
	case http.StatusNotModified:
		return nil, nil
	case http.StatusOK:
	default:
		return nil, fmt.Errorf("GET %s: %s", f.url, resp.Status)
	}
	var answer breaker.APIStates
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("GET %s: %w: %w", f.url, errNoStates, err)
	}
	f.etag = resp.Header.Get("ETag")
	return &answer, nil
}

func pauseFor(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// observe tells by a metric whether the collector is connected, until it is unregistered.
func (f *FleetCircuitBreaker) observe() (unregister func(), err error) {
	meter := otel.Meter(semconv.ScopeName)
	gauge, err := meter.Int64ObservableGauge(semconv.MetricBreakerFleetConnected,
		metric.WithDescription("1 while the breaker states of the collector are known, 0 while all count as closed"))
	if err != nil {
		return nil, err
	}
	r, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		connected := int64(0)
		if f.Connected() {
			connected = 1
		}
		o.ObserveInt64(gauge, connected)
		return nil
	}, gauge)
	if err != nil {
		return nil, err
	}
	return func() { _ = r.Unregister() }, nil
}

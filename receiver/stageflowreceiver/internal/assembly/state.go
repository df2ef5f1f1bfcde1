// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"cmp"
	"maps"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/runmetrics"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// maxServices bounds the services whose abandoned runs are counted apart; the rest count as of the default service.
const maxServices = 1000

// State counts the runs and provider calls in flight, for metrics.
func (a *Assembler) State() runmetrics.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := runmetrics.State{
		Active: map[string]int64{}, Abandoned: maps.Clone(a.abandoned), InFlight: map[runmetrics.CallKey]runmetrics.Calls{},
	}
	for _, r := range a.active {
		service := r.serviceName()
		s.Active[service]++
		for _, c := range r.calls {
			if c.status != semconv.StatusRunning || c.left {
				continue
			}
			key := runmetrics.CallKey{
				Service: service, Operation: c.attributes.text(semconv.GenAIOperationNameKey), Provider: c.attributes.text(semconv.GenAIProviderNameKey),
			}
			calls := s.InFlight[key]
			calls.Count++
			if began := c.start.AsTime(); c.start != 0 && (calls.Oldest.IsZero() || began.Before(calls.Oldest)) {
				calls.Oldest = began
			}
			s.InFlight[key] = calls
		}
	}
	return s
}

// countAbandoned counts a run that has left.
func (a *Assembler) countAbandoned(r *Run) {
	if r.Sent || r.EndKind != semconv.EndAbandoned {
		return
	}
	service := r.Service
	if _, known := a.abandoned[service]; !known && len(a.abandoned) >= maxServices {
		service = semconv.DefaultServiceName
	}
	a.abandoned[service]++
}

// ServiceOf is the service of a run in flight, "" when it is not known.
func (a *Assembler) ServiceOf(runID string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.active[runID]; r != nil {
		return r.service.text
	}
	return ""
}

// serviceName is the service as it stands on the run's spans.
func (r *run) serviceName() string {
	if r.earlier != nil && r.earlier.service != semconv.DefaultServiceName {
		return r.earlier.service
	}
	return cmp.Or(r.service.text, semconv.DefaultServiceName)
}

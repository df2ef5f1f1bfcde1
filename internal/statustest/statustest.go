// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package statustest lets tests see what components say of themselves.
package statustest // import "github.com/stageflow/otelcol-stageflow/internal/statustest"

import (
	"slices"
	"sync"

	"go.opentelemetry.io/collector/component/componentstatus"
)

// Recorder is a part of a host that keeps the statuses that are reported to it.
type Recorder struct {
	mu  sync.Mutex
	all []componentstatus.Status
}

var _ componentstatus.Reporter = (*Recorder)(nil)

// Report takes a status.
func (r *Recorder) Report(e *componentstatus.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, e.Status())
}

// Statuses are all so far, in order.
func (r *Recorder) Statuses() []componentstatus.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

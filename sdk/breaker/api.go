// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// The API by which a collector's breaker processor serves its states.
const (
	// APIPath lists all breakers; APIPath/{operation}/{provider} is one of them.
	APIPath = "/v1/breakers"
	// APIWait is the query parameter that tells how long to wait for a change, as a duration ("30s").
	APIWait = "wait"
)

// APIStates is what [APIPath] answers.
type APIStates struct {
	// Generation counts the transitions of all breakers.
	Generation uint64     `json:"generation"`
	Breakers   []APIState `json:"breakers"`
}

// APIState is one breaker as the API shows it.
type APIState struct {
	Key       string               `json:"key"`
	Operation string               `json:"operation"`
	Provider  string               `json:"provider"`
	State     semconv.BreakerState `json:"state"`
	// FailureRatio of the calls in the window, 0 to 1.
	FailureRatio float64 `json:"failure_ratio"`
	Calls        uint64  `json:"calls"`
	// OpenedAt is when the breaker last opened; absent for a closed one.
	OpenedAt *time.Time `json:"opened_at,omitempty"`
	// RetryAfterMS is how long it stays open yet, in milliseconds; 0 unless it is open.
	RetryAfterMS int64  `json:"retry_after_ms"`
	Generation   uint64 `json:"generation"`
}

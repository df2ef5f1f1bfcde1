// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package semconv

// Status of a run, a stage attempt or a provider call.
type Status string

// The statuses that are written. [ParseStatus] reads every spelling found in the wild.
const (
	StatusRunning   Status = "running"
	StatusCompleted Status = "completed"
	StatusFailed    Status = "failed"
	StatusCancelled Status = "cancelled"
	StatusSkipped   Status = "skipped"
	// StatusRetried marks a stage attempt that failed and was followed by another.
	StatusRetried Status = "retried"
	// StatusAbandoned marks what was open when the silence grew too long.
	StatusAbandoned Status = "abandoned"
)

// statusSpellings: what applications and the versions of the framework write (catalogue 1.3, 1.4, 2.6).
var statusSpellings = map[string]Status{
	"running": StatusRunning, "started": StatusRunning, "start": StatusRunning, "pending": StatusRunning,
	"completed": StatusCompleted, "complete": StatusCompleted, "ok": StatusCompleted, "success": StatusCompleted, "succeeded": StatusCompleted,
	"failed": StatusFailed, "fail": StatusFailed, "failure": StatusFailed, "error": StatusFailed,
	"cancelled": StatusCancelled, "canceled": StatusCancelled, "cancel": StatusCancelled,
	"skipped": StatusSkipped, "skip": StatusSkipped,
	"retried": StatusRetried, "retry": StatusRetried,
	"abandoned": StatusAbandoned,
}

// ParseStatus reads a status in any spelling, ignoring case; ok is false for a word it does not know.
func ParseStatus(s string) (status Status, ok bool) {
	if status, ok = statusSpellings[s]; ok {
		return status, true
	}
	status, ok = statusSpellings[lower(s)]
	return status, ok
}

// lower folds ASCII letters; longer than any known spelling means unknown, so nothing long is copied.
func lower(s string) string {
	if len(s) > 16 {
		return ""
	}
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// EndKind says how strongly it is known that a run ended (stageflow.run.end).
type EndKind string

// The kinds of end, weakest first.
const (
	// EndNone: the run has not ended.
	EndNone EndKind = "none"
	// EndAbandoned: silence while something was open.
	EndAbandoned EndKind = "abandoned"
	// EndInferred: silence with nothing open.
	EndInferred EndKind = "inferred"
	// EndRequested: pipeline.canceled; the run may still complete.
	EndRequested EndKind = "requested"
	// EndParent: the parent told (pipeline.child_completed, pipeline.child_failed).
	EndParent EndKind = "parent"
	// EndExplicit: the run told (run logger, or pipeline.wide).
	EndExplicit EndKind = "explicit"
)

// Rank orders ends: a higher rank replaces a lower one. An unknown kind ranks with [EndNone], 0.
func (k EndKind) Rank() int {
	switch k {
	case EndAbandoned:
		return 1
	case EndInferred:
		return 2
	case EndRequested:
		return 3
	case EndParent:
		return 4
	case EndExplicit:
		return 5
	}
	return 0
}

// BreakerState is the state of a circuit breaker.
type BreakerState string

// The states of a circuit breaker.
const (
	BreakerClosed   BreakerState = "closed"
	BreakerOpen     BreakerState = "open"
	BreakerHalfOpen BreakerState = "half_open"
	// BreakerForcedOpen and BreakerForcedClosed are set by a person, whatever the calls say.
	BreakerForcedOpen   BreakerState = "forced_open"
	BreakerForcedClosed BreakerState = "forced_closed"
)

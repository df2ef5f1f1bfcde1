// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader

import "time"

// How many rows an answer has at most.
const (
	// DefaultLimit is for a [Filter] without a limit.
	DefaultLimit = 50
	// MaxLimit is the largest limit of a [Filter].
	MaxLimit = 10_000
	// MaxRows bounds each list of a [Detail].
	MaxRows = 10_000
)

// Filter chooses runs. The zero value chooses all; every field narrows the choice.
type Filter struct {
	// Status is any of these.
	Status   []string
	Pipeline string
	// Since and Until bound the start of a run, Until excluded. Runs without a known start are in neither.
	Since, Until time.Time
	Code         string
	User         string
	Session      string
	// Provider chooses the runs that called it.
	Provider string
	// RunIDs is any of these.
	RunIDs []string
	// Limit bounds the answer; 0 is [DefaultLimit], or no bound for [Reader.Each].
	Limit int
}

func (f Filter) limit() int {
	if f.Limit <= 0 {
		return DefaultLimit
	}
	return min(f.Limit, MaxLimit)
}

// apply writes the conditions on runs.
func (f Filter) apply(q *query) *query {
	f.span(q)
	if len(f.RunIDs) > 0 {
		q.in("run_id", f.RunIDs)
	}
	if len(f.Status) > 0 {
		q.in("status", f.Status)
	}
	for _, c := range []struct{ column, value string }{
		{"pipeline_name", f.Pipeline}, {"error_code", f.Code}, {"user_id", f.User}, {"session_id", f.Session},
	} {
		if c.value != "" {
			q.and(c.column + " = ").arg(c.value)
		}
	}
	if f.Provider != "" {
		q.and("EXISTS (SELECT 1 FROM provider_calls AS c WHERE c.run_id = runs.run_id AND c.provider = ").arg(f.Provider).add(")")
	}
	return q
}

// span writes the conditions on the start.
func (f Filter) span(q *query) {
	if !f.Since.IsZero() {
		q.and("started_at >= ").arg(f.Since)
	}
	if !f.Until.IsZero() {
		q.and("started_at < ").arg(f.Until)
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// scope is where in a run a context is: in a stage, or in the run itself.
type scope struct {
	run     *runScope
	above   *scope // the stage or run around this stage
	stage   string // "" in the run itself
	attempt int64
	span    semconv.SpanID

	// blamed is the latest error that a stage inside this one ended with; guarded by run.mu.
	blamed error
}

type scopeKey struct{}

func scopeOf(ctx context.Context) *scope {
	s, _ := ctx.Value(scopeKey{}).(*scope)
	return s
}

// RunID is the id of the run that ctx is in, "" outside of any.
func RunID(ctx context.Context) string {
	if s := scopeOf(ctx); s != nil {
		return s.run.ref.id
	}
	return ""
}

// Attempt is the number of the stage's attempt that ctx is in, counted from 1; 0 outside of any stage.
func Attempt(ctx context.Context) int64 {
	if s := scopeOf(ctx); s != nil {
		return s.attempt
	}
	return 0
}

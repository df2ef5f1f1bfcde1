// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"

	"github.com/google/uuid"
)

// NoOpPipelineRunLogger tells nobody (API: NoOpPipelineRunLogger).
type NoOpPipelineRunLogger struct{}

// LogRunStarted does nothing.
func (NoOpPipelineRunLogger) LogRunStarted(context.Context, RunStarted) {}

// LogRunCompleted does nothing.
func (NoOpPipelineRunLogger) LogRunCompleted(context.Context, RunCompleted) {}

// LogRunFailed does nothing.
func (NoOpPipelineRunLogger) LogRunFailed(context.Context, RunFailed) {}

// LogRunCancelled does nothing.
func (NoOpPipelineRunLogger) LogRunCancelled(context.Context, RunCancelled) {}

// NoOpProviderCallLogger tells nobody (API: NoOpProviderCallLogger). As in the framework, every call gets the nil
// UUID, which is no identity.
type NoOpProviderCallLogger struct{}

// LogCallStart returns the nil UUID.
func (NoOpProviderCallLogger) LogCallStart(context.Context, CallStart) string {
	return uuid.Nil.String()
}

// LogCallEnd does nothing.
func (NoOpProviderCallLogger) LogCallEnd(context.Context, string, CallEnd) {}

// NoOpCircuitBreaker is always closed.
type NoOpCircuitBreaker struct{}

// IsOpen is false.
func (NoOpCircuitBreaker) IsOpen(context.Context, string, string) bool { return false }

// RecordSuccess does nothing.
func (NoOpCircuitBreaker) RecordSuccess(context.Context, string, string) {}

// RecordFailure does nothing.
func (NoOpCircuitBreaker) RecordFailure(context.Context, string, string, string) {}

var (
	_ PipelineRunLogger  = NoOpPipelineRunLogger{}
	_ ProviderCallLogger = NoOpProviderCallLogger{}
	_ CircuitBreaker     = NoOpCircuitBreaker{}
)

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"

	"github.com/google/uuid"
)

// MultiPipelineRunLogger tells each of several loggers everything, one after the other. Nil ones are left out.
func MultiPipelineRunLogger(loggers ...PipelineRunLogger) PipelineRunLogger {
	return multiRunLogger(present(loggers))
}

type multiRunLogger []PipelineRunLogger

func (m multiRunLogger) LogRunStarted(ctx context.Context, e RunStarted) {
	for _, l := range m {
		l.LogRunStarted(ctx, e)
	}
}

func (m multiRunLogger) LogRunCompleted(ctx context.Context, e RunCompleted) {
	for _, l := range m {
		l.LogRunCompleted(ctx, e)
	}
}

func (m multiRunLogger) LogRunFailed(ctx context.Context, e RunFailed) {
	for _, l := range m {
		l.LogRunFailed(ctx, e)
	}
}

func (m multiRunLogger) LogRunCancelled(ctx context.Context, e RunCancelled) {
	for _, l := range m {
		l.LogRunCancelled(ctx, e)
	}
}

// MultiProviderCallLogger tells each of several loggers everything, one after the other. Nil ones are left out. Each
// logger names the call in its own way; the id returned stands for all of them, for up to 10,000 open calls: the ends
// of those that were forgotten are not told.
func MultiProviderCallLogger(loggers ...ProviderCallLogger) ProviderCallLogger {
	return &multiCallLogger{loggers: present(loggers), ids: newBounded[string, []string](maxCalls)}
}

type multiCallLogger struct {
	loggers []ProviderCallLogger
	ids     *bounded[string, []string]
}

func (m *multiCallLogger) LogCallStart(ctx context.Context, e CallStart) string {
	ids := make([]string, len(m.loggers))
	for i, l := range m.loggers {
		ids[i] = l.LogCallStart(ctx, e)
	}
	// An id of its own: those of the loggers may be the same for every call (NoOpProviderCallLogger).
	id := uuid.NewString()
	m.ids.put(id, ids)
	return id
}

func (m *multiCallLogger) LogCallEnd(ctx context.Context, callID string, e CallEnd) {
	ids, ok := m.ids.take(callID)
	if !ok {
		return
	}
	for i, l := range m.loggers {
		l.LogCallEnd(ctx, ids[i], e)
	}
}

func present[T any](all []T) []T {
	out := make([]T, 0, len(all))
	for _, each := range all {
		if any(each) != nil {
			out = append(out, each)
		}
	}
	return out
}

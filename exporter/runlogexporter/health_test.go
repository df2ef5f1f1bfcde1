// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/stageflow/otelcol-stageflow/exporter/runlogexporter/internal/metadata"
)

// What the log says of the store's health.
const (
	failingLine = "ERROR The run log cannot be written to; it is tried again."
	brokenLine  = "ERROR The run log does not open, and waiting does not repair that; what is to be written stays in the queue."
	wellLine    = "INFO The run log can be written to again."
)

const (
	recoverable = componentstatus.StatusRecoverableError
	permanent   = componentstatus.StatusPermanentError
	ok          = componentstatus.StatusOK
)

// witness is a host and a log that remember what they are told.
type witness struct {
	component.Host
	logger *zap.Logger
	logs   *observer.ObservedLogs

	mu   sync.Mutex
	seen []componentstatus.Status
}

func newWitness() *witness {
	core, logs := observer.New(zap.InfoLevel)
	return &witness{Host: componenttest.NewNopHost(), logger: zap.New(core, zap.AddStacktrace(zap.ErrorLevel)), logs: logs}
}

func (w *witness) Report(e *componentstatus.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, e.Status())
}

// statuses are all that were reported.
func (w *witness) statuses() []componentstatus.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

// told are the lines about the store's health, each with the error that it tells and nothing below it.
func (w *witness) told() (lines, errs []string) {
	for _, e := range w.logs.All() {
		line := e.Level.CapitalString() + " " + e.Message
		if line == failingLine || line == brokenLine || line == wellLine {
			line += e.Stack
			lines = append(lines, line)
			if err, ok := e.ContextMap()["error"]; ok {
				errs = append(errs, err.(string))
			}
		}
	}
	return lines, errs
}

func TestHealth(t *testing.T) {
	seen := newWitness()
	set := exportertest.NewNopSettings(metadata.Type)
	set.Logger = seen.logger
	w, err := newWriter(NewDefaultConfig(), set)
	require.NoError(t, err)
	w.health.host = seen
	full := errors.New("disk full")
	for _, answer := range []error{nil, full, errors.New("disk still full"), nil, nil, full} {
		w.store = &opening{store: fakeStore{err: answer}}
		require.ErrorIs(t, w.writeLogs(ctx, started(t)), answer)
	}
	assert.Equal(t, []componentstatus.Status{recoverable, ok, recoverable}, seen.statuses())
	lines, errs := seen.told()
	assert.Equal(t, []string{failingLine, wellLine, failingLine}, lines)
	assert.Equal(t, []string{"disk full", "disk full"}, errs)
	require.NoError(t, w.Shutdown(ctx))
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"
)

// health tells the log and the collector when the store begins to fail and when it is well again, not at every try.
type health struct {
	logger *zap.Logger
	host   component.Host

	mu sync.Mutex
	// failing and broken are what was last told: that the store fails, and that waiting does not repair it.
	failing, broken bool
	// final is set once a permanent error was reported: the collector takes no other status of the component then.
	final bool
}

// newHealth tells the log in one line: where in the code it is told, which errors bring, says nothing of a store.
func newHealth(logger *zap.Logger) *health {
	return &health{logger: logger.WithOptions(zap.AddStacktrace(zap.DPanicLevel))}
}

// tell tells how the store was just found: nil is well.
func (h *health) tell(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch failing := err != nil; {
	case failing == h.failing:
	case failing:
		h.failing = true
		h.logger.Error("The run log cannot be written to; it is tried again.", zap.Error(err))
		h.report(componentstatus.NewRecoverableErrorEvent(err))
	default:
		h.failing, h.broken = false, false
		h.logger.Info("The run log can be written to again.")
		h.report(componentstatus.NewEvent(componentstatus.StatusOK))
	}
}

// tellBroken tells of an error that waiting does not repair.
func (h *health) tellBroken(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken {
		return
	}
	h.failing, h.broken = true, true
	h.logger.Error("The run log does not open, and waiting does not repair that; what is to be written stays in the queue.", zap.Error(err))
	h.report(componentstatus.NewPermanentErrorEvent(err))
	h.final = true
}

func (h *health) report(event *componentstatus.Event) {
	if !h.final {
		componentstatus.ReportStatus(h.host, event)
	}
}

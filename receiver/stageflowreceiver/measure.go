// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/runmetrics"
)

// measurements are what the events of a batch say of metrics, and the runs of those events.
type measurements struct {
	facts []runmetrics.Fact
	of    []string
}

func (m *measurements) reset() {
	clear(m.facts)
	clear(m.of)
	m.facts, m.of = m.facts[:0], m.of[:0]
}

// add takes down what an event says of metrics.
func (m *measurements) add(it *item) {
	m.facts = runmetrics.Facts(m.facts, it.Event, it.service, it.told)
	for len(m.of) < len(m.facts) {
		m.of = append(m.of, it.runID)
	}
}

// measure takes what the events say of metrics. Those that name no service have that of their run.
func (b *batch) measure() {
	if b.metrics == nil {
		return
	}
	for i := range b.measurements.facts {
		if m := &b.measurements.facts[i]; m.Service() == "" {
			m.SetService(b.assembler.ServiceOf(b.measurements.of[i]))
		}
	}
	b.metrics.Add(b.measurements.facts)
}

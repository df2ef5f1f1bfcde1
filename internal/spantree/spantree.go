// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package spantree checks what the receiver made of captured event streams, as spans and as log records, against their
// ground truth: the shape of every run's tree, its times, and that no field is lost. Only tests use it.
package spantree // import "github.com/stageflow/otelcol-stageflow/internal/spantree"

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/internal/captures"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Forest holds the trees of all runs, and the log records of their events.
type Forest struct {
	trees map[string]*tree
	// services are the names that the resources of the spans give.
	services map[pcommon.SpanID]string
	// records are the log records that no line has been found for yet, by type and time of emission, which tell the
	// lines of a capture apart.
	records map[string][]plog.LogRecord
	// wide are the stages of which a wide event told: their own, or an entry of their run's.
	wide map[stageKey]bool
}

type stageKey struct{ runID, stage string }

// New sorts spans by run and by what they are; a span that is none of these, or is there twice, fails the test.
func New(t testing.TB, traces []ptrace.Traces, logs []plog.Logs) *Forest {
	t.Helper()
	f := &Forest{trees: map[string]*tree{}, services: map[pcommon.SpanID]string{}, records: map[string][]plog.LogRecord{}, wide: map[stageKey]bool{}}
	for _, td := range traces {
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					f.plant(t, span, rs.Resource())
				}
			}
		}
	}
	for _, ld := range logs {
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					f.keep(lr)
				}
			}
		}
	}
	return f
}

func (f *Forest) plant(t testing.TB, span ptrace.Span, resource pcommon.Resource) {
	t.Helper()
	assert.NotContains(t, f.services, span.SpanID(), "two spans %s %q", span.SpanID(), span.Name())
	f.services[span.SpanID()] = text(resource.Attributes(), semconv.ServiceNameKey)
	id := attr(span, semconv.RunIDKey)
	require.NotEmpty(t, id, "span %q tells its run", span.Name())
	if f.trees[id] == nil {
		f.trees[id] = &tree{}
	}
	assert.True(t, f.trees[id].add(span), "span %q of run %s is neither a run, a stage, a provider call nor a tool call", span.Name(), id)
}

func (f *Forest) keep(lr plog.LogRecord) {
	emitted := ""
	if envelope, ok := lr.Attributes().Get(semconv.EventEnvelopeKey); ok {
		emitted = text(envelope.Map(), "emitted_at")
	}
	key := lineKey(text(lr.Attributes(), semconv.EventTypeKey), emitted)
	f.records[key] = append(f.records[key], lr)

	runID, ok := lr.Attributes().Get(semconv.RunIDKey)
	if !ok {
		return
	}
	data, ok := lr.Attributes().Get(semconv.EventDataKey)
	if !ok {
		return
	}
	entries := []any{data.Map().AsRaw()}
	switch semconv.EventName(lr.EventName()) {
	case semconv.EventWideStage:
	case semconv.EventWideRun:
		entries, _ = data.Map().AsRaw()["stage_details"].([]any)
	default:
		return
	}
	for _, entry := range entries {
		if name, ok := entry.(map[string]any)["stage"].(string); ok {
			f.wide[stageKey{runID.AsString(), name}] = true
		}
	}
}

func lineKey(eventType, emittedAt string) string { return eventType + " " + emittedAt }

// take finds the log record of a line, each once.
func (f *Forest) take(eventType, emittedAt string) (plog.LogRecord, bool) {
	key := lineKey(eventType, emittedAt)
	left := f.records[key]
	if len(left) == 0 {
		return plog.LogRecord{}, false
	}
	f.records[key] = left[1:]
	return left[0], true
}

// CheckNothingElse says, once all captures have been accounted for, that there is no log record of no line.
func (f *Forest) CheckNothingElse(t testing.TB) {
	t.Helper()
	for key, left := range f.records {
		assert.Empty(t, left, "a log record of no line: %s", key)
	}
}

// CheckTrees says that every run is one tree: a root, under it its stages, under those their calls, and that the
// stages take as long as their own events tell.
func (f *Forest) CheckTrees(t testing.TB) {
	t.Helper()
	for id, tree := range f.trees {
		tree.checkShape(t, id)
		tree.checkToldDurations(t, id, f.wide)
	}
}

// CheckTimes says that the runs of a capture and their stages took place when its truth tells.
func (f *Forest) CheckTimes(t testing.TB, c captures.Capture) {
	t.Helper()
	for _, truth := range c.Runs {
		if !truth.Emitted {
			continue
		}
		tree := f.trees[truth.ID]
		require.NotNil(t, tree, "run %s %q", truth.ID, truth.Label)
		tree.checkRunTimes(t, c.Name, truth)
		tree.checkDurations(t, truth, f.wide)
	}
}

func attr(span ptrace.Span, key string) string { return text(span.Attributes(), key) }

func text(attrs pcommon.Map, key string) string {
	v, ok := attrs.Get(key)
	if !ok {
		return ""
	}
	return v.AsString()
}

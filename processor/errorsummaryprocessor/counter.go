// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/stageflow/otelcol-stageflow/processor/errorsummaryprocessor/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/sdk/errorsummary"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const (
	// maxTypes is how many types of unclassified exceptions are told apart: applications can name any number.
	maxTypes = 99
	// maxTypeName is how many characters of a type's name are told.
	maxTypeName = 100
)

// counter counts the summaries that were written. It has no asynchronous instruments and so nothing to stop.
type counter struct {
	telemetry *metadata.TelemetryBuilder
	types     *typeNames
}

func newCounter(set component.TelemetrySettings) (counter, error) {
	tb, err := metadata.NewTelemetryBuilder(set)
	return counter{tb, &typeNames{known: map[string]struct{}{}}}, err
}

// label is what the metric tells apart: few enough for a series each.
type label struct {
	code      string
	retryable bool
}

// tally is the count of one batch.
type tally struct {
	errors       map[label]int64
	unclassified map[string]int64
	redactions   int64
}

func newTally() tally { return tally{errors: map[label]int64{}, unclassified: map[string]int64{}} }

func (t *tally) add(s *errorsummary.Summary) {
	l := label{code: s.Code, retryable: s.Retryable}
	if !errorsummary.Known(l.code) {
		l.code = semconv.ErrorTypeOther
	}
	t.errors[l]++
	t.redactions += int64(s.Redacted)
	if s.Rule == errorsummary.RuleNone {
		t.unclassified[s.Type]++
	}
}

func (c counter) record(ctx context.Context, t *tally) {
	for l, n := range t.errors {
		c.telemetry.ProcessorErrorsummaryErrors.Add(ctx, n, metric.WithAttributeSet(attribute.NewSet(
			attribute.String("code", l.code), attribute.Bool("retryable", l.retryable),
		)))
	}
	for typ, n := range t.unclassified {
		c.telemetry.ProcessorErrorsummaryUnclassified.Add(ctx, n, metric.WithAttributeSet(attribute.NewSet(
			attribute.String("exception_type", c.types.bounded(typ)),
		)))
	}
	if t.redactions > 0 {
		c.telemetry.ProcessorErrorsummaryRedactions.Add(ctx, t.redactions)
	}
}

// typeNames are the types that have a series of their own.
type typeNames struct {
	mu    sync.Mutex
	known map[string]struct{}
}

// bounded is the name of a type's series.
func (t *typeNames) bounded(typ string) string {
	n := 0
	for i := range typ {
		if n == maxTypeName {
			typ = typ[:i]
			break
		}
		n++
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.known[typ]; ok {
		return typ
	}
	if typ == "" || len(t.known) == maxTypes {
		return semconv.ErrorTypeOther
	}
	t.known[typ] = struct{}{}
	return typ
}

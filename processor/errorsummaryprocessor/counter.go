// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/stageflow/otelcol-stageflow/processor/errorsummaryprocessor/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/sdk/errorsummary"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// counter counts the summaries that were written. It has no asynchronous instruments and so nothing to stop.
type counter struct{ telemetry *metadata.TelemetryBuilder }

func newCounter(set component.TelemetrySettings) (counter, error) {
	tb, err := metadata.NewTelemetryBuilder(set)
	return counter{telemetry: tb}, err
}

// label is what the metric tells apart: few enough for a series each.
type label struct {
	code      string
	retryable bool
}

// tally is the count of one batch.
type tally map[label]int64

func (t tally) add(s *errorsummary.Summary) {
	l := label{code: s.Code, retryable: s.Retryable}
	if !errorsummary.Known(l.code) {
		l.code = semconv.ErrorTypeOther
	}
	t[l]++
}

func (c counter) record(ctx context.Context, t tally) {
	for l, n := range t {
		c.telemetry.ProcessorErrorsummaryErrors.Add(ctx, n, metric.WithAttributeSet(attribute.NewSet(
			attribute.String("code", l.code), attribute.Bool("retryable", l.retryable),
		)))
	}
}

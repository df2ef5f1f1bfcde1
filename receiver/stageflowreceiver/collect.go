// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/assembly"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/runmetrics"
)

// collectEvery is how often metrics are handed on.
const collectEvery = 10 * time.Second

// collector hands the metrics to the metrics pipeline. What the pipeline refuses is not sent again: sums are
// cumulative, and the next ones say the same.
type collector struct {
	metrics   *runmetrics.T
	assembler *assembly.Assembler
	next      consumer.Metrics
	obs       *receiverhelper.ObsReport
	logger    *zap.Logger
	now       func() time.Time

	loop
}

func (c *collector) start() {
	c.begin(collectEvery, func(ctx context.Context) { c.collect(context.WithoutCancel(ctx)) })
}

// stop hands on the metrics as they stand at the end.
func (c *collector) stop(ctx context.Context) {
	c.end()
	c.collect(ctx)
}

func (c *collector) collect(ctx context.Context) {
	md := c.metrics.Collect(c.now(), c.assembler.State())
	count := md.DataPointCount()
	if count == 0 {
		return
	}
	op := c.obs.StartMetricsOp(ctx)
	err := c.next.ConsumeMetrics(op, md)
	c.obs.EndMetricsOp(op, "stageflow", count, err)
	if err != nil {
		c.logger.Warn("the metrics pipeline refused metrics of runs, the next ones follow", zap.Duration("in", collectEvery), zap.Error(err))
	}
}

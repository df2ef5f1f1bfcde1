// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed // import "github.com/stageflow/otelcol-stageflow/internal/testbed"

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Settled waits until no run is in flight and everything that the receiver handed on has been written: all it says
// of itself in its metrics.
func (c *Collector) Settled(ctx context.Context) error {
	var m metrics
	quiet := 0
	err := Poll(ctx, func() (bool, error) {
		var err error
		if m, err = c.metrics(ctx); err != nil {
			return false, err
		}
		// Twice in a row, because the numbers of one reading are not of one instant.
		if m.settled() {
			quiet++
		} else {
			quiet = 0
		}
		return quiet >= 3, nil
	})
	if err != nil {
		return fmt.Errorf("the collector has not settled: %w: %v", err, m)
	}
	return nil
}

// metrics are the sums of the collector's own metrics, by name and, for some, a label.
type metrics map[string]float64

// settled compares what came in with what was written, which is more where queues of an earlier process are drained.
func (m metrics) settled() bool {
	return m["otelcol_receiver_stageflow_runs_active"] == 0 &&
		m["otelcol_exporter_queue_size"] == 0 &&
		m["spans written"] >= m["spans handed on"] &&
		m["records written"] >= m["records handed on"]
}

// Metric is the sum of the collector's own metric of that name over the series whose labels hold all the texts.
func (c *Collector) Metric(ctx context.Context, name string, texts ...string) (float64, error) {
	sum := 0.0
	err := c.eachSeries(ctx, func(series, labels string, value float64) {
		if series != name {
			return
		}
		for _, text := range texts {
			if !strings.Contains(labels, text) {
				return
			}
		}
		sum += value
	})
	return sum, err
}

// eachSeries reads the collector's own metrics, in the format of Prometheus.
func (c *Collector) eachSeries(ctx context.Context, visit func(name, labels string, value float64)) error {
	code, body, err := get(ctx, "http://"+c.Metrics+"/metrics")
	if err != nil {
		return err
	}
	if code != http.StatusOK {
		return fmt.Errorf("the metrics answer %d", code)
	}
	lines := bufio.NewScanner(bytes.NewReader(body))
	for lines.Scan() {
		end := strings.LastIndexByte(lines.Text(), ' ')
		if end < 0 || strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		value, err := strconv.ParseFloat(lines.Text()[end+1:], 64)
		if err != nil {
			continue
		}
		name, labels, _ := strings.Cut(lines.Text()[:end], "{")
		visit(strings.TrimSuffix(name, "_total"), labels, value)
	}
	return lines.Err()
}

func (c *Collector) metrics(ctx context.Context) (metrics, error) {
	m := metrics{}
	err := c.eachSeries(ctx, func(name, labels string, value float64) {
		m[name] += value
		switch {
		case strings.Contains(labels, `exporter="runlog"`) && strings.HasPrefix(name, "otelcol_exporter_sent_spans"):
			m["spans written"] += value
		case strings.Contains(labels, `exporter="runlog"`) && strings.HasPrefix(name, "otelcol_exporter_sent_log_records"):
			m["records written"] += value
		case strings.Contains(labels, `processor="breaker"`) && strings.HasPrefix(name, "otelcol_processor_outgoing_items"):
			if strings.Contains(labels, `otel_signal="traces"`) {
				m["spans handed on"] += value
			} else {
				m["records handed on"] += value
			}
		}
	})
	return m, err
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runmetrics

import (
	"cmp"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Collect writes all metrics as of now, one resource per service, empty when there is nothing to tell. Gauges made of
// events tell what was new since the last Collect and then start again; sums and histograms are cumulative.
func (t *T) Collect(now time.Time, s State) pmetric.Metrics {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.take(now, s)
	w := writer{
		md: pmetric.NewMetrics(), byService: map[string]pmetric.MetricSlice{},
		start: pcommon.NewTimestampFromTime(t.start), now: pcommon.NewTimestampFromTime(now),
	}
	for _, tb := range t.tables {
		w.table(tb)
	}
	w.md.ResourceMetrics().Sort(func(a, b pmetric.ResourceMetrics) bool {
		return cmp.Less(serviceName(a), serviceName(b))
	})
	return w.md
}

func serviceName(rm pmetric.ResourceMetrics) string {
	v, _ := rm.Resource().Attributes().Get(semconv.ServiceNameKey)
	return v.Str()
}

type writer struct {
	md         pmetric.Metrics
	byService  map[string]pmetric.MetricSlice
	start, now pcommon.Timestamp
}

func (w *writer) table(tb *table) {
	var m pmetric.Metric
	last := "" // no service is called that
	for _, k := range tb.sorted() {
		s := tb.series[k]
		if tb.Kind == semconv.Gauge && !s.told {
			continue
		}
		if k.service != last {
			m, last = w.metric(tb.Metric, k.service), k.service
		}
		w.point(m, tb, k, s)
		if tb.Kind == semconv.Gauge {
			s.level, s.told = 0, false
		}
	}
}

// metric is a metric of a service, without points.
func (w *writer) metric(def semconv.Metric, service string) pmetric.Metric {
	ms, ok := w.byService[service]
	if !ok {
		rm := w.md.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr(semconv.ServiceNameKey, service)
		sm := rm.ScopeMetrics().AppendEmpty()
		sm.Scope().SetName(semconv.ScopeName)
		ms = sm.Metrics()
		w.byService[service] = ms
	}
	m := ms.AppendEmpty()
	m.SetName(def.Name)
	m.SetUnit(def.Unit)
	m.SetDescription(def.Description)
	switch def.Kind {
	case semconv.Counter, semconv.UpDownCounter:
		m.SetEmptySum().SetIsMonotonic(def.Kind == semconv.Counter)
		m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	case semconv.Gauge:
		m.SetEmptyGauge()
	case semconv.Histogram:
		m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	}
	return m
}

func (w *writer) point(m pmetric.Metric, tb *table, k key, s *series) {
	switch tb.Kind {
	case semconv.Counter, semconv.UpDownCounter:
		p := m.Sum().DataPoints().AppendEmpty()
		p.SetStartTimestamp(w.start)
		p.SetTimestamp(w.now)
		p.SetIntValue(s.sum)
		attributes(p.Attributes(), tb, k)
	case semconv.Gauge:
		p := m.Gauge().DataPoints().AppendEmpty()
		p.SetTimestamp(w.now)
		p.SetDoubleValue(s.level)
		attributes(p.Attributes(), tb, k)
	case semconv.Histogram:
		p := m.Histogram().DataPoints().AppendEmpty()
		p.SetStartTimestamp(w.start)
		p.SetTimestamp(w.now)
		p.ExplicitBounds().FromRaw(tb.Bounds)
		p.BucketCounts().FromRaw(s.counts)
		var count uint64
		for _, n := range s.counts {
			count += n
		}
		p.SetCount(count)
		p.SetSum(float64(s.sum) / tb.step)
		attributes(p.Attributes(), tb, k)
	}
}

func attributes(dst pcommon.Map, tb *table, k key) {
	if k.overflow {
		dst.PutBool(semconv.MetricOverflowKey, true)
		return
	}
	for i, name := range tb.Attributes {
		if k.values[i] != "" {
			dst.PutStr(name, k.values[i])
		}
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runmetrics

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const (
	// maxSeries bounds the series of one metric over all services, the one for the overflow among them: applications
	// choose services, models and stages. It is the OpenTelemetry SDK's own default.
	maxSeries = 2000
	// maxText bounds one value of an attribute, in bytes; the longest names of models (Amazon's) have some 150.
	maxText = 256
	// maxAttributes is the most that a metric has.
	maxAttributes = 4
)

// key is a series of a metric. The values are in the order of [semconv.Metric.Attributes], "" for one not known.
type key struct {
	service  string
	values   [maxAttributes]string
	overflow bool
}

// overflow is where a metric counts what it has no series left for. It is nobody's, whatever the service: else those
// of the services would need a bound of their own.
var overflow = key{service: semconv.DefaultServiceName, overflow: true}

func keyOf(service string, values ...string) key {
	k := key{service: clean(service)}
	copy(k.values[:], values)
	return k
}

// clone keeps the map from holding on to the requests that its keys were cut from.
func (k key) clone() key {
	k.service = strings.Clone(k.service)
	for i, v := range k.values {
		k.values[i] = strings.Clone(v)
	}
	return k
}

func (k key) compare(other key) int {
	if by := cmp.Or(cmp.Compare(k.service, other.service), slices.Compare(k.values[:], other.values[:])); by != 0 || k.overflow == other.overflow {
		return by
	}
	if other.overflow {
		return -1
	}
	return 1
}

// clean makes a text one that every backend takes: not endless, and valid. Events are clean already, resources not.
func clean(s string) string {
	if len(s) > maxText {
		end := maxText
		for end > maxText-utf8.UTFMax && !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// table holds the series of one metric.
type table struct {
	semconv.Metric
	// step is how many of the integers that are summed up make one of the metric's unit. Integers, because their
	// sums do not depend on the order.
	step   float64
	limit  int
	series map[key]*series
}

// at is the series of the key, or the one for the overflow when there is no room for another.
func (tb *table) at(k key) *series {
	if k.service == "" {
		k.service = semconv.DefaultServiceName
	}
	s, ok := tb.series[k]
	if !ok && len(tb.series) >= tb.limit-1 {
		k = overflow
		s, ok = tb.series[k]
	}
	if !ok {
		s = &series{}
		tb.series[k.clone()] = s
	}
	return s
}

// sorted are the keys, services together.
func (tb *table) sorted() []key {
	return slices.SortedFunc(maps.Keys(tb.series), key.compare)
}

// series are the numbers of one series; which of them are used depends on the kind of metric.
type series struct {
	// sum is a counter's value, or a histogram's sum.
	sum int64
	// counts has a histogram's values by bucket.
	counts []uint64
	// level is a gauge's value, if one was told.
	level float64
	told  bool
}

// add never overflows, and never falls: what would is left where it is.
func (s *series) add(n int64) {
	if n > 0 {
		s.sum += min(n, math.MaxInt64-s.sum)
	}
}

func (s *series) measure(tb *table, n int64) {
	if s.counts == nil {
		s.counts = make([]uint64, len(tb.Bounds)+1)
	}
	bucket, _ := slices.BinarySearch(tb.Bounds, float64(n)/tb.step)
	s.counts[bucket]++
	s.add(n)
}

func (s *series) raise(level float64) {
	s.level, s.told = max(s.level, level), true
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// delivery is a call as one request tells of it.
type delivery struct {
	call testCall
	span bool
}

// Each call is told by its log record, its span or both, once or several times, in any order and any batches: every
// bucket holds the same.
func TestCountsAreTheSameHoweverTheyAreTold(t *testing.T) {
	outcome := rapid.SampledFrom([]testCall{
		{status: semconv.StatusCompleted}, {status: semconv.StatusFailed}, {status: semconv.StatusFailed, code: "INVALID_INPUT"},
		{status: semconv.StatusFailed, code: "CIRCUIT_OPEN"}, {status: semconv.StatusCancelled}, {status: semconv.StatusRetried, code: "TIMEOUT"},
	})
	rapid.Check(t, func(rt *rapid.T) {
		var once, told []delivery
		for i := range rapid.IntRange(0, 30).Draw(rt, "calls") {
			call := outcome.Draw(rt, "outcome")
			call.id, call.run = fmt.Sprint("call", i%20), fmt.Sprint("run", i/20)
			call.provider = rapid.SampledFrom([]string{"openai", "other"}).Draw(rt, "provider")
			call.end = 1 + float64(rapid.IntRange(0, 200).Draw(rt, "end"))/8 // none is late
			once = append(once, delivery{call: call})
			for range rapid.IntRange(1, 4).Draw(rt, "times") {
				told = append(told, delivery{call, rapid.Bool().Draw(rt, "span")})
			}
		}
		want := countsOf(t, once, len(once))
		got := countsOf(t, rapid.Permutation(told).Draw(rt, "order"), rapid.IntRange(1, 9).Draw(rt, "batch"))
		require.Equal(rt, want, got)
	})
}

// countsOf tells all deliveries, so many to a batch, to breakers that never open, and returns what every bucket holds.
func countsOf(t *testing.T, deliveries []delivery, batch int) (counts []breaker.Snapshot) {
	cfg := defaults()
	cfg.FailureRatio, cfg.ConsecutiveFailures = 0, 0
	c := newTestCore(t, cfg)
	for len(deliveries) > 0 {
		n := min(max(batch, 1), len(deliveries))
		var logs, traces []testCall
		for _, d := range deliveries[:n] {
			if d.span {
				traces = append(traces, d.call)
			} else {
				logs = append(logs, d.call)
			}
		}
		deliveries = deliveries[n:]
		c.logNotes(t, logs...)
		c.spanNotes(t, traces...)
	}
	for bucketEnd := 6.0; bucketEnd <= 90; bucketEnd += 6 {
		for _, s := range c.breakers.List(at(bucketEnd - 1)) {
			s.ConsecutiveFailures = 0
			counts = append(counts, s)
		}
	}
	return counts
}

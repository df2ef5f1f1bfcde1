// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// longRun has settings under which every run goes on for longer than it may keep what has finished.
func longRun(lines ...string) *stream {
	s := newStream()
	s.set.FlushAfter = time.Minute
	s.add(lines...)
	return s
}

func TestALongRunSendsWhatHasFinished(t *testing.T) {
	s := longRun(
		ev("pipeline.started", 0, ""),
		wide("a", "completed", 1, 2, ""), callStarted("in a", 1.2, ""), callEnded("in a", 1.8, ""),
		wide("b", "failed", 3, 4, ""),
		stage("c", "started", 5, ""), callStarted("in c", 6, ""), callEnded("in c", 7, ""),
		callStarted("told", 6, `"stage":"c","stage_attempt":1`), callEnded("told", 7, `"stage":"c","stage_attempt":1`),
	)
	assert.Empty(t, s.wait(time.Minute-1))
	assert.ElementsMatch(t, []string{"a#1 completed 1..2", "call in a completed 1.2..1.8 in a#1", "call told completed 6..7 in ?"}, told(s.wait(1)),
		"b failed and may be tried again, c goes on")
	assert.Equal(t, 1, s.Active())

	assert.Empty(t, s.wait(time.Minute), "nothing leaves twice")
	s.add(wide("b", "completed", 8, 9, ""))
	assert.ElementsMatch(t, []string{"b#1 retried 3..4", "b#2 completed 8..9"}, told(s.wait(time.Minute)))

	s.add(stage("c", "completed", 10, ""), ev("pipeline.completed", 11, ""))
	assert.ElementsMatch(t, []string{"c#1 completed 5..10", "call in c completed 6..7 in c#1", "run r completed explicit 0..11"}, told(s.wait(time.Second)))
	assert.Zero(t, s.Active())
}

// What left early is known to a run that has settled, too.
func TestWhatLeftEarlyDoesNotComeAgain(t *testing.T) {
	s := longRun(wide("a", "completed", 1, 2, ""), stage("b", "started", 3, ""))
	assert.ElementsMatch(t, []string{"a#1 completed 1..2"}, told(s.wait(time.Minute)))
	s.add(runWide("completed", 5, detail("a", "completed", 1, 2, ""), detail("b", "completed", 3, 4, "")))
	assert.ElementsMatch(t, []string{"b#1 completed 3..4", "run r completed explicit 1..5"}, told(s.wait(time.Second)))
	s.add(wide("a", "completed", 1, 2, ""), wide("a", "completed", 6, 7, ""))
	assert.ElementsMatch(t, []string{"a#2 completed 6..7"}, told(s.wait(time.Second)))
}

// A flushed run goes on: its spans are written while further events change its state.
func TestWhatIsFlushedIsACopy(t *testing.T) {
	s := longRun(wide("a", "completed", 1, 2, ""), callStarted("c", 1.2, `"x":1`), callEnded("c", 1.8, ""))
	due := s.Due(s.now.Add(time.Minute), false)
	s.add(callEnded("c", 1.9, `"x":2`))
	for _, span := range flat(Spans(due)) {
		if span.Kind() == ptrace.SpanKindClient {
			assert.Equal(t, "1", attr(span, semconv.DataPrefix+"x"))
			return
		}
	}
	t.Fatal("no call was flushed")
}

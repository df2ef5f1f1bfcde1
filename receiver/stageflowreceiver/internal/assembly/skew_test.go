// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Hosts disagree about the time. Whatever they tell, nothing takes less than no time; each row's run checks it.
func TestSkew(t *testing.T) {
	done := ev("pipeline.completed", 20, "")
	for _, tt := range []streamTest{
		{"a stage before its run began", []string{ev("pipeline.started", 5, ""), wide("a", "completed", 1, 3, ""), done}, 0,
			[]string{"run r completed explicit 1..20", "a#1 completed 1..3"}},
		{"a stage after its run ended", []string{ev("pipeline.started", 5, ""), wide("a", "completed", 30, 40, ""), done}, 0,
			[]string{"run r completed explicit 5..20", "a#1 completed 30..40"}},
		{"a run that ended before it began", []string{ev("pipeline.started", 30, ""), done}, 0, []string{"run r completed explicit 20..20"}},
		{"a run that ended before its stages began", []string{wide("a", "completed", 30, 40, ""), done}, 0,
			[]string{"run r completed explicit 20..20", "a#1 completed 30..40"}},
		{"an end before a start, without a number: of an attempt before it", []string{stage("a", "started", 5, ""), stage("a", "failed", 3, ""), done}, 0,
			[]string{"run r completed explicit 3..20", "a#1 retried 3..3", "a#2 abandoned 5..20"}},
		{"a wide event that ended before it began", []string{wide("a", "completed", 5, 3, ""), done}, 0,
			[]string{"run r completed explicit 3..20", "a#1 completed 5..5"}},
		{"a numbered attempt that ended before it began", []string{stage("a", "started", 5, `"attempt":1`), stage("a", "completed", 3, `"attempt":1`), done}, 0,
			[]string{"run r completed explicit 3..20", "a#1 completed 5..5"}},
		{"a stage that never ended, in a run that ended before it began", []string{stage("a", "started", 30, ""), done}, 0,
			[]string{"run r completed explicit 20..20", "a#1 abandoned 30..30"}},
		{"a call outside of its stage", []string{stage("a", "started", 5, ""), stage("a", "completed", 6, ""), callStarted("c", 8, `"stage":"a"`), callEnded("c", 9, `"success":true`), done}, 0,
			[]string{"run r completed explicit 5..20", "a#1 completed 5..6", "call c completed 8..9 in a#1"}},
		{"a call that ended before it began", []string{callStarted("c", 9, ""), callEnded("c", 8, `"success":true`), done}, 0,
			[]string{"run r completed explicit 8..20", "call c completed 9..9 in run r"}},
		{"a tool that ended before it began", []string{toolEvent("tool.started", "t", 9, ""), toolEvent("tool.completed", "t", 8, ""), done}, 0,
			[]string{"run r completed explicit 8..20", "tool t completed 9..9 in run r"}},
		{"an envelope whose run ended before it began", []string{ev("pipeline.wide", 3, `"status":"completed","start_time":"`+stamp(9)+`"`)}, 0,
			[]string{"run r completed explicit 3..3"}},
		{"a duration longer than time itself", []string{ev("pipeline.completed", 3, `"duration_ms":9e12`)}, 0, []string{"run r completed explicit 3..3"}},
	} {
		tt.run(t)
	}
}

const (
	// lastWeek and soon are times, in milliseconds, that no clock in order tells an hour after [base].
	lastWeek = -8 * 24 * 60 * 60 * 1000
	soon     = 2 * 60 * 60 * 1000
)

// Times that cannot be right are kept, and their spans say so; so does the run, whose bounds they may be.
func TestClocksThatAreWrong(t *testing.T) {
	for _, tt := range []struct {
		name   string
		events []string
		want   map[string]string
	}{
		{"none", []string{stage("a", "started", 1, ""), stage("a", "completed", 2, ""), ev("pipeline.completed", 3, "")}, map[string]string{"run r": "", "a#1": ""}},
		{"the run's own", []string{stage("a", "started", 1, ""), stage("a", "completed", 2, ""), ev("pipeline.completed", soon, "")}, map[string]string{"run r": "future", "a#1": ""}},
		{"a stage's start", []string{stage("a", "started", lastWeek, ""), stage("a", "completed", 2, ""), wide("b", "completed", 1, 2, ""), ev("pipeline.completed", 3, "")},
			map[string]string{"run r": "past", "a#1": "past", "b#1": ""}},
		{"a call's end", []string{callStarted("c", 1, ""), callEnded("c", soon, ""), ev("pipeline.completed", 3, "")}, map[string]string{"run r": "future", "call c": "future"}},
		{"a tool's start", []string{toolEvent("tool.started", "t", lastWeek, ""), toolEvent("tool.completed", "t", 2, ""), ev("pipeline.completed", 3, "")},
			map[string]string{"run r": "past", "tool t": "past"}},
		{"what befell a tool", []string{toolEvent("tool.started", "t", 1, ""), toolEvent("tool.updated", "t", soon, ""), toolEvent("tool.completed", "t", 2, ""), ev("pipeline.completed", 3, "")},
			map[string]string{"run r": "future", "tool t": "future"}},
		{"an event that is only logged", []string{ev("custom", lastWeek, ""), ev("pipeline.completed", 3, "")}, map[string]string{"run r": "past"}},
		{"a child's", []string{ev("pipeline.child_completed", soon, `"parent_run_id":"p","child_run_id":"r"`), ev("pipeline.completed", 1, `"pipeline_run_id":"p"`)},
			map[string]string{"run r": "future", "run p": "future"}},
		{"both: the later", []string{stage("a", "started", lastWeek, ""), stage("a", "completed", soon, ""), ev("pipeline.completed", 3, "")}, map[string]string{"run r": "future", "a#1": "future"}},
	} {
		for _, order := range []string{"in order", "reversed"} {
			t.Run(tt.name+"/"+order, func(t *testing.T) {
				s := newStream()
				for i := range tt.events {
					if order == "reversed" {
						i = len(tt.events) - 1 - i
					}
					s.add(tt.events[i])
				}
				got := map[string]string{}
				for _, span := range s.wait(time.Second) {
					got[nameOfSpan(span)] = attr(span, semconv.ClockKey)
				}
				assert.Equal(t, tt.want, got)
			})
		}
	}
}

// A copy that came when its time had become right is the same event still.
func TestACopyWithAnotherArrivalIsTheSameEvent(t *testing.T) {
	const ahead = 70 * 60 * 1000 // ten minutes after the stream's clock
	for _, order := range []int{0, 1} {
		s := newStream()
		arrivals := []time.Duration{0, 30 * time.Minute}
		began := s.now
		for i := range arrivals {
			s.now = began.Add(arrivals[(i+order)%2])
			s.add(stage("a", "started", ahead, ""))
		}
		s.now = began.Add(time.Hour)
		s.add(ev("pipeline.completed", ahead+1, ""))
		spans := s.wait(time.Second)
		require.Len(t, spans, 2)
		assert.Equal(t, "future", attr(named(t, spans, "a#1"), semconv.ClockKey))
	}
}

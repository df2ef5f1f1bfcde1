// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// base is the instant that the times of hand-made events count from, in milliseconds.
var base = time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)

func at(ms float64) time.Time { return base.Add(time.Duration(ms * float64(time.Millisecond))) }

func stamp(ms float64) string { return at(ms).Format(time.RFC3339Nano) }

// ev is one event of the run "r" as a JSON line. fields are members of its data; they may name another run.
func ev(eventType string, ms float64, fields string) string {
	if !strings.Contains(fields, `"pipeline_run_id"`) && !strings.Contains(fields, `"child_run_id"`) {
		fields = join(`"pipeline_run_id":"r"`, fields)
	}
	return fmt.Sprintf(`{"type":%q,"emitted_at":%q,"data":{%s}}`, eventType, stamp(ms), fields)
}

// stage is a lifecycle event, wide a wide event and detail an entry of a run's wide event.
func stage(name, status string, ms float64, fields string) string {
	return ev("stage."+name+"."+status, ms, join(fmt.Sprintf(`"stage":%q,"status":%q`, name, status), fields))
}

func wide(name, status string, from, to float64, fields string) string {
	return ev("stage.wide", to+0.2, join(result(name, status, from, to), fields))
}

func detail(name, status string, from, to float64, fields string) string {
	return "{" + join(result(name, status, from, to), fields) + "}"
}

func result(name, status string, from, to float64) string {
	return fmt.Sprintf(`"stage":%q,"status":%q,"started_at":%q,"ended_at":%q`, name, status, stamp(from), stamp(to))
}

func runWide(status string, ms float64, details ...string) string {
	return ev("pipeline.wide", ms, fmt.Sprintf(`"pipeline_name":"chat","status":%q,"stage_details":[%s]`, status, strings.Join(details, ",")))
}

// under puts the line under a trace context.
func under(traceparent, line string) string {
	return fmt.Sprintf(`{"traceparent":%q,%s`, traceparent, line[1:])
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ",")
}

// stream feeds an assembler and keeps what has left it.
type stream struct {
	*Assembler
	now   time.Time
	calls map[string]string
	read  Facts
}

var testSettings = Settings{Settle: time.Second, FlushAfter: time.Hour, IdleTimeout: 5 * time.Minute, AbandonAfter: 15 * time.Minute, MaxActive: 1000}

func newStream(lines ...string) *stream {
	s := &stream{Assembler: New(testSettings), now: base.Add(time.Hour), calls: map[string]string{}}
	s.add(lines...)
	return s
}

// add hands over the events of one request.
func (s *stream) add(lines ...string) {
	s.read.Reset() // as the receiver does: runs keep nothing of it
	for _, lr := range decode(lines).All() {
		s.facts(&s.read, lr, s.now)
	}
	s.Add(s.read.List, 0, s.now, 0)
}

func decode(lines []string) plog.LogRecordSlice {
	records := plog.NewLogRecordSlice()
	var d event.Decoder
	rejected, _ := d.Decode([]byte(strings.Join(lines, "\n")), true)
	if len(rejected) > 0 {
		panic(fmt.Sprint(rejected, lines))
	}
	for i := range d.Events {
		d.Events[i].Record(records.AppendEmpty(), 0)
	}
	return records
}

// facts joins the ends of calls to their runs, as the receiver does.
func (s *stream) facts(into *Facts, lr plog.LogRecord, arrival time.Time) []Fact {
	e, _, ok := event.Open(lr)
	if !ok {
		return nil
	}
	runID := e.RunID()
	switch e.Name {
	case semconv.EventCallStarted:
		s.calls[e.CallID()] = runID
	case semconv.EventCallEnded:
		if runID == "" {
			runID = s.calls[e.CallID()]
		}
	case semconv.EventWideRun:
		if runID == "" {
			runID = e.AnonymousRunID()
		}
	}
	if runID == "" && e.Name != semconv.EventCallEnded {
		return nil
	}
	return read(into, &e, runID, arrival)
}

func read(into *Facts, e *event.Event, runID string, arrival time.Time) []Fact {
	n := into.Read(e, e.AppendTold(nil, true), 0, runID, "", pcommon.NewTimestampFromTime(arrival))
	return into.List[len(into.List)-n:]
}

// wait moves the clock and returns the spans of what is over.
func (s *stream) wait(d time.Duration) []ptrace.Span {
	s.now = s.now.Add(d)
	return flat(Spans(s.Due(s.now, false)))
}

func flat(td ptrace.Traces) []ptrace.Span {
	var out []ptrace.Span
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				out = append(out, span)
			}
		}
	}
	return out
}

// told writes spans as short lines: what it is, its status, its times in milliseconds and where it hangs.
func told(spans []ptrace.Span) []string {
	names := map[pcommon.SpanID]string{}
	for _, span := range spans {
		names[span.SpanID()] = nameOfSpan(span)
	}
	out := make([]string, 0, len(spans))
	for _, span := range spans {
		line := nameOfSpan(span) + " " + statusOf(span) + " " + ms(span.StartTimestamp()) + ".." + ms(span.EndTimestamp())
		if span.Kind() == ptrace.SpanKindClient || attr(span, semconv.ToolStatusKey) != "" {
			parent, ok := names[span.ParentSpanID()]
			if !ok {
				parent = "?"
			}
			line += " in " + parent
		}
		out = append(out, line)
	}
	return out
}

func nameOfSpan(span ptrace.Span) string {
	switch {
	case span.Kind() == ptrace.SpanKindClient:
		return "call " + attr(span, semconv.CallIDKey)
	case attr(span, semconv.ToolStatusKey) != "":
		return "tool " + attr(span, semconv.GenAIToolCallIDKey)
	case attr(span, semconv.StageStatusKey) != "":
		return attr(span, semconv.StageNameKey) + "#" + attr(span, semconv.StageAttemptKey)
	}
	return "run " + attr(span, semconv.RunIDKey)
}

func statusOf(span ptrace.Span) string {
	switch {
	case span.Kind() == ptrace.SpanKindClient:
		return attr(span, semconv.CallStatusKey)
	case attr(span, semconv.ToolStatusKey) != "":
		return attr(span, semconv.ToolStatusKey)
	case attr(span, semconv.StageStatusKey) != "":
		return attr(span, semconv.StageStatusKey)
	}
	return attr(span, semconv.RunStatusKey) + " " + attr(span, semconv.RunEndKey)
}

func ms(t pcommon.Timestamp) string {
	return strconv.FormatFloat(float64(t.AsTime().Sub(base))/float64(time.Millisecond), 'g', -1, 64)
}

func attr(span ptrace.Span, key string) string {
	v, ok := span.Attributes().Get(key)
	if !ok {
		return ""
	}
	return v.AsString()
}

func runSpan(t testing.TB, spans []ptrace.Span, id string) ptrace.Span {
	t.Helper()
	return named(t, spans, "run "+id)
}

func named(t testing.TB, spans []ptrace.Span, name string) ptrace.Span {
	t.Helper()
	for _, span := range spans {
		if nameOfSpan(span) == name {
			return span
		}
	}
	require.Fail(t, "no such span", "%s in %q", name, told(spans))
	return ptrace.Span{}
}

// streamTest is one row: the events of one request and what they settle to.
type streamTest struct {
	name   string
	events []string
	wait   time.Duration // 0 is the settle time
	want   []string
}

// run checks the row, with the events in the order given and in the reverse.
func (tt streamTest) run(t *testing.T) {
	for _, order := range []string{"in order", "reversed"} {
		t.Run(tt.name+"/"+order, func(t *testing.T) {
			events := slices.Clone(tt.events)
			if order == "reversed" {
				slices.Reverse(events)
			}
			s := newStream()
			for _, line := range events {
				s.add(line)
			}
			wait := tt.wait
			if wait == 0 {
				wait = testSettings.Settle
			}
			spans := s.wait(wait)
			assert.ElementsMatch(t, tt.want, told(spans))
			for _, span := range spans {
				assert.GreaterOrEqual(t, span.EndTimestamp(), span.StartTimestamp(), nameOfSpan(span))
				assert.NotZero(t, span.StartTimestamp(), nameOfSpan(span))
			}
			assert.Zero(t, s.Active())
		})
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package spantree

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
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

	"github.com/stageflow/otelcol-stageflow/internal/captures"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// superseded are the attributes of which a span shows one value where several of its events told one each, and why
// that is no loss. The test accepts them only when another event of the same span told the value shown; every log
// record still has its own.
var superseded = map[string]string{
	startOfSpan: "a wide event measured the stage from inside, and holds over the lifecycle events around it; a tool " +
		"begins when it was started, after the gates that follow its invocation",
	endOfSpan:                           "as the start",
	semconv.StageStatusKey:              "a start says started, and the end how it went",
	semconv.StageDurationKey:            "a lifecycle event and a wide event measure one attempt differently, by a millisecond",
	semconv.RunStatusKey:                "failure_tolerance__collector runs three pipelines under one id; the last end holds",
	semconv.RunDurationKey:              "the same, and run logger and wide event measure one run differently",
	semconv.DataPrefix + "stage_counts": "the same three pipelines",
}

// startOfSpan and endOfSpan stand for the times of a span among the keys of attributes.
const (
	startOfSpan = "start"
	endOfSpan   = "end"
)

// knownLost are claims that are not kept, and what it takes to keep them. A line that is mended must leave this table.
var knownLost = map[string]string{}

// restored are what a status may become: the receiver undoes the framework's flattening, tells an attempt that
// another followed, and gives up what never ended.
var restored = map[semconv.Status][]semconv.Status{
	semconv.StatusRunning:   {semconv.StatusAbandoned},
	semconv.StatusCompleted: {semconv.StatusCancelled, semconv.StatusSkipped, semconv.StatusRetried},
	semconv.StatusFailed:    {semconv.StatusRetried},
}

// Account gathers, over all captures, what was looked for and found, and which exceptions were needed for it.
type Account struct {
	// Lines and Fields are how many events and fields of events were found.
	Lines, Fields int

	used map[string]bool
}

// Check says that of the capture's lines nothing is lost: the log record has its data unchanged, and for the kinds of
// event that become spans each field is on a span, where the tables of semconv say. A null says nothing.
func (a *Account) Check(t testing.TB, f *Forest, c captures.Capture) {
	t.Helper()
	if a.used == nil {
		a.used = map[string]bool{}
	}
	l := &ledger{t: t, spans: f, told: map[pcommon.SpanID]map[string][]any{}}
	for n, e := range linesOf(t, c) {
		where := fmt.Sprintf("%s:%d %s", c.Name, n+1, e.Type)
		lr, ok := f.take(e.Type, e.EmittedAt)
		require.True(t, ok, "%s has a log record", where)
		a.Lines++

		data, has := lr.Attributes().Get(semconv.EventDataKey)
		assert.Equal(t, e.Data != nil, has, where)
		if has {
			assert.Len(t, data.Map().AsRaw(), len(e.Data), where)
			for name, want := range e.Data {
				got, ok := data.Map().Get(repaired(name))
				assert.True(t, ok && same(want, got.AsRaw()), "%s: the log record has the field %s", where, name)
				a.Fields++
			}
		}
		l.enter(where, lr, e)
	}
	l.settle(a.used)
	a.Fields += l.claimed
}

// Close says that, once all captures have been checked, every exception was needed.
func (a *Account) Close(t testing.TB) {
	t.Helper()
	for key := range superseded {
		assert.True(t, a.used[key], "nothing is superseded in %s any more: take it out of the table", key)
	}
	for where := range knownLost {
		assert.True(t, a.used[where], "%s is not lost any more: take it out of the table", where)
	}
	t.Logf("%d lines, %d fields found", a.Lines, a.Fields)
}

type jsonLine struct {
	Type      string
	Data      map[string]any
	EmittedAt string `json:"emitted_at"`
}

// bareWord is what Python writes for floats that JSON has no form for. The receiver keeps the word as a string.
var bareWord = regexp.MustCompile(`: (NaN|-?Infinity)`)

func linesOf(t testing.TB, c captures.Capture) []jsonLine {
	t.Helper()
	var out []jsonLine
	for line := range bytes.Lines(c.Body) {
		decoder := json.NewDecoder(bytes.NewReader(bareWord.ReplaceAll(line, []byte(`: "$1"`))))
		decoder.UseNumber()
		var e jsonLine
		require.NoError(t, decoder.Decode(&e))
		e.Type = repaired(e.Type)
		out = append(out, e)
	}
	return out
}

// repaired is a string as stores take it.
func repaired(s string) string { return strings.ReplaceAll(s, "\x00", "\uFFFD") }

// same compares a value as encoding/json reads it with one as pdata holds it. What is too big for a number, or nested
// too deep, is held as its text.
func same(want, got any) bool {
	if text, ok := got.(string); ok {
		switch want := want.(type) {
		case string:
			return repaired(want) == text
		case json.Number:
			return want.String() == text
		case map[string]any, []any:
			decoder := json.NewDecoder(strings.NewReader(text))
			decoder.UseNumber()
			var nested any
			return decoder.Decode(&nested) == nil && assert.ObjectsAreEqual(want, nested)
		}
		return false
	}
	switch want := want.(type) {
	case json.Number:
		switch got := got.(type) {
		case int64:
			return want.String() == strconv.FormatInt(got, 10)
		case float64:
			f, err := want.Float64()
			return err == nil && f == got
		}
		return false
	case []any:
		list, ok := got.([]any)
		return ok && slices.EqualFunc(want, list, same)
	case map[string]any:
		fields, ok := got.(map[string]any)
		if !ok || len(fields) != len(want) {
			return false
		}
		for name, v := range want {
			found, ok := fields[repaired(name)]
			if !ok || !same(v, found) {
				return false
			}
		}
		return true
	}
	return want == got // a flag or null
}

// ledger holds what the events told of spans, until all of them have been read.
type ledger struct {
	t       testing.TB
	spans   *Forest
	claims  []claim
	told    map[pcommon.SpanID]map[string][]any
	claimed int
}

// claim is one field that one of the spans must show.
type claim struct {
	where string
	field string
	semconv.Field
	want  any
	spans []ptrace.Span
}

// enter makes the claims of one event. An event that no run can be found for is a log record alone; so is a call
// without an id.
func (l *ledger) enter(where string, lr plog.LogRecord, e jsonLine) {
	kind := semconv.EventName(lr.EventName())
	table := semconv.FieldsOf(kind)
	if table == nil || kind == semconv.EventStageOther {
		return
	}
	runID, ok := lr.Attributes().Get(semconv.RunIDKey)
	if !ok {
		assert.Nil(l.t, e.Data["pipeline_run_id"], "%s: with an id it has a run", where)
		return
	}
	tree := l.spans.trees[runID.AsString()]
	require.NotNil(l.t, tree, "%s: run %s has spans", where, runID.AsString())
	about := tree.about(kind, e.Data)
	if about == nil {
		assert.Contains(l.t, []any{nil, "", nilCallID}, callID(e.Data), "%s: with an id it has a span", where)
		return
	}
	l.enterFields(where, kind, table, e.Data, about, tree.runs)
}

const nilCallID = "00000000-0000-0000-0000-000000000000"

// callID is the id of the call or the tool call that an event is about.
func callID(data map[string]any) any {
	if id := data["action_id"]; id != nil {
		return id
	}
	return data["call_id"]
}

// about are the spans that an event of the kind may be about: the run, the call, or the attempts of the stage. A wide
// event tells which attempt, by its start.
func (tr *tree) about(kind semconv.EventName, data map[string]any) []ptrace.Span {
	by := func(spans []ptrace.Span, key string, want any) []ptrace.Span {
		return slices.DeleteFunc(slices.Clone(spans), func(s ptrace.Span) bool { return attr(s, key) != want })
	}
	switch kind {
	case semconv.EventStageStarted, semconv.EventStageEnded:
		return by(tr.stages, semconv.StageNameKey, data["stage"])
	case semconv.EventWideStage:
		return slices.DeleteFunc(by(tr.stages, semconv.StageNameKey, data["stage"]), func(s ptrace.Span) bool {
			return !s.StartTimestamp().AsTime().Equal(timeOf(data["started_at"]))
		})
	case semconv.EventCallStarted, semconv.EventCallEnded:
		return by(tr.calls, semconv.CallIDKey, data["call_id"])
	}
	if kind.ShownOn() != semconv.Nowhere {
		return slices.Concat(tr.runs, tr.stages)
	}
	if strings.HasPrefix(string(kind), "stageflow.run.") || kind == semconv.EventWideRun {
		return tr.runs
	}
	return by(tr.tools, semconv.GenAIToolCallIDKey, callID(data))
}

func (l *ledger) enterFields(where string, kind semconv.EventName, table semconv.Fields, data map[string]any, about, run []ptrace.Span) {
	for name, want := range data {
		if want == nil {
			continue
		}
		l.claimed++
		spans := about
		f, ok := table[name]
		if !ok {
			if f, ok = semconv.CommonFields[name]; !ok {
				f = semconv.Field{Key: semconv.DataPrefix + name, Type: semconv.Any}
			} else if f.Key != "" {
				spans = run // what every event may tell is told of the run
			}
		}
		at := where + " " + name
		switch {
		case f.Key != "":
			l.claim(claim{at, name, f, want, spans})
		case name == "stage_details":
			for i, entry := range want.([]any) {
				detail := entry.(map[string]any)
				stage := l.spans.trees[attr(run[0], semconv.RunIDKey)].about(semconv.EventWideStage, detail)
				if assert.NotEmpty(l.t, stage, "%s: entry %d is a stage span", at, i) {
					l.enterFields(fmt.Sprintf("%s[%d]", at, i), semconv.EventWideStage, semconv.StageFields, detail, stage, run)
				}
			}
		case name == "service":
			assert.Equal(l.t, want, l.spans.services[run[0].SpanID()], at)
		case name == "success":
			status := semconv.StatusFailed
			if want == true {
				status = semconv.StatusCompleted
			}
			assert.Equal(l.t, string(status), attr(about[0], semconv.CallStatusKey), at)
		case name == "started_at", name == "ended_at", name == "timestamp", name == "emitted_at":
			l.claim(claim{at, name, semconv.Field{Key: timeKey(kind, name)}, timeOf(want), spans})
		default:
			assert.Fail(l.t, "the field has no attribute, and the test does not know where else it is", at)
		}
	}
}

// timeKey says which end of its span an event's time is: "start" or "end". These are no attributes.
func timeKey(kind semconv.EventName, field string) string {
	switch field {
	case "started_at":
		return startOfSpan
	case "ended_at":
		return endOfSpan
	}
	switch kind {
	case semconv.EventStageStarted, semconv.EventCallStarted, semconv.EventRunStarted, semconv.EventChildStarted,
		semconv.EventToolRequested, semconv.EventToolInvoked, semconv.EventToolStarted:
		return startOfSpan
	}
	return endOfSpan
}

func (l *ledger) claim(c claim) {
	l.claims = append(l.claims, c)
	for _, span := range c.spans {
		id := span.SpanID()
		if l.told[id] == nil {
			l.told[id] = map[string][]any{}
		}
		l.told[id][c.Key] = append(l.told[id][c.Key], c.want)
	}
}

// settle looks for every claim on its spans. used collects the entries of the tables that were needed.
func (l *ledger) settle(used map[string]bool) {
	for _, c := range l.claims {
		if slices.ContainsFunc(c.spans, func(s ptrace.Span) bool { return c.shown(s, c.want) }) {
			continue
		}
		other := slices.ContainsFunc(c.spans, func(s ptrace.Span) bool {
			return slices.ContainsFunc(l.told[s.SpanID()][c.Key], func(v any) bool { return c.shown(s, v) })
		})
		if _, known := knownLost[c.where]; known && !other {
			used[c.where] = true
			continue
		}
		if assert.True(l.t, other, "lost: %s = %v, which belongs in %s", c.where, c.want, c.Key) {
			used[c.Key] = true
			assert.Contains(l.t, superseded, c.Key, "%s = %v is on no span: another event told it differently", c.where, c.want)
		}
	}
}

// shown tells whether the span shows a value where the claim belongs.
func (c claim) shown(span ptrace.Span, want any) bool {
	switch c.Key {
	case startOfSpan:
		return span.StartTimestamp().AsTime().Equal(want.(time.Time)) || noted(span, want.(time.Time))
	case endOfSpan:
		return span.EndTimestamp().AsTime().Equal(want.(time.Time)) || noted(span, want.(time.Time))
	case semconv.ExceptionMessageKey:
		if text, ok := want.(string); ok && repaired(text) == span.Status().Message() {
			return true
		}
	case semconv.ExceptionTypeKey:
		if want == attr(span, semconv.ErrorTypeKey) {
			return true
		}
	}
	if c.holds(span.Attributes(), want) {
		return true
	}
	for _, note := range span.Events().All() {
		if c.holds(note.Attributes(), want) {
			return true
		}
	}
	return false
}

func noted(span ptrace.Span, at time.Time) bool {
	for _, note := range span.Events().All() {
		if note.Timestamp().AsTime().Equal(at) {
			return true
		}
	}
	return false
}

func (c claim) holds(attrs pcommon.Map, want any) bool {
	v, ok := attrs.Get(c.Key)
	if !ok {
		// A value that its attribute cannot hold keeps its own name.
		v, ok = attrs.Get(semconv.DataPrefix + c.field)
		return ok && same(want, v.AsRaw())
	}
	if c.Type == semconv.State {
		told, _ := semconv.ParseStatus(fmt.Sprint(want))
		shown := semconv.Status(v.Str())
		return told == shown || (c.Key == semconv.StageStatusKey && slices.Contains(restored[told], shown))
	}
	return same(want, v.AsRaw())
}

// timeOf reads a time as the framework writes it.
func timeOf(v any) time.Time {
	s, _ := v.(string)
	t, err := time.Parse(time.RFC3339Nano, strings.Replace(s, " ", "T", 1))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

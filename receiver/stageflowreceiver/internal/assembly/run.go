// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Bounds of one run's state; what is beyond them is counted and left to the log records.
const (
	maxStageFacts = 10_000
	maxCalls      = 10_000
	maxTools      = 10_000
	maxEnds       = 16
	maxKeys       = 10_000
	// maxNotes bounds the span events of all tool calls of a run, maxNotesOfTool those of one.
	maxNotes       = 10_000
	maxNotesOfTool = 128
)

// run gathers the facts of one run, in any order.
type run struct {
	id         string
	attributes folded
	service    latestText
	ends       []RunEnd
	stages     map[string][]*StageFact
	stageFacts int
	calls      map[string]*call
	tools      map[string]*tool
	unnamed    []unnamedTool
	notes      int
	shown      []ShownFact // in order
	// started is set when an event said that the run began.
	started     bool
	startedAt   pcommon.Timestamp
	first, last pcommon.Timestamp
	trace       traceContext
	derived     semconv.TraceID // the trace that the id gives, once it has been asked for
	dropped     int
	// texts is where the run keeps what its facts share with others.
	texts event.Texts

	// arrived and ended are times of arrival: of the latest fact, and of the first end that closes the run.
	arrived, ended time.Time
	deadline       time.Time
	// index is the place in the heap of deadlines, where the run may be filed under an earlier one.
	index int
	// earlier is set when the run had settled before and this is what came later.
	earlier *settled
	// flushAt is when what has finished of a run that goes on is sent; left, leftCalls and leftTools are what has left so.
	flushAt   time.Time
	left      []sentAttempt // by stage
	leftCalls map[string]bool
	leftTools map[string]bool
	// keys are those of the run's events, kept with a journal only: after a restart their copies are known by them.
	keys []event.Key
	// claim is what the run needs of the journal, flushMark the mark in it that says what has left.
	claim, flushMark *journal.Claim
}

// call gathers the facts of one provider call.
type call struct {
	id         string
	attributes folded
	start, end pcommon.Timestamp
	status     semconv.Status
	endedAt    pcommon.Timestamp
	caller
	// left is set when the call left open with its run, and nothing has been told of it since.
	left bool
}

// caller is the stage attempt that made a call of a provider or a tool; "" and 0 for what nothing told.
type caller struct {
	stage   string
	attempt int64
}

// addCaller takes what one event says, of which the largest stays.
func (c *caller) addCaller(stage string, attempt int64, in *event.Texts) {
	switch {
	case stage == "" || stage < c.stage:
	case stage > c.stage:
		c.stage, c.attempt = in.Keep(stage), attempt
	default:
		c.attempt = max(c.attempt, attempt)
	}
}

// traceContext is the run's trace as its events tell it. Where they disagree the start event's holds, else the
// smallest.
type traceContext struct {
	trace   semconv.TraceID
	parent  semconv.SpanID
	ofStart bool
}

// latestText is the text that the latest event gives, of those at one time the largest.
type latestText struct {
	at   pcommon.Timestamp
	text string
}

func (l *latestText) add(at pcommon.Timestamp, text string, in *event.Texts) {
	switch {
	case l.text == text:
		l.at = max(l.at, at)
	case l.text == "" || at > l.at || (at == l.at && text > l.text):
		l.at, l.text = at, in.Keep(text)
	}
}

func newRun(id string) *run {
	r := &run{attributes: folded{}} // not nil, which would say that they are not kept
	r.id = r.texts.Keep(id)
	return r
}

// add takes a fact. The order of facts does not matter.
func (r *run) add(f *Fact) {
	if r.claim != nil && f.Key != 0 && len(r.keys) < maxKeys {
		r.keys = append(r.keys, f.Key)
	}
	if r.first == 0 || f.Time < r.first {
		r.first = f.Time
	}
	r.last = max(r.last, f.Time)
	if f.Service != "" {
		r.service.add(f.Time, f.Service, &r.texts)
	}
	r.attributes.add(f.Time, f.Attributes, &r.texts)
	r.trace.merge(f.Trace, f.Parent, f.Start)
	if f.Start {
		if !r.started || f.Time < r.startedAt {
			r.startedAt = f.Time
		}
		r.started = true
	}
	if f.End != nil {
		r.addEnd(*f.End)
	}
	if f.Stage != nil {
		r.addStage(f.Stage)
	}
	for i := range f.Details {
		r.addStage(&f.Details[i])
	}
	if f.Call != nil {
		r.addCall(f.Call, f.Time)
	}
	if f.Tool != nil {
		r.addTool(f.Tool, f.Time)
	}
	if f.Shown != nil {
		r.addShown(f.Shown)
	}
}

func (r *run) addEnd(e RunEnd) {
	if slices.ContainsFunc(r.ends, func(o RunEnd) bool { return compareEnds(e, o) == 0 }) {
		return
	}
	e.Cause = e.Cause.Kept(&r.texts)
	r.ends = append(r.ends, e)
	slices.SortFunc(r.ends, func(a, b RunEnd) int { return compareEnds(b, a) })
	if len(r.ends) > maxEnds {
		r.ends = r.ends[:maxEnds]
		r.dropped++
	}
}

func (r *run) addStage(s *StageFact) {
	if r.stageFacts >= maxStageFacts {
		r.dropped++
		return
	}
	r.stageFacts++
	kept := *s
	kept.Attributes = s.Attributes.Kept(&r.texts)
	of := r.stages[s.Name]
	if of == nil {
		if r.stages == nil {
			r.stages = map[string][]*StageFact{}
		}
		kept.Name = r.texts.Keep(s.Name)
	} else {
		kept.Name = of[0].Name
	}
	r.stages[kept.Name] = append(of, &kept)
}

func (r *run) addCall(f *CallFact, at pcommon.Timestamp) {
	if f.ID == "" {
		return // without an id its start and its end are two log records
	}
	c := r.calls[f.ID]
	if c == nil {
		if len(r.calls) >= maxCalls {
			r.dropped++
			return
		}
		c = &call{id: r.texts.Keep(f.ID), status: semconv.StatusRunning}
		r.addKnown(c.id, c)
	}
	c.left = false
	c.attributes.add(at, f.Attributes, &r.texts)
	if f.Start != 0 && (c.start == 0 || f.Start < c.start) {
		c.start = f.Start
	}
	if f.End != 0 && (f.End > c.endedAt || (f.End == c.endedAt && badness[f.Status] > badness[c.status])) {
		c.endedAt, c.end, c.status = f.End, f.End, f.Status
	}
	c.addCaller(f.Stage, f.Attempt, &r.texts)
}

// addKnown makes room for calls with the first: most runs have none.
func (r *run) addKnown(id string, c *call) {
	if r.calls == nil {
		r.calls = map[string]*call{}
	}
	r.calls[id] = c
}

// closing tells whether an end is known that needs no more waiting than for stragglers.
func (r *run) closing() bool {
	return len(r.ends) > 0 && r.ends[0].Kind.Rank() >= semconv.EndParent.Rank()
}

// statusRank orders ends that are equally strong and equally late.
var statusRank = map[semconv.Status]int{semconv.StatusCompleted: 1, semconv.StatusCancelled: 2, semconv.StatusFailed: 3}

// compareEnds is above zero when a wins over b: the stronger kind, then the later, then failed over cancelled over
// completed, then any fixed order.
func compareEnds(a, b RunEnd) int {
	if d := a.Kind.Rank() - b.Kind.Rank(); d != 0 {
		return d
	}
	if a.Time != b.Time {
		if a.Time > b.Time {
			return 1
		}
		return -1
	}
	if d := statusRank[a.Status] - statusRank[b.Status]; d != 0 {
		return d
	}
	return cmp.Or(a.Cause.Compare(b.Cause), cmp.Compare(a.Start, b.Start))
}

func (c *traceContext) merge(trace semconv.TraceID, parent semconv.SpanID, ofStart bool) {
	if trace.IsZero() {
		return
	}
	switch {
	case c.trace.IsZero(), ofStart && !c.ofStart:
	case c.ofStart && !ofStart:
		return
	default:
		if d := bytes.Compare(trace[:], c.trace[:]); d > 0 || (d == 0 && (parent.IsZero() || (!c.parent.IsZero() && bytes.Compare(parent[:], c.parent[:]) >= 0))) {
			return
		}
	}
	c.trace, c.parent, c.ofStart = trace, parent, ofStart
}

// traceID is the run's trace: the one its events carry, else the one its id gives.
func (r *run) traceID() semconv.TraceID {
	if r.earlier != nil {
		return r.earlier.trace
	}
	if !r.trace.trace.IsZero() {
		return r.trace.trace
	}
	if r.derived.IsZero() {
		r.derived = semconv.RunTraceID(r.id)
	}
	return r.derived
}

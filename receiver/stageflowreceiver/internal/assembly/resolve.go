// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Run is a run as its facts tell it: what the spans are written from.
type Run struct {
	ID      string
	Service string
	Trace   semconv.TraceID
	// Parent is the span above the run in its own trace, zero for none.
	Parent semconv.SpanID
	// ParentID is the run that spawned this one, "" for none, and ParentTrace that run's trace.
	ParentID    string
	ParentTrace semconv.TraceID

	Start, End pcommon.Timestamp
	EndKind    semconv.EndKind
	Status     semconv.Status
	// EarlierEnds lost against the end that holds.
	EarlierEnds []RunEnd
	Attempts    []*Attempt
	Calls       []*Call
	Tools       []*Tool
	// Revised is set when the run's span has left before with a weaker end; Sent when it has left and stays.
	Revised, Sent bool

	attributes folded
	cause      event.Attributes
	notes      []Note
	// again is set when this is what came after the run had settled.
	again bool
	// of is the run itself when it goes on, memory what is remembered of it when it does not, claim what the run
	// needed of the journal.
	of     *run
	memory *remembered
	claim  *journal.Claim
	// late is the trace context, and lateParent tells that the parent run, that became known only after the run's
	// span had left.
	late       traceContext
	lateParent bool
}

// Call is one provider call.
type Call struct {
	ID         string
	Start, End pcommon.Timestamp
	Status     semconv.Status
	// Stage is the attempt that made the call, nil when nothing tells.
	Stage      *Attempt
	attributes folded
}

// resolve reads the gathered facts of a run that is over. parentTrace finds the trace of another run.
func (r *run) resolve(parentTrace func(runID string) semconv.TraceID) *Run {
	out := &Run{
		ID: r.id, Service: r.serviceName(), Trace: r.traceID(), Parent: r.trace.parent,
		ParentID: r.attributes.text(semconv.RunParentIDKey), attributes: r.attributes,
		again: r.earlier != nil,
	}
	if out.ParentID != "" {
		out.ParentTrace = parentTrace(out.ParentID)
	}
	r.resolveStages(out)
	r.resolveCalls(out)
	r.resolveTools(out)
	r.resolveShown(out)
	r.resolveEnd(out)
	r.resolveTimes(out)
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (r *run) resolveCalls(out *Run) {
	if len(r.calls) == 0 {
		return
	}
	var few [8]*call
	calls := few[:0]
	for _, c := range r.calls {
		if !c.left {
			calls = append(calls, c)
		}
	}
	slices.SortFunc(calls, func(a, b *call) int { return strings.Compare(a.id, b.id) })
	all := make([]Call, len(calls)) // they leave together, so they share their memory
	out.Calls = make([]*Call, 0, len(calls))
	for i, c := range calls {
		o := &all[i]
		*o = Call{ID: c.id, Start: c.start, End: c.end, Status: c.status, attributes: c.attributes}
		if o.Start == 0 {
			o.Start = o.End
		}
		if o.End != 0 && o.End < o.Start {
			o.End = o.Start
		}
		o.Stage = callerOf(c.stage, c.attempt, o.Start, out.Attempts)
		out.Calls = append(out.Calls, o)
	}
}

// callerOf is the attempt that made a call, of a provider or a tool: the one that it names, else the only one that
// was running when it started.
func callerOf(stage string, number int64, start pcommon.Timestamp, attempts []*Attempt) *Attempt {
	var named, running *Attempt // the first of each
	var allNamed, allRunning int
	for _, a := range attempts {
		if (stage != "" && a.Stage != stage) || (number > 0 && a.Number != number) {
			continue
		}
		if allNamed++; allNamed == 1 {
			named = a
		}
		if a.Start <= start && (a.End == 0 || start <= a.End) {
			if allRunning++; allRunning == 1 {
				running = a
			}
		}
	}
	switch {
	case stage != "" && allNamed == 1:
		return named
	case number > 0:
		return &Attempt{Stage: stage, Number: number} // its events went elsewhere, or are yet to come
	case allRunning == 1:
		return running
	}
	return nil
}

// resolveEnd decides how the run ended: by the strongest end told, else by what its stages say.
func (r *run) resolveEnd(out *Run) {
	var failed, cancelled *Attempt // the first that failed for good, the first that cancelled the run
	open := r.started
	for _, a := range out.Attempts {
		if a.Status == semconv.StatusFailed && (failed == nil || a.End < failed.End) {
			failed = a
		}
		if a.Status == semconv.StatusCancelled && (cancelled == nil || a.End < cancelled.End) {
			cancelled = a
		}
		open = open || (a.Status == semconv.StatusRunning && (a.sent == nil || !a.sent.ended))
	}
	for _, c := range out.Calls {
		open = open || c.Status == semconv.StatusRunning
	}
	for _, t := range out.Tools {
		open = open || t.Status == semconv.StatusRunning
	}

	switch {
	case len(r.ends) > 0:
		e := r.ends[0]
		out.EndKind, out.Status, out.End = e.Kind, e.Status, e.Time
		out.cause = slices.Clip(e.Cause) // nothing in it is replaced, and what is added goes into a copy
		out.EarlierEnds = r.ends[1:]
		for _, o := range out.EarlierEnds {
			if o.Status == out.Status {
				// What one way of telling the end does not have, another may: pipeline.failed has no duration.
				fill(&out.cause, semconv.RunDurationKey, o.Cause)
				fill(&out.cause, semconv.RunReasonKey, o.Cause)
			}
		}
	case open:
		out.EndKind, out.Status, out.End = semconv.EndAbandoned, semconv.StatusAbandoned, r.last
	default:
		out.EndKind, out.Status, out.End = semconv.EndInferred, semconv.StatusCompleted, r.last
		if failed != nil {
			out.Status = semconv.StatusFailed
		}
	}
	switch {
	case out.Status == semconv.StatusFailed:
		out.completeCause(failed)
	case out.Status == semconv.StatusCancelled && cancelled != nil:
		// No event of the framework names the stage that cancelled its run (catalogue 1.4).
		if !out.cause.Has(semconv.RunFailedStageKey) {
			out.cause.Put(semconv.RunFailedStageKey, event.TextValue(cancelled.Stage))
		}
	}
}

// causeText are the attributes that say why; an end that has none of them takes all of another's.
var causeText = []string{
	semconv.ExceptionMessageKey, semconv.ExceptionTypeKey, semconv.ErrorCodeKey, semconv.ErrorRetryableKey,
	semconv.HTTPStatusCodeKey, semconv.RPCGRPCStatusCodeKey,
}

// completeCause finds the reason of a failure that the end itself does not tell: another end of the same status
// (pipeline.wide has no text, pipeline.failed has), else the first stage that failed.
func (out *Run) completeCause(failed *Attempt) {
	for _, e := range out.EarlierEnds {
		if e.Status == semconv.StatusFailed {
			fill(&out.cause, semconv.RunFailedStageKey, e.Cause)
			fillText(&out.cause, e.Cause)
		}
	}
	if stage, ok := out.cause.Get(semconv.RunFailedStageKey); ok {
		for _, a := range out.Attempts {
			if a.Status == semconv.StatusFailed && a.Stage == stage.AsText() {
				failed = a
			}
		}
	}
	if failed == nil {
		return
	}
	said := failed.attributes(nil)
	blame := make(event.Attributes, 0, len(said)+1)
	for _, v := range said {
		blame = append(blame, v.Attribute)
	}
	blame.Put(semconv.RunFailedStageKey, event.TextValue(failed.Stage))
	fill(&out.cause, semconv.RunFailedStageKey, blame)
	if stage, _ := out.cause.Get(semconv.RunFailedStageKey); stage.AsText() == failed.Stage {
		fillText(&out.cause, blame)
	}
}

func fill(dst *event.Attributes, key string, src event.Attributes) {
	if dst.Has(key) {
		return
	}
	if v, ok := src.Get(key); ok {
		dst.Put(key, v)
	}
}

func fillText(dst *event.Attributes, src event.Attributes) {
	for _, key := range causeText {
		if dst.Has(key) {
			return
		}
	}
	for _, key := range causeText {
		fill(dst, key, src)
	}
}

// resolveTimes finds the start of the run, the earliest known of: its start event, its first stage, provider call or
// tool call, its end less the duration told. Then what never ended is closed with the run.
func (r *run) resolveTimes(out *Run) {
	start := r.first
	earlier := func(t pcommon.Timestamp) {
		if t != 0 && (start == 0 || t < start) {
			start = t
		}
	}
	if r.started {
		earlier(r.startedAt)
	}
	for _, a := range out.Attempts {
		earlier(a.Start)
	}
	for _, c := range out.Calls {
		earlier(c.Start)
	}
	for _, t := range out.Tools {
		earlier(t.Start)
	}
	for _, e := range r.ends {
		earlier(e.Start)
	}
	if len(r.ends) > 0 && r.ends[0].Duration > 0 {
		earlier(event.Before(out.End, r.ends[0].Duration))
	}
	out.Start = start
	out.End = max(out.End, out.Start)

	for _, a := range out.Attempts {
		if a.Start == 0 {
			a.Start = a.End
		}
		if a.Status == semconv.StatusRunning {
			a.Status, a.End = semconv.StatusAbandoned, max(out.End, a.Start)
		}
	}
	for _, c := range out.Calls {
		if c.Status == semconv.StatusRunning {
			c.Status, c.End = semconv.StatusAbandoned, max(out.End, c.Start)
		}
	}
	for _, t := range out.Tools {
		if t.Status == semconv.StatusRunning {
			t.Status, t.End = semconv.StatusAbandoned, max(out.End, t.Start)
		}
	}
	slices.SortStableFunc(out.Attempts, func(a, b *Attempt) int { return cmp.Compare(a.Start, b.Start) })
	slices.SortStableFunc(out.Calls, func(a, b *Call) int { return cmp.Compare(a.Start, b.Start) })
	slices.SortStableFunc(out.Tools, func(a, b *Tool) int { return cmp.Compare(a.Start, b.Start) })
}

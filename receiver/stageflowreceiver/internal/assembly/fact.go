// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Fact is what one event says of one run. It holds copies only, so it outlives the event's record.
type Fact struct {
	// RunID is the run; "" for the end of a call that only its call id can join to one.
	RunID string
	// Key is that of the event, 0 when nothing tells it from others.
	Key event.Key
	// Time is the event's own, or its arrival.
	Time pcommon.Timestamp
	// Service is the emitting service, "" when unknown.
	Service string
	// Trace and Parent are the run's W3C trace context, zero when the event has none.
	Trace  semconv.TraceID
	Parent semconv.SpanID
	// Attributes belong on the run's span.
	Attributes attributes

	// At most one of these is set, but for Details, which come with an End.
	Start   *RunStart
	End     *RunEnd
	Stage   *StageFact
	Call    *CallFact
	Tool    *ToolFact
	Shown   *ShownFact
	Details []StageFact
}

// RunStart says that a run began.
type RunStart struct{}

// RunEnd says that a run ended.
type RunEnd struct {
	Kind   semconv.EndKind
	Status semconv.Status
	Time   pcommon.Timestamp
	// Start is when the run began, 0 when the event does not tell.
	Start pcommon.Timestamp
	// Duration is what the event told, 0 when it told none.
	Duration time.Duration
	// Cause holds the attributes that go with this end alone: error, failed stage, reason.
	Cause attributes
}

// StageFact is what one event says of one attempt of a stage.
type StageFact struct {
	Name string
	// Attempt is the number that the event told, 0 for none.
	Attempt int64
	// Wide marks wide events and the details of a run's wide event, which know both ends; other facts know one.
	Wide       bool
	Start, End pcommon.Timestamp
	// Status is running for a start.
	Status semconv.Status
	// Clock is what is wrong with the event's time, "" for nothing. It depends on the arrival, so it is no attribute:
	// those tell copies of an event from other events.
	Clock string
	// Restored is the status without the framework's flattening, see [event.Restore].
	Restored   semconv.Status
	Attributes attributes
}

// CallFact is what one event says of a provider call.
type CallFact struct {
	ID string
	// Start is 0 on an end that tells no latency; End is 0 on a start.
	Start, End pcommon.Timestamp
	Status     semconv.Status
	// Stage and Attempt name the stage attempt that made the call; "" and 0 when the event does not tell.
	Stage      string
	Attempt    int64
	Attributes attributes
}

// Facts reads an event. runID is the run that the event was joined to, arrival stands in for the time of an event
// that has none, service is the resource's service name. Most events say something of one run; those about a child
// say that its parent is there, too.
func Facts(e event.Event, runID, service string, arrival pcommon.Timestamp) []Fact {
	f := Fact{RunID: runID, Time: e.Record.Timestamp(), Service: e.Text("service")}
	if f.Time == 0 {
		f.Time = arrival
	}
	if f.Service == "" {
		f.Service = service
	}
	f.Trace, f.Parent = e.TraceContext()
	clock := e.Clock(arrival)

	s := newScratch()
	defer s.free()
	s.read(e)
	switch e.Name {
	case semconv.EventRunStarted:
		f.Start = &RunStart{}
		s.own.remove(semconv.RunStatusKey)
		s.common.putAll(s.own)
	case semconv.EventRunEnded, semconv.EventWideRun, semconv.EventRunCancelRequested:
		f.End = runEnd(e, f.Time, &s.own)
		f.Details = stageDetails(e, f.Time)
		s.common.putAll(s.own)
	case semconv.EventChildStarted:
		s.common.putAll(s.own)
	case semconv.EventChildEnded:
		f.End = runEnd(e, f.Time, &s.own)
		s.common.putAll(s.own)
	case semconv.EventStageStarted, semconv.EventStageEnded, semconv.EventWideStage:
		stage := stageFact(e, f.Time, &s.own)
		stage.Clock = clock
		f.Stage = &stage
	case semconv.EventCallStarted, semconv.EventCallEnded:
		call := callFact(e, f.Time, &s.own)
		putClock(&call.Attributes, clock)
		f.Call = &call
	default:
		switch {
		case e.OfTool():
			tool := toolFact(e, f.Time, &s.own)
			putClock(&tool.Attributes, clock)
			f.Tool = &tool
		case e.Name.ShownOn() != semconv.Nowhere:
			f.Shown = shownFact(e, f.Time, s.own)
		}
	}
	// Every event may be what the bounds of its run are taken from.
	putClock(&s.common, clock)
	f.Attributes = slices.Clone(s.common)
	if parent := e.ParentRunID(); parent != "" {
		above := Fact{RunID: parent, Time: f.Time, Service: f.Service}
		putClock(&above.Attributes, clock)
		return []Fact{f, above}
	}
	return []Fact{f}
}

func putClock(of *attributes, clock string) {
	if clock != "" {
		of.put(semconv.ClockKey, textValue(clock))
	}
}

// causeKeys are the attributes of a run that belong to one end of it and are replaced with it.
var causeKeys = map[string]bool{
	semconv.RunStatusKey: true, semconv.RunReasonKey: true, semconv.RunFailedStageKey: true,
	semconv.RunDurationKey: true, semconv.ExceptionMessageKey: true, semconv.ExceptionTypeKey: true,
	semconv.ErrorCodeKey: true, semconv.ErrorRetryableKey: true, semconv.HTTPStatusCodeKey: true,
	semconv.RPCGRPCStatusCodeKey: true,
}

// runEnd takes the attributes of the end out of own and leaves those of the run.
func runEnd(e event.Event, at pcommon.Timestamp, own *attributes) *RunEnd {
	end := &RunEnd{Kind: e.EndKind(), Status: e.RunStatus(), Time: at, Cause: own.takeOut(causeKeys)}
	if end.Kind == semconv.EndNone {
		return nil
	}
	end.Start = e.StartedAt()
	end.Duration, _ = e.Duration("duration_ms")
	return end
}

func stageFact(e event.Event, at pcommon.Timestamp, own *attributes) StageFact {
	own.remove(semconv.StageAttemptKey)
	s := StageFact{Name: e.StageName(), Status: e.StageStatus(), Wide: e.Name == semconv.EventWideStage, Attributes: slices.Clone(*own)}
	s.Restored = s.Status
	if s.Status == semconv.StatusCompleted {
		s.Restored = event.Restore(s.Status, dataKeys(e, s.Attributes))
	}
	s.Attempt, _ = e.Int("attempt")
	switch {
	case s.Wide:
		s.Start, s.End = e.StartedAt(), e.EndedAt()
		if d, _ := e.Duration("duration_ms"); s.End == 0 && s.Start != 0 && d > 0 {
			s.End = s.Start + pcommon.Timestamp(d)
		}
		if s.End == 0 {
			s.End = at
		}
	case s.Status == semconv.StatusRunning:
		s.Start = at
	default:
		s.End = at
	}
	if s.Start == 0 {
		if d, _ := e.Duration("duration_ms"); d > 0 {
			s.Start = event.Before(s.End, d)
		}
	}
	return s
}

// dataKeys are the names of the stage's results, from its attributes where those have them ready.
func dataKeys(e event.Event, of attributes) []string {
	if v, ok := of.get(semconv.StageDataKeysKey); ok {
		if keys, ok := v.texts(); ok {
			return keys
		}
	}
	return e.DataKeys()
}

// stageDetails are the stages that a run's wide event lists (catalogue 1.4): the last result of each. at stands in
// for the end of one that tells none.
func stageDetails(e event.Event, at pcommon.Timestamp) []StageFact {
	list, ok := e.Field("stage_details")
	if !ok || list.Type() != pcommon.ValueTypeSlice {
		return nil
	}
	s := newScratch()
	defer s.free()
	details := make([]StageFact, 0, list.Slice().Len())
	for _, item := range list.Slice().All() {
		if item.Type() != pcommon.ValueTypeMap {
			continue
		}
		d := event.Detail(item.Map(), e.Record)
		s.readDetail(d)
		details = append(details, stageFact(d, at, &s.own))
	}
	return details
}

func callFact(e event.Event, at pcommon.Timestamp, own *attributes) CallFact {
	own.remove(semconv.StageAttemptKey)
	c := CallFact{ID: e.CallID(), Status: e.CallStatus(), Stage: e.StageName(), Attributes: slices.Clone(*own)}
	c.Attempt, _ = e.Int("stage_attempt")
	if e.Name == semconv.EventCallStarted {
		c.Start = at
		return c
	}
	c.End = at
	if d, _ := e.Duration("latency_ms"); d > 0 {
		c.Start = event.Before(at, d)
	}
	return c
}

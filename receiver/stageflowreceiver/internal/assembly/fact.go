// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"cmp"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Fact is what one event says of one run. It is good as long as the [Facts] that it is in; what a run keeps of it is copied
// when the run takes it.
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
	Attributes event.Attributes

	// At most one of these is set, but for Details, which come with an End. Start says that the run began.
	Start   bool
	End     *RunEnd
	Stage   *StageFact
	Call    *CallFact
	Tool    *ToolFact
	Shown   *ShownFact
	Details []StageFact
}

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
	Cause event.Attributes
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
	Attributes event.Attributes
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
	Attributes event.Attributes
}

// Facts are those of a batch of events. Its memory is used again for the next batch. The zero value is ready.
type Facts struct {
	List []Fact

	attributes event.Arena[event.Attribute]
	stages     event.Arena[StageFact]
	ends       event.Arena[RunEnd]
	calls      event.Arena[CallFact]
	told       event.Arena[event.Told]
}

// maxFacts bounds what a large batch leaves behind.
const maxFacts = 2048

// Reset forgets all facts.
func (fs *Facts) Reset() {
	clear(fs.List)
	if fs.List = fs.List[:0]; cap(fs.List) > maxFacts {
		fs.List = nil
	}
	fs.attributes.Reset()
	fs.stages.Reset()
	fs.ends.Reset()
	fs.calls.Reset()
	fs.told.Reset()
}

// said is what an event tells, to be divided among the facts.
type said struct {
	*event.Event
	// at is the event's own time, or its arrival.
	at pcommon.Timestamp
	// common and own are the attributes that every event may have and those of the event's kind, see [event.Told].
	common, own event.Attributes
}

// divide takes what an event tells apart. A detail's attributes are all its own.
func (fs *Facts) divide(e *event.Event, at pcommon.Timestamp, told []event.Told, detail bool) said {
	// One more each, for what is found out about the event, and room for the run's own beside the common ones.
	s := said{Event: e, at: at, common: fs.attributes.Make(len(told) + 2), own: fs.attributes.Make(len(told) + 2)}
	for i := range told {
		switch of := &told[i]; {
		case of.Key == semconv.RunIDKey && !detail:
		case of.Common && !detail:
			s.common = append(s.common, of.Attribute)
		default:
			s.own.Put(of.Key, of.Value)
		}
	}
	return s
}

// Read appends what an event says: told are its attributes with the extra ones, runID is the run that it was joined to,
// arrival stands in for the time of an event that has none, service is the resource's service name. Most events say
// something of one run; those about a child say that its parent is there, too. It returns the number of facts.
func (fs *Facts) Read(e *event.Event, told []event.Told, key event.Key, runID, service string, arrival pcommon.Timestamp) int {
	f := Fact{RunID: runID, Key: key, Time: cmp.Or(e.Time, arrival), Service: cmp.Or(e.Text("service"), service)}
	f.Trace, f.Parent = e.TraceContext()
	clock := e.Clock(arrival)
	s := fs.divide(e, f.Time, told, false)
	switch e.Name {
	case semconv.EventRunStarted:
		f.Start = true
		s.own.Remove(semconv.RunStatusKey)
		s.common.PutAll(s.own)
	case semconv.EventRunEnded, semconv.EventWideRun, semconv.EventRunCancelRequested:
		f.End = fs.runEnd(&s)
		f.Details = fs.stageDetails(&s)
		s.common.PutAll(s.own)
	case semconv.EventChildStarted:
		s.common.PutAll(s.own)
	case semconv.EventChildEnded:
		f.End = fs.runEnd(&s)
		s.common.PutAll(s.own)
	case semconv.EventStageStarted, semconv.EventStageEnded, semconv.EventWideStage:
		f.Stage = &fs.stages.Make(1)[:1][0]
		*f.Stage = stageFact(&s)
		f.Stage.Clock = clock
	case semconv.EventCallStarted, semconv.EventCallEnded:
		f.Call = &fs.calls.Make(1)[:1][0]
		*f.Call = callFact(&s)
		putClock(&f.Call.Attributes, clock)
	default:
		switch {
		case e.OfTool():
			f.Tool = fs.toolFact(&s)
			putClock(&f.Tool.Attributes, clock)
		case e.Name.ShownOn() != semconv.Nowhere:
			f.Shown = shownFact(&s)
		}
	}
	// Every event may be what the bounds of its run are taken from.
	putClock(&s.common, clock)
	f.Attributes = s.common
	fs.List = append(fs.List, f)
	parent := e.ParentRunID()
	if parent == "" {
		return 1
	}
	above := Fact{RunID: parent, Key: key, Time: f.Time, Service: f.Service}
	putClock(&above.Attributes, clock)
	fs.List = append(fs.List, above)
	return 2
}

func putClock(of *event.Attributes, clock string) {
	if clock != "" {
		of.Put(semconv.ClockKey, event.TextValue(clock))
	}
}

// causeKeys are the attributes of a run that belong to one end of it and are replaced with it.
var causeKeys = map[string]bool{
	semconv.RunStatusKey: true, semconv.RunReasonKey: true, semconv.RunFailedStageKey: true,
	semconv.RunDurationKey: true, semconv.ExceptionMessageKey: true, semconv.ExceptionTypeKey: true,
	semconv.ErrorCodeKey: true, semconv.ErrorRetryableKey: true, semconv.HTTPStatusCodeKey: true,
	semconv.RPCGRPCStatusCodeKey: true,
}

// runEnd takes the attributes of the end out of the event's own and leaves those of the run.
func (fs *Facts) runEnd(s *said) *RunEnd {
	end := &fs.ends.Make(1)[:1][0]
	*end = RunEnd{Kind: s.EndKind(), Status: s.RunStatus(), Time: s.at, Cause: s.own.TakeOut(causeKeys, fs.attributes.Make(len(s.own)))}
	if end.Kind == semconv.EndNone {
		return nil
	}
	end.Start = s.StartedAt()
	end.Duration, _ = s.Duration("duration_ms")
	return end
}

func stageFact(s *said) StageFact {
	s.own.Remove(semconv.StageAttemptKey)
	f := StageFact{Name: s.StageName(), Status: s.StageStatus(), Wide: s.Name == semconv.EventWideStage, Attributes: s.own}
	f.Restored = f.Status
	if f.Status == semconv.StatusCompleted {
		f.Restored = event.Restore(f.Status, s.DataKeys())
	}
	f.Attempt, _ = s.Int("attempt")
	switch {
	case f.Wide:
		f.Start, f.End = s.StartedAt(), s.EndedAt()
		if d, _ := s.Duration("duration_ms"); f.End == 0 && f.Start != 0 && d > 0 {
			f.End = f.Start + pcommon.Timestamp(d)
		}
		if f.End == 0 {
			f.End = s.at
		}
	case f.Status == semconv.StatusRunning:
		f.Start = s.at
	default:
		f.End = s.at
	}
	if f.Start == 0 {
		if d, _ := s.Duration("duration_ms"); d > 0 {
			f.Start = event.Before(f.End, d)
		}
	}
	return f
}

// stageDetails are the stages that a run's wide event lists (catalogue 1.4): the last result of each. The event's time
// stands in for the end of one that tells none.
func (fs *Facts) stageDetails(s *said) []StageFact {
	field, _ := s.Field("stage_details")
	list := field.List()
	if len(list) == 0 {
		return nil
	}
	details := fs.stages.Make(len(list))
	var detail event.Event // one at a time
	for _, item := range list {
		fields := item.Map()
		if fields == nil {
			continue
		}
		detail = s.Detail(fields)
		of := fs.divide(&detail, s.at, detail.AppendTold(fs.told.Make(fields.Len()), true), true)
		details = append(details, stageFact(&of))
	}
	return details
}

func callFact(s *said) CallFact {
	s.own.Remove(semconv.StageAttemptKey)
	c := CallFact{ID: s.CallID(), Status: s.CallStatus(), Stage: s.StageName(), Attributes: s.own}
	c.Attempt, _ = s.Int("stage_attempt")
	if s.Name == semconv.EventCallStarted {
		c.Start = s.at
		return c
	}
	c.End = s.at
	if d, _ := s.Duration("latency_ms"); d > 0 {
		c.Start = event.Before(s.at, d)
	}
	return c
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package semconv

import "slices"

// Event says what a kind of event is: what it is called, what is in it, and where that goes. [Events] has one for each.
type Event struct {
	// Name is the EventName of its log records.
	Name EventName
	// About is what it tells of.
	About Subject
	// Place is where it goes on a trace, beside its log record, which every event has.
	Place Place
	// Metrics are those that it adds to. What is counted of runs and calls in flight is not made of single events.
	Metrics []string
	// Types are the framework's own types that always mean it.
	Types []string
	// Shapes are types with a name in them, and those that could be one: [EventNameOf] tells them apart by the data too.
	Shapes []string
	// Fields is the table of its fields that have an attribute or are read for something, beside [CommonFields]; nil
	// where its data is left in the log record. All of them are optional, unless Required has them.
	Fields Fields
	// Required are the fields that every version of the framework, its Rust port and our SDK send with each of its
	// types, under this name or under another that leads to the same attribute (see [Event.Spellings]). Their value may
	// be null. So may the run's id, which some senders leave out of the data of a run that has none. A field that has
	// no attribute goes where one of Optional goes.
	Required []string
	// Optional are the fields that the framework also sends and no table has: on a span, or an event of one, each becomes
	// an attribute of its own name behind [DataPrefix], as does every field that nobody has heard of.
	Optional []string
	// Open tells that applications make its types, with fields of their own.
	Open bool
}

// Subject is what an event tells of.
type Subject uint8

// The subjects.
const (
	// AboutOther is whatever is none of the others.
	AboutOther Subject = iota
	AboutRun
	// AboutChild is a run, too; the run that started it tells.
	AboutChild
	AboutStage
	AboutCall
	AboutTool
	// AboutApproval is a person's leave for a tool call.
	AboutApproval
	// AboutNote is what went on in a run where its spans do not say: the turns of an agent, guards and retries.
	AboutNote
	AboutStream
)

// String is the subject as the reference of events shows it.
func (s Subject) String() string {
	return [...]string{"other", "run", "child run", "stage", "provider call", "tool call", "approval", "note", "stream"}[s]
}

// Place is where an event goes on a trace: to the span of what it is about, or, as an event, on a span.
type Place uint8

// The places.
const (
	// Nowhere: the event is a log record only.
	Nowhere Place = iota
	// OnRun is an event on the run's span.
	OnRun
	// OnStage is an event on the span of the stage attempt that the event names, else of the only one that was running;
	// on the run's where neither tells which.
	OnStage
	// OnTool is an event on the tool call's span.
	OnTool
	// AsRun is the run's span itself.
	AsRun
	// AsChild is the span of the child run that the event tells of.
	AsChild
	// AsStage is the span of the stage attempt.
	AsStage
	// AsCall is the span of the provider call.
	AsCall
	// AsTool is the span of the tool call.
	AsTool
)

// String is the place as the reference of events shows it.
func (p Place) String() string {
	return [...]string{
		"a log record only", "event on the run's span",
		"event on the span of its stage, the one it names or the only one that was running, else on the run's",
		"event on the tool call's span", "the run's span", "the child run's span", "the stage's span", "the call's span",
		"the tool call's span",
	}[p]
}

// Spellings are the names that a field goes by in events of the kind: those that lead to the same attribute. A field
// without an attribute has its own name only.
func (e *Event) Spellings(field string) []string {
	all := merge(CommonFields, e.Fields)
	key := all[field].Key
	if key == "" {
		return []string{field}
	}
	var names []string
	for name, f := range all {
		if f.Key == key {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// EventTypes names every fixed event type of [Events]. Types that hold a stage's name are not here; [EventNameOf] reads
// those by their shape.
var EventTypes = eventTypes()

func eventTypes() map[string]EventName {
	types := map[string]EventName{}
	for i := range Events {
		for _, eventType := range Events[i].Types {
			types[eventType] = Events[i].Name
		}
	}
	return types
}

// eventsByName has [Events], to be looked up for each event that comes.
var eventsByName = byName()

func byName() map[EventName]*Event {
	events := make(map[EventName]*Event, len(Events))
	for i := range Events {
		events[Events[i].Name] = &Events[i]
	}
	return events
}

// of is the event of a name; a name that nobody has heard of is a log record and no more.
func of(n EventName) *Event {
	if e := eventsByName[n]; e != nil {
		return e
	}
	return &unheardOf
}

var unheardOf Event

// OfRun tells the events that make the span of a run: those of the run itself, and of a child of it.
func (n EventName) OfRun() bool {
	place := of(n).Place
	return place == AsRun || place == AsChild
}

// OfTool tells the events about a tool call, its approval among them.
func (n EventName) OfTool() bool {
	about := of(n).About
	return about == AboutTool || about == AboutApproval
}

// ShownOn is where events of the kind are shown as events of a span that is about something else.
func (n EventName) ShownOn() Place {
	if place := of(n).Place; place == OnRun || place == OnStage {
		return place
	}
	return Nowhere
}

// FieldsOf are the fields particular to an event's kind, beside [CommonFields]; nil for kinds that are only logged.
func FieldsOf(name EventName) Fields { return of(name).Fields }

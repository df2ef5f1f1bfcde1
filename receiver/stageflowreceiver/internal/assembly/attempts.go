// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"cmp"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Attempt is one execution of a stage.
type Attempt struct {
	Stage  string
	Number int64
	// Start and End are 0 where nothing told them.
	Start, End pcommon.Timestamp
	Status     semconv.Status
	facts      []*StageFact
	notes      []Note
	// sent is the attempt as it left on an earlier span, if it did.
	sent *sentAttempt
	// matched is set once lifecycle events have been added that have no number.
	matched bool
	// id is that of the span, zero as long as nobody has asked for it.
	id semconv.SpanID
}

// sentAttempt is what is remembered of an attempt whose span has left. Its number stays.
type sentAttempt struct {
	stage      string
	number     int64
	start, end pcommon.Timestamp
	ended      bool
	// wide is set when a wide event told the start, so another wide event with another start is another attempt.
	wide bool
}

// appendAttempts makes attempts of what there is of one stage. Facts with a number are gathered by it. Of the others,
// wide events tell both ends of an attempt, and those with different starts are different attempts; starts and
// ends are paired in time; then the two accounts are matched one to one. Numbers follow from the order of starts.
func appendAttempts(to []*Attempt, s *stageFacts, room *[]Attempt) []*Attempt {
	facts := inOrder(s.facts)
	if len(s.sent) == 0 && ofOneAttempt(facts) { // as nearly always
		only := &(*room)[0]
		*room = (*room)[1:]
		*only = Attempt{Stage: s.name, Number: max(facts[0].Attempt, 1), facts: facts}
		only.resolve()
		return append(to, only)
	}
	attempts := s.numbered(facts)
	attempts = joinAccounts(s.name, attempts, facts)
	for _, a := range attempts {
		a.resolve()
	}
	number(attempts)
	return append(to, attempts...)
}

// inOrder are the facts of a stage in the order of time, each once. They may be the run's own: nobody is to change them.
func inOrder(facts []*StageFact) []*StageFact {
	for i := range facts[:max(len(facts)-1, 0)] {
		if compareFacts(facts[i], facts[i+1]) > 0 || sameFact(facts[i], facts[i+1]) {
			facts = slices.Clone(facts)
			slices.SortStableFunc(facts, compareFacts)
			return slices.CompactFunc(facts, sameFact)
		}
	}
	return slices.Clip(facts)
}

// ofOneAttempt tells of facts in order whether they are of one attempt for which nothing has to be matched: those with one
// number, wide events with one start, a start and ends. What it is false for may be one attempt, too.
func ofOneAttempt(facts []*StageFact) bool {
	if len(facts) == 0 {
		return false
	}
	first := facts[0]
	for _, f := range facts[1:] {
		switch {
		case f.Attempt != first.Attempt:
			return false
		case f.Attempt > 0:
		case f.Wide != first.Wide, f.Wide && f.Start != first.Start, !f.Wide && f.Status == semconv.StatusRunning:
			return false
		}
	}
	return true
}

// numbered are the attempts that have left and those of the facts with a number.
func (s *stageFacts) numbered(facts []*StageFact) []*Attempt {
	var attempts []*Attempt
	var byNumber map[int64]*Attempt
	put := func(a *Attempt) {
		if byNumber == nil {
			byNumber = map[int64]*Attempt{}
		}
		byNumber[a.Number] = a
		attempts = append(attempts, a)
	}
	for i := range s.sent {
		put(&Attempt{Stage: s.name, Number: s.sent[i].number, Start: s.sent[i].start, sent: &s.sent[i]})
	}
	for _, f := range facts {
		if f.Attempt <= 0 {
			continue
		}
		a := byNumber[f.Attempt]
		if a == nil {
			a = &Attempt{Stage: s.name, Number: f.Attempt}
			put(a)
		}
		a.take(f)
	}
	return attempts
}

func compareFacts(a, b *StageFact) int {
	if d := cmp.Or(
		cmp.Compare(a.at(), b.at()),
		cmp.Compare(b.startFirst(), a.startFirst()),
		cmp.Compare(a.End, b.End),
		cmp.Compare(a.Status, b.Status),
		cmp.Compare(a.Attempt, b.Attempt),
	); d != 0 {
		return d
	}
	return cmp.Or(compareTexts(a, b), cmp.Compare(b.Clock, a.Clock))
}

// compareTexts settles the order of lifecycle events that nothing else tells apart. Wide events need none: those
// with one start are one attempt.
func compareTexts(a, b *StageFact) int {
	if a.Wide || b.Wide || a.at() != b.at() || a.Status != b.Status {
		return 0
	}
	return a.Attributes.Compare(b.Attributes)
}

// sameFact tells whether one lifecycle event came twice: a start that did would open an attempt each time.
func sameFact(a, b *StageFact) bool {
	return !a.Wide && !b.Wide && a.at() == b.at() && a.Start == b.Start && a.Status == b.Status && a.Attempt == b.Attempt &&
		a.Attributes.Equal(b.Attributes)
}

// at is when the fact takes its place in the order of a stage's facts.
func (f *StageFact) at() pcommon.Timestamp {
	if f.Wide || f.Status == semconv.StatusRunning {
		return f.Start
	}
	return f.End
}

func (f *StageFact) startFirst() int {
	if f.Status == semconv.StatusRunning {
		return 1
	}
	return 0
}

// wide tells whether a wide event has told when the attempt started.
func (a *Attempt) wide() bool {
	return a.sent != nil && a.sent.wide || slices.ContainsFunc(a.facts, func(f *StageFact) bool { return f.Wide && f.Start != 0 })
}

func (a *Attempt) take(facts ...*StageFact) { a.facts = append(a.facts, facts...) }

// bounds are the ends of the attempt as its facts tell them. A wide event's are the measured ones; else the
// earliest start and the latest end count.
func (a *Attempt) bounds() (start, end pcommon.Timestamp) {
	start = a.Start
	for _, f := range a.facts {
		if f.Wide && f.Start != 0 {
			return f.Start, f.End
		}
		if f.Start != 0 && (start == 0 || f.Start < start) {
			start = f.Start
		}
		end = max(end, f.End)
	}
	return start, end
}

// badness orders contradictory ends of one attempt: the worse status stays.
var badness = map[semconv.Status]int{
	semconv.StatusCompleted: 1, semconv.StatusRetried: 2, semconv.StatusSkipped: 3,
	semconv.StatusCancelled: 4, semconv.StatusFailed: 5,
}

func (a *Attempt) resolve() {
	a.Start, a.End = a.bounds()
	if len(a.facts) == 0 && a.sent != nil && a.sent.ended {
		a.End = a.sent.end
	}
	if a.End != 0 && a.End < a.Start {
		a.End = a.Start // clocks of two hosts: never a negative duration
	}
	a.Status = semconv.StatusRunning
	lifecycle, worst := false, 0
	for _, f := range a.facts {
		lifecycle = lifecycle || !f.Wide
	}
	for _, f := range a.facts {
		if f.Status == semconv.StatusRunning {
			continue
		}
		s := f.Restored
		if s == semconv.StatusCompleted && !lifecycle && f.Attributes.Has(semconv.ExceptionMessageKey) {
			// Completed with an error text is a stage that asked for a retry. Only on the recommended graph: the
			// deprecated one, which also sends lifecycle events, leaves the text of a short-circuit there.
			s = semconv.StatusRetried
		}
		if bad := badness[s]; bad > worst {
			a.Status, worst = s, bad
		}
	}
}

// attributes are what the facts say of the attempt, in the memory of what nobody needs any more. They are gathered when
// they are written: until then few ask for them.
func (a *Attempt) attributes(in folded) folded {
	all := in[:0]
	var measured folded // the duration that wide events tell
	for _, f := range a.facts {
		all.add(max(f.Start, f.End), f.Attributes, nil)
		if f.Clock != "" {
			all.addOne(max(f.Start, f.End), event.Attribute{Key: semconv.ClockKey, Value: event.TextValue(f.Clock)}, nil)
		}
		if f.Wide && (len(a.facts) > 1 || len(all) >= maxFolded) { // else it is in all as it is
			if d, ok := f.Attributes.Get(semconv.StageDurationKey); ok {
				measured.addOne(f.End, event.Attribute{Key: semconv.StageDurationKey, Value: d}, nil)
			}
		}
	}
	if d, ok := measured.get(semconv.StageDurationKey); ok {
		all.set(d) // of one measurement with the times
	}
	return all
}

// spanID is the id of the attempt's span. Calls ask for it, too, as that of their parent.
func (a *Attempt) spanID(runID string) semconv.SpanID {
	if a.id.IsZero() {
		a.id = semconv.StageSpanID(runID, a.Stage, a.Number)
	}
	return a.id
}

// number gives attempts without a number the free numbers in the order of their starts, and marks failed attempts
// that another one followed.
func number(attempts []*Attempt) {
	var few [8]*Attempt
	var fewNumbers [8]int64
	byStart, taken := append(few[:0], attempts...), fewNumbers[:0]
	for _, a := range attempts {
		taken = append(taken, a.Number)
	}
	slices.Sort(taken)
	slices.SortStableFunc(byStart, func(a, b *Attempt) int {
		return cmp.Or(cmp.Compare(max(a.Start, firstEnd(a)), max(b.Start, firstEnd(b))), cmp.Compare(a.Number, b.Number), cmp.Compare(a.End, b.End))
	})
	next := int64(1)
	for _, a := range byStart {
		if a.Number > 0 {
			continue
		}
		for ; len(taken) > 0 && taken[0] <= next; taken = taken[1:] {
			if taken[0] == next {
				next++
			}
		}
		a.Number = next
		next++
	}
	for _, a := range byStart[:max(len(byStart)-1, 0)] {
		if a.Status == semconv.StatusFailed {
			a.Status = semconv.StatusRetried
		}
	}
	slices.SortFunc(attempts, func(a, b *Attempt) int { return cmp.Compare(a.Number, b.Number) })
}

// firstEnd places an attempt whose start nobody told.
func firstEnd(a *Attempt) pcommon.Timestamp {
	if a.Start == 0 {
		return a.End
	}
	return 0
}

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
	attributes folded
	facts      []*StageFact
	notes      []Note
	// sent is the attempt as it left on an earlier span, if it did.
	sent *sentAttempt
}

// sentAttempt is what is remembered of an attempt whose span has left. Its number stays.
type sentAttempt struct {
	number     int64
	start, end pcommon.Timestamp
	ended      bool
	// wide is set when a wide event told the start, so another wide event with another start is another attempt.
	wide bool
}

// resolveAttempts makes attempts of the facts of one stage. Facts with a number are gathered by it. Of the others,
// wide events tell both ends of an attempt, and those with different starts are different attempts; starts and
// ends are paired in time; then the two accounts are matched one to one. Numbers follow from the order of starts.
func resolveAttempts(stage string, facts []*StageFact, sent []sentAttempt) []*Attempt {
	if len(facts) == 1 && len(sent) == 0 { // as nearly always where wide events come
		only := &Attempt{Stage: stage, Number: max(facts[0].Attempt, 1), facts: facts[:1:1]}
		only.resolve()
		return []*Attempt{only}
	}
	facts = slices.Clone(facts)
	slices.SortStableFunc(facts, compareFacts)
	facts = slices.CompactFunc(facts, sameFact)

	var attempts []*Attempt
	byNumber := map[int64]*Attempt{}
	for i := range sent {
		a := &Attempt{Stage: stage, Number: sent[i].number, Start: sent[i].start, sent: &sent[i]}
		byNumber[a.Number] = a
		attempts = append(attempts, a)
	}
	for _, f := range facts {
		if f.Attempt <= 0 {
			continue
		}
		a := byNumber[f.Attempt]
		if a == nil {
			a = &Attempt{Stage: stage, Number: f.Attempt}
			byNumber[f.Attempt] = a
			attempts = append(attempts, a)
		}
		a.take(f)
	}
	attempts = joinAccounts(stage, attempts, facts)
	for _, a := range attempts {
		a.resolve()
	}
	number(attempts)
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
	lifecycle := false
	for _, f := range a.facts {
		lifecycle = lifecycle || !f.Wide
	}
	a.attributes = folded{}
	var measured folded // the duration that wide events tell
	for _, f := range a.facts {
		a.attributes.add(max(f.Start, f.End), f.Attributes, nil)
		if f.Clock != "" {
			a.attributes.addOne(max(f.Start, f.End), event.Attribute{Key: semconv.ClockKey, Value: event.TextValue(f.Clock)}, nil)
		}
		if f.Wide {
			if d, ok := f.Attributes.Get(semconv.StageDurationKey); ok {
				measured.addOne(f.End, event.Attribute{Key: semconv.StageDurationKey, Value: d}, nil)
			}
		}
		if f.Status == semconv.StatusRunning {
			continue
		}
		s := f.Restored
		if s == semconv.StatusCompleted && !lifecycle && f.Attributes.Has(semconv.ExceptionMessageKey) {
			// Completed with an error text is a stage that asked for a retry. Only on the recommended graph: the
			// deprecated one, which also sends lifecycle events, leaves the text of a short-circuit there.
			s = semconv.StatusRetried
		}
		if badness[s] > badness[a.Status] {
			a.Status = s
		}
	}
	if d, ok := measured.get(semconv.StageDurationKey); ok {
		a.attributes.set(d) // of one measurement with the times
	}
}

// number gives attempts without a number the free numbers in the order of their starts, and marks failed attempts
// that another one followed.
func number(attempts []*Attempt) {
	taken := map[int64]bool{}
	for _, a := range attempts {
		taken[a.Number] = true
	}
	byStart := slices.Clone(attempts)
	slices.SortStableFunc(byStart, func(a, b *Attempt) int {
		return cmp.Or(cmp.Compare(max(a.Start, firstEnd(a)), max(b.Start, firstEnd(b))), cmp.Compare(a.Number, b.Number), cmp.Compare(a.End, b.End))
	})
	next := int64(1)
	for _, a := range byStart {
		if a.Number > 0 {
			continue
		}
		for taken[next] {
			next++
		}
		a.Number, taken[next] = next, true
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

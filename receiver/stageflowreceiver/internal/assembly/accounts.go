// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Of one attempt there may be two accounts: lifecycle events, each of which knows one end, and a wide event, which
// knows both. This file finds which belong together where no event has a number.

// matchTolerance is how far the two accounts of one attempt, lifecycle events and wide event, may lie apart: the
// wide event's start is taken up to 0.1 ms before the start event's, and guard retries follow within 0.6 ms.
const matchTolerance = pcommon.Timestamp(time.Millisecond)

// joinAccounts adds the attempts of the facts without a number to the numbered ones; facts that belong to a numbered
// attempt are added to that one.
func joinAccounts(stage string, numbered []*Attempt, facts []*StageFact) []*Attempt {
	attempts := numbered
	for _, f := range facts {
		if f.Attempt > 0 || !f.Wide {
			continue
		}
		if a := startingExactlyAt(numbered, f.Start); a != nil {
			a.take(f)
			continue
		}
		if a := nearest(numbered, f.Start, func(a *Attempt) bool { return !a.wide() }); a != nil {
			a.take(f)
			continue
		}
		// A detail of the run's wide event repeats the stage's own with the same start.
		if a := startingExactlyAt(attempts[len(numbered):], f.Start); a != nil {
			a.take(f)
			continue
		}
		// There is room for its repetition by the run's wide event, its start and its end.
		attempts = append(attempts, &Attempt{Stage: stage, facts: append(make([]*StageFact, 0, 4), f)})
	}
	accounts := pair(facts)
	for i := range accounts {
		l := &accounts[i]
		if a := l.match(attempts[len(numbered):]); a != nil {
			a.matched = true
			a.take(l.facts...)
			continue
		}
		if a := l.matchNumbered(numbered); a != nil {
			a.take(l.facts...)
			continue
		}
		attempts = append(attempts, &Attempt{Stage: stage, facts: l.facts, matched: true})
	}
	return attempts
}

// account is what lifecycle events say of one attempt.
type account struct {
	facts      []*StageFact
	start, end pcommon.Timestamp
	// started is set when a start event was seen, not a start reckoned from a duration.
	started bool
}

// pair puts the starts and ends without a number together: a start opens an attempt, an end closes the open one, or
// repeats the end of the latest.
func pair(facts []*StageFact) []account {
	var accounts []account
	for _, f := range facts {
		if f.Attempt > 0 || f.Wide {
			continue
		}
		if f.Status == semconv.StatusRunning {
			accounts = append(accounts, account{facts: append(make([]*StageFact, 0, 2), f), start: f.Start, started: true})
			continue
		}
		open := lastOpen(accounts)
		switch {
		case open != nil:
			open.facts, open.end = append(open.facts, f), f.End
		case len(accounts) > 0:
			last := &accounts[len(accounts)-1]
			last.facts = append(last.facts, f)
		default:
			accounts = append(accounts, account{facts: []*StageFact{f}, start: f.Start, end: f.End})
		}
	}
	return accounts
}

// lastOpen is the latest account without an end, nil when all have one.
func lastOpen(accounts []account) *account {
	for i := len(accounts) - 1; i >= 0; i-- {
		if accounts[i].end == 0 {
			return &accounts[i]
		}
	}
	return nil
}

// match finds the wide account of the same attempt, in time order, each at most once.
func (l *account) match(wide []*Attempt) *Attempt {
	var best *Attempt
	for _, a := range wide {
		start, end := a.bounds()
		if a.matched || (l.end != 0 && start > l.end+matchTolerance) {
			continue
		}
		if !l.started {
			best = a // an end alone belongs to the latest attempt that began before it
			continue
		}
		if l.start <= end+matchTolerance {
			return a
		}
	}
	return best
}

// matchNumbered finds the numbered attempt that an account without a number tells of: the one that starts with
// it, or, for an end alone, the latest.
func (l *account) matchNumbered(numbered []*Attempt) *Attempt {
	if l.started {
		return nearest(numbered, l.start, func(*Attempt) bool { return true })
	}
	var latest *Attempt
	for _, a := range numbered {
		if latest == nil || a.Number > latest.Number {
			latest = a
		}
	}
	return latest
}

// nearest is the attempt, of those that may be it, that starts closest to start, within the tolerance.
func nearest(attempts []*Attempt, start pcommon.Timestamp, maybe func(*Attempt) bool) *Attempt {
	var best *Attempt
	least := matchTolerance + 1
	for _, a := range attempts {
		if !maybe(a) {
			continue
		}
		s, _ := a.bounds()
		if d := max(s, start) - min(s, start); d < least {
			best, least = a, d
		}
	}
	return best
}

func startingExactlyAt(attempts []*Attempt, start pcommon.Timestamp) *Attempt {
	for _, a := range attempts {
		if s, _ := a.bounds(); s == start {
			return a
		}
	}
	return nil
}

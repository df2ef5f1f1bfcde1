// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"slices"
	"strings"
)

// stageFacts are what there is of one stage: what events say of it, and its attempts whose spans have left.
type stageFacts struct {
	name  string
	facts []*StageFact
	sent  []sentAttempt
}

// resolveStages makes the attempts of all stages, in the order of their names: of those that facts tell of, and of those
// whose spans have left, for late calls may hang under them.
func (r *run) resolveStages(out *Run) {
	var few [12]stageFacts
	stages := r.stagesByName(few[:0])
	if len(stages) == 0 {
		return
	}
	// Nearly every stage has one attempt. They leave together, so they share their memory.
	room := make([]Attempt, len(stages))
	out.Attempts = make([]*Attempt, 0, len(stages))
	for i := range stages {
		out.Attempts = appendAttempts(out.Attempts, &stages[i], &room)
	}
}

// stagesByName appends the stages in the order of their names.
func (r *run) stagesByName(to []stageFacts) []stageFacts {
	for name, facts := range r.stages {
		to = append(to, stageFacts{name: name, facts: facts})
	}
	slices.SortFunc(to, func(a, b stageFacts) int { return strings.Compare(a.name, b.name) })
	told := to
	for left := r.left; len(left) > 0; {
		n := 1
		for n < len(left) && left[n].stage == left[0].stage {
			n++
		}
		i, ok := slices.BinarySearchFunc(told, left[0].stage, func(s stageFacts, name string) int { return strings.Compare(s.name, name) })
		if ok {
			to[i].sent = left[:n:n]
		} else {
			to = append(to, stageFacts{name: left[0].stage, sent: left[:n:n]})
		}
		left = left[n:]
	}
	if len(to) > len(told) {
		slices.SortFunc(to, func(a, b stageFacts) int { return strings.Compare(a.name, b.name) })
	}
	return to
}

// sortByStage puts the attempts of one stage beside each other. Among themselves they stay in the order that they have.
func sortByStage(sent []sentAttempt) {
	slices.SortStableFunc(sent, func(a, b sentAttempt) int { return strings.Compare(a.stage, b.stage) })
}

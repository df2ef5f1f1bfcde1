// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import "slices"

// fewRuns is how many runs are told apart without a map. A batch of events is mostly of one run, or of some.
const fewRuns = 8

// fresh counts the runs of facts that are not in flight.
func (a *Assembler) fresh(facts []Fact) int {
	var room [fewRuns]string
	few := room[:0]
	var more map[string]struct{}
	last := ""
	for i := range facts {
		id := facts[i].RunID
		if id == last || id == "" {
			continue
		}
		last = id
		switch {
		case a.active[id] != nil, slices.Contains(few, id):
		case len(few) < fewRuns:
			few = append(few, id)
		default:
			if more == nil {
				more = map[string]struct{}{}
			}
			more[id] = struct{}{}
		}
	}
	return len(few) + len(more)
}

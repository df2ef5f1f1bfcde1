// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"strings"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal"
)

// maxOrphans bounds the calls whose ends wait for their start, maxOrphanEnds the ends of one: they may contradict.
const (
	maxOrphans    = 10_000
	maxOrphanEnds = 8
)

// orphans are ends of calls whose start has not been seen, by call id; those of the oldest call go first.
type orphans = simplelru.LRU[string, *orphan]

// orphan is a call whose start has not been seen.
type orphan struct {
	ends  []Fact
	claim *journal.Claim
}

func newOrphans() *orphans {
	o, _ := simplelru.NewLRU(maxOrphans, func(_ string, o *orphan) { o.claim.Release() }) // fails only on a size of zero
	return o
}

func (a *Assembler) addOrphan(f *Fact, pos journal.Position) {
	o, ok := a.orphans.Peek(f.Call.ID)
	if !ok {
		o = &orphan{claim: a.claim(ownerCall, f.Call.ID)}
		if a.orphans.Add(strings.Clone(f.Call.ID), o) {
			a.lost++
		}
	}
	if len(o.ends) == maxOrphanEnds {
		a.lost++
		return
	}
	o.ends = append(o.ends, f.kept(&event.Texts{}))
	o.claim.Add(pos)
}

// kept is a copy of a fact of a call that outlives its [Facts].
func (f *Fact) kept(in *event.Texts) Fact {
	out, call := *f, *f.Call
	out.RunID, out.Service, out.Attributes = in.Keep(f.RunID), in.Keep(f.Service), f.Attributes.Kept(in)
	call.ID, call.Stage, call.Attributes = in.Keep(call.ID), in.Keep(call.Stage), call.Attributes.Kept(in)
	out.Call = &call
	return out
}

// adopt gives a run the ends of a call that it knows now.
func (a *Assembler) adopt(r *run, callID string) {
	o, ok := a.orphans.Peek(callID)
	if !ok {
		return
	}
	for i := range o.ends {
		r.add(&o.ends[i])
	}
	r.claim.Join(o.claim)
	o.claim = nil // it is the run's, and not to be released
	a.orphans.Remove(callID)
}

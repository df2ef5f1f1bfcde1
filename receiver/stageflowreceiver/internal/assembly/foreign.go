// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal"
)

// maxForeign bounds the calls of which a foreign span is known and whose run has not left.
const maxForeign = 10_000

// foreign are the provider calls for which another instrumentation has sent a span that names the call: theirs says
// more, so ours is not sent. It holds their claims on the journal by call id.
type foreign struct {
	calls *simplelru.LRU[string, *journal.Claim]
}

func newForeign() foreign {
	calls, _ := simplelru.NewLRU(maxForeign, func(_ string, c *journal.Claim) { c.Release() }) // fails only on a size of zero
	return foreign{calls}
}

// TakeForeign takes down that spans of these calls have come from elsewhere.
func (a *Assembler) TakeForeign(ctx context.Context, callIDs []string, now time.Time) error {
	marks := plog.NewLogs()
	records := marks.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, id := range callIDs {
		lr := records.AppendEmpty()
		lr.SetEventName(markForeign)
		lr.Attributes().PutStr(markCall, id)
	}
	pos, err := a.set.Journal.Append(ctx, &journal.Entry{Kind: journal.Marks, Arrival: now, Records: marks})
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range callIDs {
		a.addForeign(id, pos)
	}
	a.set.Journal.Done(pos)
	return nil
}

func (a *Assembler) addForeign(callID string, pos journal.Position) {
	if a.foreign.calls.Contains(callID) {
		return
	}
	c := a.set.Journal.Claim(ownerForeign + callID)
	c.Add(pos)
	a.foreign.calls.Add(callID, c)
}

// leaveToOthers takes the calls out of a run that leaves of which a foreign span is known. What the journal says of
// those spans goes with the run.
func (a *Assembler) leaveToOthers(out *Run, of *run) {
	out.Calls = slices.DeleteFunc(out.Calls, func(c *Call) bool {
		claim, ok := a.foreign.calls.Peek(c.ID)
		if !ok {
			return false
		}
		of.claim.Join(claim)
		a.foreign.calls.Add(c.ID, nil) // the run's claim has it now, and it is not to be released
		a.foreign.calls.Remove(c.ID)
		return true
	})
}

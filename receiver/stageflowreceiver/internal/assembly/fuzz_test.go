// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Marks from a journal, whatever is in them, are read: what is remembered of a run is the same when it is written and
// read again.
func FuzzMarks(f *testing.F) {
	marshaler := plog.ProtoMarshaler{}
	for _, name := range []string{markSettled, markFlushed, markForeign} {
		marks := plog.NewLogs()
		lr := marks.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		wholeSettled().mark([]journal.Owned{{Owner: ownerRun + "r", Positions: []journal.Position{1, 2, 7}}}, lr)
		lr.SetEventName(name)
		lr.Attributes().PutStr(markCall, "c")
		raw, err := marshaler.MarshalLogs(marks)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		unmarshaler := plog.ProtoUnmarshaler{}
		marks, err := unmarshaler.UnmarshalLogs(raw)
		if err != nil {
			return
		}
		now := time.Unix(1000, 0)
		a := New(Settings{Settle: time.Second, FlushAfter: time.Minute, IdleTimeout: time.Minute, AbandonAfter: time.Minute, MaxActive: 10})
		restore := a.NewRestore(now)
		restore.Marks(marks, 1)
		for _, m := range restore.settled {
			once, twice := plog.NewLogRecord(), plog.NewLogRecord()
			readSettled(m.attrs).mark(nil, once)
			readSettled(once.Attributes()).mark(nil, twice)
			require.True(t, once.Attributes().Equal(twice.Attributes()), "%v\n%v", once.Attributes().AsRaw(), twice.Attributes().AsRaw())
		}
		restore.EndMarks()
		restore.EndEvents(func(string) string { return "r" })
		require.LessOrEqual(t, len(a.settled.byID), 10, "no more is remembered than may be in flight")
	})
}

// wholeSettled has everything that can be remembered of a run.
func wholeSettled() *settled {
	s := &settled{
		id: "r", service: "s", trace: semconv.TraceID{1}, parent: semconv.SpanID{2}, parentID: "p", start: 3,
		end: semconv.EndExplicit, status: semconv.StatusFailed, keys: []event.Key{1, 2},
		attempts: []sentAttempt{{stage: "a", number: 1, start: 2, end: 3, ended: true, wide: true}},
		unfinished: unfinished{
			attributes: folded{{event.Attribute{Key: "k", Value: event.TextValue("v")}, 4}}, cause: event.Attributes{{Key: "why", Value: event.TextValue("because")}},
			calls: map[string]*call{"c": {id: "c", caller: caller{"a", 1}, start: 5, attributes: folded{{event.Attribute{Key: "k", Value: event.IntValue(1)}, 4}}}},
			notes: []Note{{Time: 6, Name: "n"}},
		},
	}
	return s
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal/journaltest"
)

func storedEntries(f *testing.F) [][]byte {
	records := plog.NewLogs()
	lr := records.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	lr.SetEventName("stageflow.event")
	lr.Attributes().PutStr("stageflow.run.id", "r")
	var out [][]byte
	for _, kind := range []Kind{Events, Marks} {
		stored, err := (&Entry{Kind: kind, Arrival: time.Unix(0, 1), Records: records}).marshal()
		require.NoError(f, err)
		setSure(stored, 7)
		out = append(out, stored)
	}
	return append(out, tombstone(3), nil, []byte{version}, make([]byte, headerSize))
}

// An entry that can be read is the same when it is written and read again.
func FuzzEntry(f *testing.F) {
	for _, stored := range storedEntries(f) {
		f.Add(stored)
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		e, err := unmarshal(stored)
		if err != nil {
			return
		}
		h, err := readHeader(stored)
		require.NoError(t, err)
		again, err := e.marshal()
		require.NoError(t, err)
		setSure(again, h.sure)
		same, err := unmarshal(again)
		require.NoError(t, err)
		require.Equal(t, e.Kind, same.Kind)
		require.Equal(t, e.Arrival.UnixNano(), same.Arrival.UnixNano())
		third, err := same.marshal()
		require.NoError(t, err)
		setSure(third, h.sure)
		require.Equal(t, again, third)
	})
}

// Whatever the storage holds, the journal opens and can be written, or says that it is of another version; entries
// that cannot be read lose no others.
func FuzzReplay(f *testing.F) {
	good := storedEntries(f)[0]
	for _, stored := range storedEntries(f) {
		f.Add(stored, []byte{0, 0, 0, 0, 0, 0, 0, 1})
	}
	f.Add(good, []byte{255, 255, 255, 255, 255, 255, 255, 255})
	f.Add(good, []byte("short"))
	f.Fuzz(func(t *testing.T, stored, first []byte) {
		ctx := context.Background()
		m := journaltest.New()
		if len(first) > 0 {
			m.Set(firstKey, first)
		}
		m.Set(Position(1).key(), good)
		m.Set(Position(2).key(), stored)
		m.Set(Position(3).key(), good)
		client, err := m.GetClient(ctx, component.KindReceiver, component.MustNewID("x"), "")
		require.NoError(t, err)
		j, err := Open(ctx, client, func(plog.LogRecord) []string { return nil })
		if err != nil {
			require.ErrorIs(t, err, errVersion)
			return
		}
		read, lost := 0, 0
		require.NoError(t, j.Replay(ctx, Events, func(r Replayed) {
			if _, err := r.Entry(); err != nil {
				lost++
			} else {
				read++
			}
		}))
		require.LessOrEqual(t, lost, 1)
		require.LessOrEqual(t, read, 3)
		j.EndReplay()
		pos, err := j.Append(ctx, &Entry{Kind: Events, Arrival: time.Unix(0, 1), Records: plog.NewLogs()})
		require.NoError(t, err)
		j.Done(pos)
		require.NoError(t, j.Renew(ctx))
		require.NoError(t, j.Trim(ctx))
	})
}

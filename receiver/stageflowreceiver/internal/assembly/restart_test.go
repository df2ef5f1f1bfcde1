// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal/journaltest"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// journaled is a stream whose assembler may be killed and brought back.
type journaled struct {
	*stream
	storage *journaltest.Memory
	journal *journal.Journal
	spans   []string
}

func newJournaled(t require.TestingT, settings Settings) *journaled {
	j := &journaled{stream: &stream{now: base.Add(time.Hour), calls: map[string]string{}}, storage: journaltest.New()}
	j.begin(t, settings)
	return j
}

func (j *journaled) begin(t require.TestingT, settings Settings) {
	client, err := j.storage.GetClient(context.Background(), component.KindReceiver, component.ID{}, "")
	require.NoError(t, err)
	j.journal, err = journal.Open(context.Background(), client, Owners)
	require.NoError(t, err)
	settings.Journal = j.journal
	j.Assembler = New(settings)
}

// kill forgets all but the storage, and reads that back.
func (j *journaled) kill(t require.TestingT) {
	j.storage = j.storage.Copy()
	j.begin(t, j.set)
	restore := j.NewRestore(j.now)
	require.NoError(t, j.journal.Replay(context.Background(), journal.Marks, func(r journal.Replayed) {
		entry, err := r.Entry()
		require.NoError(t, err)
		restore.Marks(entry.Records, r.Position)
	}))
	restore.EndMarks()
	require.NoError(t, j.journal.Replay(context.Background(), journal.Events, func(r journal.Replayed) {
		entry, err := r.Entry()
		require.NoError(t, err)
		for _, lr := range entry.Records.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
			if e, _, ok := event.Open(lr); ok && (e.JoinedRunID() != "" || e.Name == semconv.EventCallEnded) {
				j.read.Reset()
				restore.Facts(read(&j.read, &e, e.JoinedRunID(), entry.Arrival), lr, r.Position)
			}
		}
	}))
	restore.EndEvents(func(callID string) string { return j.calls[callID] })
	j.journal.EndReplay()
}

func (j *journaled) add(t require.TestingT, lines []string) {
	ld := plog.NewLogs()
	decode(lines).MoveAndAppendTo(ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords())
	j.read.Reset()
	for _, lr := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		of := j.facts(&j.read, lr, j.now)
		if len(of) > 0 && of[0].RunID != "" {
			lr.Attributes().PutStr(semconv.RunIDKey, of[0].RunID)
		}
	}
	at, err := j.journal.Append(context.Background(), &journal.Entry{Kind: journal.Events, Arrival: j.now, Records: ld})
	require.NoError(t, err)
	j.Add(j.read.List, 0, j.now, at)
	j.journal.Done(at)
}

func (j *journaled) pass(t require.TestingT, d time.Duration) {
	j.now = j.now.Add(d)
	due := j.Due(j.now, false)
	for _, rs := range Spans(due).ResourceSpans().All() {
		resource, err := json.Marshal(rs.Resource().Attributes().AsRaw())
		require.NoError(t, err)
		for _, span := range rs.ScopeSpans().At(0).Spans().All() {
			j.spans = append(j.spans, string(resource)+" "+canonicalSpan(t, span))
		}
	}
	require.NoError(t, j.HandedOn(context.Background(), due, j.now))
	require.NoError(t, j.journal.Trim(context.Background()))
}

// Hostile runs, too, are the same over a restart: contradictory ends, orphaned ends of calls, children, notes, and what
// comes after a run has settled or while it is flushed.
func TestRestartsGiveTheSameSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		settings := testSettings
		settings.FlushAfter = rapid.SampledFrom([]time.Duration{time.Second, time.Hour}).Draw(t, "flush after")
		var lines []string
		for i := range rapid.IntRange(1, 3).Draw(t, "runs") {
			lines = append(lines, drawRun(t, fmt.Sprintf("run-%d", i))...)
		}
		lines = rapid.Permutation(lines).Draw(t, "order")
		steady, killed := newJournaled(t, settings), newJournaled(t, settings)
		for len(lines) > 0 {
			n := rapid.IntRange(1, min(5, len(lines))).Draw(t, "batch")
			steady.add(t, lines[:n])
			killed.add(t, lines[:n])
			lines = lines[n:]
			if rapid.Bool().Draw(t, "pass") {
				steady.pass(t, time.Second)
				killed.pass(t, time.Second)
			}
			if rapid.Bool().Draw(t, "kill") {
				killed.kill(t)
			}
		}
		for range 3 {
			steady.pass(t, 16*time.Minute)
			killed.pass(t, 16*time.Minute)
		}
		slices.Sort(steady.spans)
		slices.Sort(killed.spans)
		require.Equal(t, strings.Join(steady.spans, "\n"), strings.Join(killed.spans, "\n"))
	})
}

// A run that fell silent, and of which nothing is known but a note, has it still when its end comes after a restart.
func TestRestartKeepsNotesOfAWeakEnd(t *testing.T) {
	retry := ev("guard_retry.attempt", 3, `"guard":"g","attempt":1`)
	for _, lines := range [][]string{
		{retry},
		{retry, stage("a", "started", 1, ""), stage("a", "failed", 4, `"error":"reset"`)},
	} {
		steady, killed := newJournaled(t, testSettings), newJournaled(t, testSettings)
		for _, j := range []*journaled{steady, killed} {
			j.add(t, lines)
			j.pass(t, 16*time.Minute)
			require.NotEmpty(t, j.spans)
		}
		killed.kill(t)
		for _, j := range []*journaled{steady, killed} {
			j.spans = nil
			j.add(t, []string{ev("pipeline.failed", 20, "")})
			j.pass(t, time.Minute)
			require.Contains(t, strings.Join(j.spans, "\n"), "guard_retry.attempt")
		}
		require.Equal(t, steady.spans, killed.spans)
	}
}

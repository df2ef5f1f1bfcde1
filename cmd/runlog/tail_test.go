// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader/readertest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/sqlitestore"
)

// followed is a tail whose ticks the test gives. The follower takes a tick only when it has written all news of
// the tick before, so an extra tick tells that the news are there.
type followed struct {
	t     *testing.T
	store *sqlitestore.Store
	out   bytes.Buffer
	ticks chan time.Time
	stop  func() int
	seen  int
}

func startTail(t *testing.T, facts []*runlog.Row, args ...string) *followed {
	s, path := newStore(t, facts...)
	f := &followed{t: t, store: s, ticks: make(chan time.Time)}
	var errs bytes.Buffer
	c := program(path, &f.out, &errs)
	c.width = 120
	c.ticker = func(d time.Duration) (<-chan time.Time, func()) {
		assert.Equal(t, 3*time.Second, d)
		return f.ticks, func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	code := make(chan int, 1)
	go func() { code <- c.run(ctx, append([]string{"tail", "--interval", "3s"}, args...)) }()
	f.stop = func() int {
		cancel()
		n := <-code
		require.Empty(t, errs.String())
		return n
	}
	return f
}

// news are the lines since the last call.
func (f *followed) news() []string {
	f.ticks <- time.Time{} // what was written before is looked at
	f.ticks <- time.Time{} // and has been shown
	text := f.out.String()[f.seen:]
	f.seen += len(text)
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// write tells of a run. The second tick of the news before may still be looking, so what is to be seen in one look is to
// be written at once.
func (f *followed) write(id, status string, at time.Time) {
	readertest.Write(f.t, f.store, f.fact(id, status, at))
}

func (f *followed) fact(id, status string, at time.Time) *runlog.Row {
	cells := readertest.Cells{"run_id": id, "pipeline_name": "chat", "started_at": at}
	if status != "running" {
		cells["status"], cells["end_kind"], cells["ended_at"] = status, "explicit", at
	}
	return readertest.Fact(f.t, runlog.Runs, at, cells)
}

func TestTail(t *testing.T) {
	f := startTail(t, readertest.Sample(t), "--last", "2")
	lines := f.news()
	require.Len(t, lines, 3)
	assert.Equal(t, "TIME      STATUS     DURATION  PIPELINE          RUN                                   ERROR", lines[0])
	assert.Contains(t, lines[1], "11:57:01  completed     80 ms  lookup            "+readertest.ChildRun)
	assert.Contains(t, lines[2], "11:59:55  running              chat              "+readertest.RunningRun)
	assert.Empty(t, f.news(), "nothing new, nothing said")

	now := readertest.Now
	f.write("new", "running", now)
	lines = f.news()
	require.Len(t, lines, 1)
	assert.Contains(t, lines[0], "running")

	// Told again, and at a later time, but in the same state.
	f.write("new", "running", now.Add(time.Second))
	assert.Empty(t, f.news())

	readertest.Write(t, f.store,
		f.fact("new", "failed", now.Add(2*time.Second)),
		f.fact("late, within the lookback", "completed", now.Add(-30*time.Second)))
	lines = f.news()
	require.Len(t, lines, 2)
	assert.Contains(t, lines[0], "late")
	assert.Contains(t, lines[1], "failed")

	// A run known to go on is followed however long it was silent.
	f.write("much newer", "completed", now.Add(24*time.Hour))
	require.Len(t, f.news(), 1)
	f.write(readertest.RunningRun, "completed", now.Add(time.Minute))
	lines = f.news()
	require.Len(t, lines, 1)
	assert.Contains(t, lines[0], readertest.RunningRun)
	assert.Empty(t, f.news())
	assert.Equal(t, exitOK, f.stop())
}

func TestTailChooses(t *testing.T) {
	f := startTail(t, nil, "--status", "failed", "--json")
	assert.Empty(t, f.news())
	f.write("a", "running", readertest.Now)
	f.write("b", "failed", readertest.Now)
	lines := f.news()
	require.Len(t, lines, 1)
	assert.True(t, strings.HasPrefix(lines[0], `{"run_id":"b",`))
	f.write("a", "failed", readertest.Now)
	require.Len(t, f.news(), 1)
	assert.Equal(t, exitOK, f.stop())
}

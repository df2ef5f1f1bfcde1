// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogtest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

func pruneByAge(t *testing.T, create func(TB) Place) {
	place, want := create(t), create(t)
	s, kept := place.Open(t), want.Open(t)
	const runs, old = 1200, 1100
	tell := func(s runlog.Store, from int) {
		b := runlog.NewBatch()
		for i := from; i < runs; i++ {
			id, n := fmt.Sprintf("run-%04d", i), int64(i)
			b.Add(Run(id, n))
			b.Add(runlog.NewFact(runlog.Stages, At(n), true, runlog.KeyValue(id), runlog.KeyValue("llm"), runlog.IntValue(1)))
			for _, owner := range []string{id, ""} {
				for _, table := range []*runlog.Table{runlog.ProviderCalls, runlog.ToolCalls, runlog.Events} {
					r := runlog.NewFact(table, At(n), true, runlog.KeyValue(owner), runlog.KeyValue("of "+id))
					for i, c := range table.Columns {
						if c.Name == "started_at" || c.Name == "time" {
							r.Set(i, runlog.TimeValue(At(n)))
						}
					}
					b.Add(r)
				}
			}
			r := runlog.NewFact(runlog.BreakerTransitions, At(n), true, runlog.KeyValue("key"), runlog.KeyValue("source"), runlog.IntValue(n))
			r.Set(runlog.BreakerTransitions.Column("at"), runlog.TimeValue(At(n)))
			b.Add(r)
		}
		write(t, s, b)
	}
	tell(s, 0)
	tell(kept, old)

	now := time.Unix(0, At(runs))
	off, err := s.Prune(context.Background(), runlog.Retention{}, now)
	require.NoError(t, err)
	assert.Equal(t, runlog.Pruned{Rows: map[string]int64{}}, off)
	first, err := s.Prune(context.Background(), runlog.Retention{MaxAge: (runs - old) * time.Second}, now)
	require.NoError(t, err)
	assert.True(t, first.More)
	assert.EqualValues(t, runlog.PruneRuns, first.Rows["runs"], "a small step")
	rows := PruneAll(t, s, runlog.Retention{MaxAge: (runs - old) * time.Second}, now)
	for table, n := range first.Rows {
		rows[table] += n
	}
	assert.Equal(t, map[string]int64{
		"runs": old, "stages": old, "provider_calls": 2 * old, "tool_calls": 2 * old, "events": 2 * old, "breaker_transitions": old,
	}, rows)
	require.NoError(t, s.Close())
	require.NoError(t, kept.Close())
	same(t, want, place)
}

func pruneKeepsTheLiving(t *testing.T, create func(TB) Place) {
	place := create(t)
	s := place.Open(t)
	write(t, s, Batch(Run("run-1", 0), Run("run-2", 0)))
	write(t, s, Batch(Run("run-1", 100)))
	rows := PruneAll(t, s, runlog.Retention{MaxAge: 10 * time.Second}, time.Unix(0, At(100)))
	assert.Equal(t, map[string]int64{"runs": 1}, rows)
	require.NoError(t, s.Close())
	assert.Contains(t, place.Dump(t), "run-1")
	assert.NotContains(t, place.Dump(t), "run-2")
}

func toldAfterPrune(t *testing.T, create func(TB) Place) {
	place, want := create(t), create(t)
	s := place.Open(t)
	first := Run("run-1", 0)
	first.Set(runlog.Runs.Column("service"), runlog.TextValue("told before"))
	write(t, s, Batch(first))
	PruneAll(t, s, runlog.Retention{MaxAge: 10 * time.Second}, time.Unix(0, At(100)))
	write(t, s, Batch(Run("run-1", 5)))
	require.NoError(t, s.Close())

	s = want.Open(t)
	write(t, s, Batch(Run("run-1", 5)))
	require.NoError(t, s.Close())
	same(t, want, place)
}

func retained(t *testing.T, create func(TB) Place) {
	place := create(t)
	nothing := measure(t, place)
	assert.Zero(t, nothing.Oldest)

	const runs, perBatch = 3000, 1000
	s := place.Open(t)
	for n := 0; n < runs; n += perBatch {
		b := runlog.NewBatch()
		for i := n; i < n+perBatch; i++ {
			r := Run(fmt.Sprintf("run-%04d", i), int64(i))
			r.SetAttribute("text", `"`+strings.Repeat(strconv.Itoa(i), 50)+`"`)
			b.Add(r)
		}
		write(t, s, b)
	}
	write(t, s, Batch(Run("run-0000", runs))) // it is heard of again, so another is the oldest
	write(t, s, Batch(runlog.NewFact(runlog.Runs, 0, false, runlog.KeyValue("timeless"))))
	require.NoError(t, s.Close())
	all := measure(t, place)
	assert.Equal(t, time.Unix(0, At(1)).UTC(), all.Oldest)
	assert.Greater(t, all.Bytes, nothing.Bytes+runs*100)

	now := time.Unix(0, At(runs+1))
	prune := func(r runlog.Retention) map[string]int64 {
		s := place.Open(t)
		rows := PruneAll(t, s, r, now)
		require.NoError(t, s.Close())
		return rows
	}
	assert.Empty(t, prune(runlog.Retention{MaxBytes: all.Bytes}), "it is what MaxBytes bounds")
	assert.NotEmpty(t, prune(runlog.Retention{MaxBytes: all.Bytes - 1}), "to the byte")

	prune(runlog.Retention{MaxAge: runs / 3 * time.Second})
	third := measure(t, place)
	assert.Equal(t, time.Unix(0, At(runs*2/3+1)).UTC(), third.Oldest)
	assert.Less(t, third.Bytes, all.Bytes/2, "the space that became free does not count")

	prune(runlog.Retention{MaxAge: time.Nanosecond})
	last := measure(t, place)
	assert.Zero(t, last.Oldest)
	assert.Less(t, last.Bytes, third.Bytes)
}

func retainedWithoutRuns(t *testing.T, create func(TB) Place) {
	place := create(t)
	nothing := measure(t, place)
	s := place.Open(t)
	b := runlog.NewBatch()
	for i := range 1000 {
		b.Add(Call("", fmt.Sprint("call-", i)))
	}
	write(t, s, b)
	require.NoError(t, s.Close())
	loose := measure(t, place)
	assert.Zero(t, loose.Oldest)
	assert.Greater(t, loose.Bytes, nothing.Bytes)
}

// measure is what a store that is opened anew tells of what it keeps.
func measure(t TB, place Place) runlog.Retained {
	t.Helper()
	place.Settle(t)
	s := place.Open(t)
	r, err := s.Retained(context.Background())
	require.NoError(t, err)
	require.NoError(t, s.Close())
	return r
}

// PruneAll prunes until there is nothing more to do.
func PruneAll(t TB, s runlog.Store, r runlog.Retention, now time.Time) map[string]int64 {
	t.Helper()
	rows := map[string]int64{}
	for range 1000 {
		p, err := s.Prune(context.Background(), r, now)
		require.NoError(t, err)
		for table, n := range p.Rows {
			rows[table] += n
		}
		if !p.More {
			return rows
		}
	}
	require.Fail(t, "pruning does not end")
	return nil
}

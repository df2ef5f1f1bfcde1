// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// TB is what a test and a property have in common.
type TB interface {
	require.TestingT
	Helper()
	Cleanup(func())
}

// Place is one database of the kind under test.
type Place interface {
	// Open opens the database, as one more collector. Tests close what they open.
	Open(TB) runlog.Store
	// Dump writes out all that is kept and not superseded, merge states included, in the same order always.
	Dump(TB) string
	// Refuse makes the database refuse rows of a table whose attributes are longer than 10,000 bytes.
	Refuse(TB, *runlog.Table)
	// Settle returns when the database, which nobody has open, has counted what it holds.
	Settle(TB)
}

// Conformance checks a kind of store; create makes an empty database.
func Conformance(t *testing.T, create func(TB) Place) {
	for name, test := range map[string]func(*testing.T, func(TB) Place){
		"any telling of the same facts gives the same rows": anyTelling,
		"writers at the same time give the same rows":       atTheSameTime,
		"many writers on the same runs":                     manyWriters,
		"facts that say nothing new write nothing":          nothingNew,
		"collectors that start at once":                     startAtOnce,
		"what can never be stored does not block others":    neverStored,
		"a thousand runs of which some can never be stored": someNeverStored,
		"big values":                                             bigValues,
		"names longer than an index takes":                       longNames,
		"an ended context, a closed store":                       ended,
		"pruning by age":                                         pruneByAge,
		"an old run that is told of again is kept":               pruneKeepsTheLiving,
		"what is told of a pruned run is all that is then known": toldAfterPrune,
		"what is retained":                                       retained,
		"what is retained without runs":                          retainedWithoutRuns,
	} {
		t.Run(name, func(t *testing.T) { test(t, create) })
	}
}

func anyTelling(t *testing.T, create func(TB) Place) {
	rapid.Check(t, func(t *rapid.T) {
		facts := Facts(8).Draw(t, "facts")
		a, b := create(t), create(t)
		s := a.Open(t)
		write(t, s, InOrder(facts))
		require.NoError(t, s.Close())

		// The other database is told by two collectors, which may stop and start in between.
		stores := []runlog.Store{b.Open(t), b.Open(t)}
		for _, batch := range Shuffled(t, facts) {
			i := rapid.IntRange(0, 1).Draw(t, "collector")
			write(t, stores[i], batch)
			if rapid.Bool().Draw(t, "restart") {
				require.NoError(t, stores[i].Close())
				stores[i] = b.Open(t)
			}
		}
		require.NoError(t, stores[0].Close())
		require.NoError(t, stores[1].Close())
		same(t, a, b)
	})
}

func atTheSameTime(t *testing.T, create func(TB) Place) {
	rapid.Check(t, func(t *rapid.T) {
		facts := Facts(8).Draw(t, "facts")
		tellings := [][]*runlog.Batch{Shuffled(t, facts), Shuffled(t, facts)}
		a, b := create(t), create(t)
		s := a.Open(t)
		write(t, s, InOrder(facts))
		require.NoError(t, s.Close())

		stores := []runlog.Store{b.Open(t), b.Open(t)}
		atOnce(t, len(stores), func(i int) error {
			for _, batch := range tellings[i] {
				if err := tryWrite(stores[i], batch); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, stores[0].Close())
		require.NoError(t, stores[1].Close())
		same(t, a, b)
	})
}

func manyWriters(t *testing.T, create func(TB) Place) {
	const writers, runs, rounds = 4, 20, 10
	tell := func(writer, round int) *runlog.Batch {
		b := runlog.NewBatch()
		for i := range runs {
			id := fmt.Sprint("run-", i)
			n := int64(round*writers + writer)
			r := Run(id, n)
			r.Set(runlog.Runs.Column("service"), runlog.TextValue(fmt.Sprint("service ", n)))
			r.SetAttribute(fmt.Sprint("writer ", writer), strconv.Itoa(round))
			b.Add(r)
			s := runlog.NewFact(runlog.Stages, At(n), n%3 == 0, runlog.KeyValue(id), runlog.KeyValue("llm"), runlog.IntValue(n%2+1))
			s.Set(runlog.Stages.Column("kind"), runlog.TextValue(fmt.Sprint("kind ", n)))
			b.Add(s)
		}
		return b
	}
	a, b := create(t), create(t)
	s := a.Open(t)
	for round := range rounds {
		for writer := range writers {
			write(t, s, tell(writer, round))
		}
	}
	require.NoError(t, s.Close())

	// Two collectors, each with two writers.
	stores := []runlog.Store{b.Open(t), b.Open(t)}
	atOnce(t, writers, func(writer int) error {
		for round := range rounds {
			if err := tryWrite(stores[writer%2], tell(writer, round)); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, stores[0].Close())
	require.NoError(t, stores[1].Close())
	same(t, a, b)
}

func nothingNew(t *testing.T, create func(TB) Place) {
	rapid.Check(t, func(t *rapid.T) {
		place := create(t)
		s := place.Open(t)
		facts := Facts(5).Draw(t, "facts")
		first := write(t, s, InOrder(facts))
		require.NotEmpty(t, first.Rows)
		if rapid.Bool().Draw(t, "restart") {
			require.NoError(t, s.Close())
			s = place.Open(t)
		}
		again := write(t, s, InOrder(facts))
		for table, n := range again.Rows {
			require.Zero(t, n, table)
		}
		require.NoError(t, s.Close())
	})
}

func startAtOnce(t *testing.T, create func(TB) Place) {
	place := create(t)
	stores := make([]runlog.Store, 4)
	atOnce(t, len(stores), func(i int) error {
		stores[i] = place.Open(t)
		return tryWrite(stores[i], Batch(Run(fmt.Sprint("run-", i), 0)))
	})
	if t.Failed() {
		t.FailNow() // in one of the goroutines, which leaves no store
	}
	for _, s := range stores {
		require.NoError(t, s.Close())
	}
	before := place.Dump(t)
	for i := range stores {
		assert.Contains(t, before, fmt.Sprint("run-", i))
	}
	require.NoError(t, place.Open(t).Close())
	assert.Equal(t, before, place.Dump(t), "opening again changes nothing")
}

func neverStored(t *testing.T, create func(TB) Place) {
	place := create(t)
	s := place.Open(t)
	place.Refuse(t, runlog.Runs)
	place.Refuse(t, runlog.Stages)
	big := Stage("run-2", "llm", 1, true)
	big.SetAttribute("text", `"`+strings.Repeat("x", 20_000)+`"`)
	bigRun := Run("run-3", 0)
	bigRun.SetAttribute("text", `"`+strings.Repeat("x", 20_000)+`"`)

	res, err := s.Write(context.Background(), Batch(Run("run-1", 0), Run("run-2", 0), big, Stage("run-2", "stt", 1, true), bigRun, Call("run-3", "call-1")))
	require.NoError(t, err)
	var rejected []string
	for _, r := range res.Rejected {
		require.Error(t, r.Err)
		rejected = append(rejected, r.Table+" "+r.RunID+" "+r.Key)
	}
	assert.ElementsMatch(t, []string{"stages run-2 llm", "runs run-3 "}, rejected)
	assert.Equal(t, map[string]int64{"runs": 3, "stages": 1, "provider_calls": 1}, res.Rows)
	require.NoError(t, s.Close())

	without := create(t)
	s = without.Open(t)
	write(t, s, Batch(Run("run-1", 0), Run("run-2", 0), Stage("run-2", "stt", 1, true), Call("run-3", "call-1")))
	require.NoError(t, s.Close())
	same(t, without, place)
}

func someNeverStored(t *testing.T, create func(TB) Place) {
	place := create(t)
	s := place.Open(t)
	place.Refuse(t, runlog.Runs)
	b := runlog.NewBatch()
	for i := range 1000 {
		r := Run(fmt.Sprintf("run-%04d", i), 0)
		if i%400 == 7 {
			r.SetAttribute("text", `"`+strings.Repeat("x", 20_000)+`"`)
		}
		b.Add(r)
	}
	res, err := s.Write(context.Background(), b)
	require.NoError(t, err)
	assert.Len(t, res.Rejected, 3)
	assert.Equal(t, map[string]int64{"runs": 997}, res.Rows)
	require.NoError(t, s.Close())
}

// longNames has every key, and everything with an index, longer than any index takes, and hard to compress.
func longNames(t *testing.T, create func(TB) Place) {
	name := func(seed uint64) string {
		random := rand.New(rand.NewPCG(seed, 0))
		b := make([]byte, 10_000)
		for i := range b {
			b[i] = byte('!' + random.IntN(90))
		}
		return string(b)
	}
	s := create(t).Open(t)
	b := runlog.NewBatch()
	for _, table := range runlog.Tables {
		var key []runlog.Value
		for i, c := range table.Columns {
			switch {
			case c.Merge != runlog.Key:
			case c.Type == runlog.Integer:
				key = append(key, runlog.IntValue(1))
			default:
				key = append(key, runlog.KeyValue(name(uint64(i))))
			}
		}
		fact := runlog.NewFact(table, At(1), true, key...)
		for i, c := range table.Columns {
			if c.Merge == runlog.Filled && c.Type == runlog.Text {
				fact.Set(i, runlog.TextValue(name(uint64(i))))
			}
		}
		b.Add(fact)
	}
	res := write(t, s, b)
	for _, table := range runlog.Tables {
		assert.EqualValues(t, 1, res.Rows[table.Name], table.Name)
	}
	require.NoError(t, s.Close())
}

func bigValues(t *testing.T, create func(TB) Place) {
	place := create(t)
	s := place.Open(t)
	for round := range int64(2) {
		b := runlog.NewBatch()
		for i := range 5 {
			r := Run(fmt.Sprint("run-", i), round)
			for n := range 20 {
				r.SetAttribute(fmt.Sprint("text ", n), `"`+strings.Repeat("é", 100_000+n)+`"`)
			}
			r.Set(runlog.Runs.Column("service"), runlog.TextValue(strings.Repeat("s", 1_000_000)))
			b.Add(r)
		}
		res := write(t, s, b)
		assert.EqualValues(t, 5, res.Rows["runs"])
	}
	require.NoError(t, s.Close())
	assert.Greater(t, len(place.Dump(t)), 5*4_000_000)
}

func ended(t *testing.T, create func(TB) Place) {
	place := create(t)
	s := place.Open(t)
	before := place.Dump(t)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := s.Write(cancelled, Batch(Run("run-1", 0)))
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, before, place.Dump(t))
	write(t, s, runlog.NewBatch())
	assert.Equal(t, before, place.Dump(t), "an empty batch")
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing twice is no error")
	_, err = s.Write(context.Background(), Batch(Run("run-1", 0)))
	require.ErrorIs(t, err, os.ErrClosed)
	_, err = s.Prune(context.Background(), runlog.Retention{MaxAge: time.Second}, time.Unix(0, At(9)))
	require.ErrorIs(t, err, os.ErrClosed)
	_, err = s.Retained(context.Background())
	require.ErrorIs(t, err, os.ErrClosed)
}

func write(t TB, s runlog.Store, b *runlog.Batch) runlog.Result {
	t.Helper()
	res, err := s.Write(context.Background(), b)
	require.NoError(t, err)
	require.Empty(t, res.Rejected)
	return res
}

// tryWrite is write for goroutines, which must not end the test.
func tryWrite(s runlog.Store, b *runlog.Batch) error {
	res, err := s.Write(context.Background(), b)
	if err == nil && len(res.Rejected) > 0 {
		err = fmt.Errorf("%s: %w", res.Rejected[0].Table, res.Rejected[0].Err)
	}
	return err
}

// atOnce does n things in parallel.
func atOnce(t TB, n int, do func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func same(t TB, want, got Place) {
	t.Helper()
	w, g := want.Dump(t), got.Dump(t)
	if w != g {
		t.Errorf("want:\n%s\ngot:\n%s", w, g)
		t.FailNow()
	}
}

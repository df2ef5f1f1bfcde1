// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"
)

var (
	runs     = flag.Int("runs", 0, "how many runs TestConstantMemory sends one after the other; 0: it is skipped")
	inFlight = flag.Int("inflight", 0, "how many runs are in flight at once in TestRunsInFlight; 0: it is skipped")
)

const (
	// maxGrowth is how far the heap may rise above that of the plateau.
	maxGrowth = 1.10
	// maxRatio is how many times the bytes of their events runs in flight may take on the heap.
	maxRatio = 3.0
)

// However many runs come, the heap stays where it was when the memory for settled runs and for duplicates was full, and
// the journal's file where it was then, although some runs go on all the time.
func TestConstantMemory(t *testing.T) {
	if *runs == 0 {
		t.Skip("-runs is 0")
	}
	for _, durable := range []bool{false, true} {
		t.Run(fmt.Sprintf("durable=%t", durable), func(t *testing.T) {
			s := newSubject(t, func(cfg *stageflowreceiver.Config) { cfg.Runs.AbandonAfter = 24 * time.Hour })
			var disk *countingStorage
			if durable {
				disk = s.store(t, t.TempDir())
			}
			s.start(t)
			s.push(t, 1<<40, group, 0, 2)
			s.constant(t, disk)
			s.stop(t)
		})
	}
}

// constant sends run after run and says how much is taken meanwhile; without a disk only of memory.
func (s *subject) constant(t *testing.T, disk *countingStorage) {
	t.Helper()
	before := s.records.Load()
	step := max(*runs/20, 1000)
	// As many settled runs are remembered as may be in flight, and duplicates of fewer runs than these.
	full := 2 * s.cfg.Runs.MaxActive
	var memory, file []int64
	for sent := 0; sent < *runs; {
		began := time.Now()
		s.push(t, uint64(sent), step, 0, eventsPerRun) //nolint:gosec // not negative
		sent += step
		rate, active := float64(step)/time.Since(began).Seconds(), int64(sent)-s.runs.Load()
		s.waitForRuns(t, int64(sent))
		h, f := steadyHeap(t), disk.fileSize(t)
		if sent >= full {
			memory, file = append(memory, h), append(file, f)
		}
		t.Logf("%9d runs: heap %6.1f MiB, file %5.1f MiB, %5d were active, %6.0f runs/s", sent, mib(h), mib(f), active, rate)
	}
	assert.EqualValues(t, *runs, s.runs.Load(), "every run left once")
	assert.EqualValues(t, *runs*(stages+1), s.spans.Load())
	assert.EqualValues(t, *runs*eventsPerRun, s.records.Load()-before)
	require.NotEmpty(t, memory, "-runs is too low to fill the receiver's memory")
	assert.LessOrEqual(t, float64(slices.Max(memory)), maxGrowth*float64(memory[0]), "from %.1f MiB", mib(memory[0]))
	// How much is in flight at once is a matter of speed, and files do not shrink.
	assert.LessOrEqual(t, float64(slices.Max(file)), 2*float64(file[0]), "from %.1f MiB", mib(file[0]))
}

// Runs in flight take no more than a few times their events, in memory and on disk, and come back after a restart.
func TestRunsInFlight(t *testing.T) {
	if *inFlight == 0 {
		t.Skip("-inflight is 0")
	}
	for _, n := range []int{*inFlight / 4, *inFlight} {
		for _, durable := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d,durable=%t", n, durable), func(t *testing.T) {
				s := newSubject(t, func(cfg *stageflowreceiver.Config) { cfg.Runs.MaxActive = n })
				// Nothing leaves meanwhile: neither what has finished nor what is silent.
				s.cfg.Runs.FlushAfter, s.cfg.Runs.IdleTimeout, s.cfg.Runs.AbandonAfter = time.Hour, time.Hour, time.Hour
				var disk *countingStorage
				if durable {
					disk = s.store(t, t.TempDir())
				}
				s.start(t)
				empty, onDisk := heap(), written()
				began := time.Now()
				bytes := s.push(t, 0, n, 0, eventsPerRun-1)
				took := time.Since(began)
				perRun := func(b int64) float64 { return float64(b) / float64(n) }
				h := heap() - empty
				ratio := float64(h) / float64(bytes)
				t.Logf("events %.0f B/run, heap %.0f B/run, ratio %.2f, %.0f events/s", perRun(bytes), perRun(h), ratio, float64(n*(eventsPerRun-1))/took.Seconds())
				assert.LessOrEqual(t, ratio, maxRatio)
				if durable {
					events := float64(n * (eventsPerRun - 1))
					t.Logf("journal: %.0f B stored per event of %.0f B, in %d batches; %.0f B/event written to disk; file %.1f MiB, %.2f times the events",
						float64(disk.bytes.Load())/events, float64(bytes)/events, disk.batches.Load(), float64(written()-onDisk)/events,
						mib(disk.fileSize(t)), float64(disk.fileSize(t))/float64(bytes))
					s.stop(t)
					assert.Zero(t, s.runs.Load(), "runs in flight stay in the journal")
					empty := heap()
					replay := s.start(t)
					h := heap() - empty
					ratio := float64(h) / float64(bytes)
					t.Logf("replay: %s, %.1f µs/event, heap %.0f B/run, ratio %.2f", replay.Round(time.Millisecond), float64(replay.Microseconds())/events, perRun(h), ratio)
					assert.LessOrEqual(t, ratio, maxRatio)
				}
				s.end(t, n)
				s.stop(t)
			})
		}
	}
}

// end ends all runs that are in flight.
func (s *subject) end(t *testing.T, n int) {
	t.Helper()
	records := s.records.Load()
	s.push(t, 0, n, eventsPerRun-1, eventsPerRun)
	s.waitForRuns(t, int64(n))
	assert.EqualValues(t, n, s.runs.Load(), "every run left once")
	assert.EqualValues(t, n*(stages+1), s.spans.Load())
	assert.EqualValues(t, n, s.records.Load()-records, "no event was taken for a copy")
}

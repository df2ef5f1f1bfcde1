// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/testbed"
)

var seed = flag.Uint64("seed", 0, "what the random numbers of the tests that kill begin with; 0: a new one each time")

// killer is the collector's end, and what it had been told before.
type killer struct {
	*testbed.Collector
	dir     string
	senders []*sender
	random  *rand.Rand
	// overrides is what the next collector is configured with.
	overrides func() string
	// restored is how many runs were in flight when a collector was started.
	restored float64
	acked    atomic.Int64
	dead     atomic.Bool
}

// newKiller begins a test that can be repeated with the flags that it logs.
func newKiller(t *testing.T, flags string) *killer {
	begin := *seed
	if begin == 0 {
		begin = uint64(time.Now().UnixNano()) //nolint:gosec // any number does
	}
	t.Logf("go test ./test/e2e -run '^%s$' -seed %d %s", t.Name(), begin, flags)
	k := &killer{dir: t.TempDir(), random: rand.New(rand.NewPCG(begin, 0))} //nolint:gosec // to be repeated
	for i := range 4 {
		k.senders = append(k.senders, &sender{
			name: fmt.Sprint("sender-", i), clock: noon.Add(time.Duration(i) * time.Hour), numbered: i%2 == 0,
			random: rand.New(rand.NewPCG(begin, uint64(i+1))), //nolint:gosec // to be repeated
		})
	}
	return k
}

// endless is a number of requests that is never reached.
const endless = 1 << 30

// flushAfter lets the runs of some lives leave in parts.
func (k *killer) flushAfter() string { return []string{"1m", "100ms"}[k.random.IntN(2)] }

// start starts the collector again.
func (k *killer) start(t *testing.T) *testbed.Collector {
	k.Collector = start(t, k.dir, k.overrides())
	k.dead.Store(false)
	active, err := k.Metric(t.Context(), "otelcol_receiver_stageflow_runs_active")
	require.NoError(t, err)
	k.restored += active
	return k.Collector
}

// kill ends the collector; that it does not answer is no error from now on.
func (k *killer) kill() {
	k.dead.Store(true)
	k.Kill()
}

// send lets each sender send up to n requests, or until the collector is dead. Without more, they end the runs
// that they have begun.
func (k *killer) send(ctx context.Context, t *testing.T, more bool, n int64, acknowledged func()) {
	var all sync.WaitGroup
	for _, s := range k.senders {
		all.Go(func() {
			for range n {
				body := s.next(more)
				if body == nil {
					return
				}
				code, answer, err := k.Post(ctx, body)
				switch {
				case k.dead.Load() && err != nil:
					return
				case err != nil:
					t.Errorf("the collector does not answer though nobody killed it: %v", err)
					return
				case code == http.StatusOK:
					assert.Contains(t, string(answer), `"rejected":[]`)
					s.unanswered = nil
					k.acked.Add(1)
					acknowledged()
				case code != http.StatusTooManyRequests && code != http.StatusServiceUnavailable:
					t.Errorf("%d: %s", code, answer)
					return
				}
			}
		})
	}
	all.Wait()
}

// runs are all that the senders began.
func (k *killer) runs() []*madeRun {
	var runs []*madeRun
	for _, s := range k.senders {
		runs = append(runs, s.runs...)
	}
	return runs
}

// told is what the run log and the spans must say of them.
func (k *killer) told() (rows, spans []string) {
	for _, r := range k.runs() {
		rows, spans = append(rows, r.rows...), append(spans, r.spans...)
	}
	return rows, spans
}

// assertLines compares regardless of order, and shows only the differences.
func assertLines(t *testing.T, what string, want, got []string) {
	t.Helper()
	count := map[string]int{}
	for _, l := range want {
		count[l]++
	}
	for _, l := range got {
		count[l]--
	}
	var missing, surplus []string
	for l, n := range count {
		if n > 0 {
			missing = append(missing, l)
		} else if n < 0 {
			surplus = append(surplus, l)
		}
	}
	slices.Sort(missing)
	slices.Sort(surplus)
	assert.Empty(t, missing[:min(len(missing), 20)], "%d times a %s is missing", len(missing), what)
	assert.Empty(t, surplus[:min(len(surplus), 20)], "%d times a %s should not be there", len(surplus), what)
}

// rowsOf are the rows of the run log that ask asks, as the made-up runs write them.
func rowsOf(ask func(text string) []map[string]any) []string {
	var lines []string
	add := func(kind, text string, columns ...string) {
		for _, row := range ask(text) {
			line := []any{kind, row["run_id"], fmt.Sprint(row["started_at"], " ", row["ended_at"])}
			for _, column := range columns {
				line = append(line, row[column])
			}
			lines = append(lines, fmt.Sprintln(line...))
		}
	}
	add("run", "SELECT *, CASE status WHEN 'failed' THEN failed_stage END AS blamed FROM runs", "pipeline_name", "status", "end_kind", "blamed")
	add("stage", "SELECT * FROM stages", "name", "attempt", "status")
	add("call", "SELECT * FROM provider_calls", "call_id", "stage", "success")
	return lines
}

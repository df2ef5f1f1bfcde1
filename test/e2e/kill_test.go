// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/internal/testbed"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

var (
	kills = flag.Int("kills", 50, "how often TestKilled kills the collector")
	seed  = flag.Uint64("seed", 0, "what the random numbers of TestKilled begin with; 0: a new one each time")
)

// killable keeps the spans beside the run log: a run's own events tell its row much, so only its spans show that
// it was assembled. With a rotation the exporter writes at once; without, a kill would take what it has in its buffer.
const killable = `
receivers:
  stageflow:
    runs: {settle: 200ms, flush_after: %s}
exporters:
  file/spans: {path: %q, rotation: {max_megabytes: 10000}}
service:
  pipelines:
    traces: {exporters: [runlog, file/spans]}
`

// Killed again and again, at any moment, the collector loses nothing that it has acknowledged and makes nothing of it
// twice: every run is in the run log with its stages and calls, as told, and has left as spans.
func TestKilled(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano()) //nolint:gosec // any number does
	}
	t.Logf("go test ./test/e2e -run TestKilled -kills %d -seed %d", *kills, *seed)
	random := rand.New(rand.NewPCG(*seed, 0)) //nolint:gosec // to be repeated
	dir := t.TempDir()
	k := &killer{spans: filepath.Join(dir, "spans.json")}
	for i := range 4 {
		k.senders = append(k.senders, &sender{
			name: fmt.Sprint("sender-", i), clock: noon.Add(time.Duration(i) * time.Hour), numbered: i%2 == 0,
			random: rand.New(rand.NewPCG(*seed, uint64(i+1))), //nolint:gosec // to be repeated
		})
	}
	for range *kills {
		k.start(t, dir, random)
		k.round(t, random)
	}

	c := k.start(t, dir, random)
	k.send(t.Context(), t, false, endless, func() {})
	settled(t, c)
	spans := sizeOf(k.spans)
	require.NoError(t, c.Stop())
	c = k.start(t, dir, random)
	settled(t, c)
	require.NoError(t, c.Stop())
	assert.Equal(t, spans, sizeOf(k.spans), "nothing was left in the journal")
	k.check(t, c.Database)
}

// killer is the collector's end, and what it had been told before.
type killer struct {
	*testbed.Collector
	senders []*sender
	spans   string
	// restored is how many runs were in flight when a collector was started.
	restored float64
	acked    atomic.Int64
	dead     atomic.Bool
}

// endless is a number of requests that is never reached.
const endless = 1 << 30

// start starts the collector again. The runs of some lives leave in parts.
func (k *killer) start(t *testing.T, dir string, random *rand.Rand) *testbed.Collector {
	k.Collector = start(t, dir, fmt.Sprintf(killable, []string{"1m", "100ms"}[random.IntN(2)], k.spans))
	active, err := k.Metric(t.Context(), "otelcol_receiver_stageflow_runs_active")
	require.NoError(t, err)
	k.restored += active
	return k.Collector
}

// round lets the senders send and kills the collector at a moment of its choice.
func (k *killer) round(t *testing.T, random *rand.Rand) {
	k.dead.Store(false)
	kill := func() {
		k.dead.Store(true)
		k.Kill()
	}
	n, ctx := int64(1+random.IntN(60)), t.Context()
	switch random.IntN(3) {
	case 0: // right after an acknowledgement; the requests of others are under way
		k.send(ctx, t, true, endless, after(n, kill))
	case 1: // while a request is being worked on
		sent := after(n, kill)
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sent() }})
		k.send(ctx, t, true, endless, func() {})
	case 2: // while runs leave
		before := sizeOf(k.spans)
		k.send(ctx, t, true, n, func() {})
		ctx, cancel := context.WithTimeout(ctx, time.Duration(random.IntN(1000))*time.Millisecond)
		defer cancel()
		_ = testbed.Poll(ctx, func() (bool, error) { return sizeOf(k.spans) > before, nil }) // or when the time is over: any moment does
		kill()
	}
}

// after calls f at the nth call.
func after(n int64, f func()) func() {
	var count atomic.Int64
	return func() {
		if count.Add(1) == n {
			f()
		}
	}
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

// check compares the run log and the spans with what was told.
func (k *killer) check(t *testing.T, database string) {
	var rows, spans []string
	runs := 0
	for _, s := range k.senders {
		runs += len(s.runs)
		for _, r := range s.runs {
			rows, spans = append(rows, r.rows...), append(spans, r.spans...)
		}
	}
	assertLines(t, "row", rows, rowsOf(t, database))
	got, copies, torn := spansOf(t, k.spans)
	assertLines(t, "span", spans, got)
	assert.Positive(t, k.restored, "there were runs in flight when it was killed")
	t.Logf("%d kills with %.0f runs in flight, %d requests acknowledged, %d runs, %d rows; %d spans were sent twice, %d writes were cut off",
		*kills, k.restored, k.acked.Load(), runs, len(rows), copies, torn)
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

// rowsOf are the rows of the run log as the made-up runs write them.
func rowsOf(t *testing.T, database string) []string {
	t.Helper()
	var lines []string
	add := func(kind, text string, columns ...string) {
		for _, row := range query(t, database, text) {
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

// spansOf are the spans in the file, each once, how many were there more than once, and how many writes a kill had cut
// off. Copies must agree.
func spansOf(t *testing.T, path string) (lines []string, copies, torn int) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	seen := map[string]string{}
	const beginning = `{"resourceSpans"` // where a line is cut off the next one follows at once
	for _, doc := range strings.Split(string(raw), beginning)[1:] {
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(beginning + strings.TrimSpace(doc)))
		if err != nil {
			torn++
			continue
		}
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					runID, _ := span.Attributes().Get(semconv.RunIDKey)
					id := span.SpanID().String()
					line := fmt.Sprintf("%s %s %s %s", id, runID.AsString(), span.StartTimestamp().AsTime().Format(storedTime), span.EndTimestamp().AsTime().Format(storedTime))
					if old, ok := seen[id]; ok {
						copies++
						assert.Equal(t, old, line, "a copy")
						continue
					}
					seen[id] = line
					lines = append(lines, line)
				}
			}
		}
	}
	return lines, copies, torn
}

// sizeOf is the size of a file, 0 when there is none.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/sqlitestore"
	"github.com/stageflow/otelcol-stageflow/internal/testbed"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

var overload = flag.Duration("overload", 0, "how long TestOverload offers more than the built collector can take; 0: it is skipped")

const (
	// times is how many times what the collector can take is offered.
	times = 5
	// inFlightAtOnce bounds the requests that are under way, half of them over HTTP, half over gRPC.
	inFlightAtOnce = 512
	// runsPerRequest are told whole by one request, so that each is in the run log or is not.
	runsPerRequest = 20
	// maxMemory is what the process may take beside the mapped files of its storage, which are the system's cache: the limit
	// of config/default.yaml's memory_limiter. softMemory, four fifths of it, is what the collector is told to keep within
	// by collecting garbage: what is refused has been read by then, and would otherwise be twice in the heap.
	maxMemory  = 1024 << 20
	softMemory = "820MiB"
)

// Offered five times what it can take, the collector takes what it can, tells the others when to come again, and stays
// within its memory; all that it took is in the run log, once, and nothing of what it refused.
func TestOverload(t *testing.T) {
	if *overload == 0 {
		t.Skip("-overload is 0")
	}
	t.Setenv("GOMEMLIMIT", softMemory)
	c, err := testbed.Start(t.Context(), testbed.Options{
		Binary: "../../bin/otelcol-stageflow", Config: "../../config/default.yaml", Dir: t.TempDir(),
		Overrides: "receivers: {stageflow: {runs: {settle: 300ms}}}",
	})
	require.NoError(t, err, "run make build")
	t.Cleanup(c.Kill)
	o := newOffer(t, c)
	idle := o.memory(t)
	watch, stop := o.watchMemory(t)

	// As much as it can take: every sender waits for its answer, and as long as it is told.
	o.closed(t, *overload/4)
	saturated := o.report(t, "closed loop", *overload/4)
	o.open(t, saturated*times, *overload)
	taken := o.report(t, fmt.Sprintf("%d times that", times), *overload)
	assert.Positive(t, o.refused.Load(), "more was offered than could be taken")
	assert.Greater(t, taken, saturated/2, "it goes on working")
	stop()
	assert.Empty(t, o.wrong, "every refusal says when to come again")
	t.Logf("memory: idle %s, then %s", idle, *watch)
	assert.Less(t, slices.MaxFunc(*watch, func(a, b memory) int { return cmp.Compare(a.own, b.own) }).own, int64(maxMemory))

	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	o.waitWritten(ctx, t)
	t.Logf("all was written %s later, memory %s", time.Since(began).Round(time.Second), o.memory(t))
	o.assertStored(t)
	require.NoError(t, c.Stop())
}

// offer sends requests and remembers what became of them.
type offer struct {
	*testbed.Collector
	// body and message are a request of runs whose ids begin with placeholder, as lines and as OTLP. Writing each anew would
	// take more of the machine than the collector does.
	body, message []byte
	http          *httpSender
	grpc          *grpcSender
	next          atomic.Int64

	refused, busy atomic.Int64
	mu            sync.Mutex
	acked         []int64
	since         int
	// answers counts the refusals, wrong lists those that are not as they should be.
	answers map[string]int
	wrong   []string
}

const placeholder = "RUN0000000000"

func newOffer(t *testing.T, c *testbed.Collector) *offer {
	o := &offer{Collector: c, http: newHTTPSender(c), grpc: newGRPCSender(t, c), answers: map[string]int{}}
	l := newLoad(0, runsPerRequest, 0)
	for i := range l.runs {
		l.runs[i].id = fmt.Sprintf("%s-%02d", placeholder, i)
	}
	for event := range eventsPerRun {
		o.body = l.appendEvent(o.body, event)
	}
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for line := range bytes.Lines(o.body) {
		var event struct {
			Type      string
			Data      map[string]any
			EmittedAt time.Time `json:"emitted_at"`
		}
		require.NoError(t, json.Unmarshal(line, &event))
		lr := records.AppendEmpty()
		lr.SetEventName(string(semconv.EventOther))
		lr.SetTimestamp(pcommon.NewTimestampFromTime(event.EmittedAt))
		lr.Attributes().PutStr(semconv.EventTypeKey, event.Type)
		require.NoError(t, lr.Attributes().PutEmptyMap(semconv.EventDataKey).FromRaw(event.Data))
	}
	var err error
	o.message, err = (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	require.NoError(t, err)
	return o
}

// send sends the next request and returns how long to wait before the next one.
func (o *offer) send(ctx context.Context, over int) time.Duration {
	n := o.next.Add(1)
	id := fmt.Appendf(nil, "run%010d", n)
	var a reply
	if over%2 == 0 {
		a = o.http.send(ctx, bytes.ReplaceAll(o.body, []byte(placeholder), id))
	} else {
		a = o.grpc.send(ctx, bytes.ReplaceAll(o.message, []byte(placeholder), id))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if a.taken {
		o.acked = append(o.acked, n)
		return 0
	}
	o.refused.Add(1)
	o.answers[a.code+" "+reason(a.text)]++
	if !a.asExpected() {
		o.wrong = append(o.wrong, fmt.Sprintf("%s, again after %s: %s", a.code, a.after, a.text))
	}
	return a.after
}

// reason is why a request was refused, as far as that is known here.
func reason(text string) string {
	for _, known := range []string{"sending queue is full", "high memory usage", "too many runs", "too many requests"} {
		if strings.Contains(text, known) {
			return known
		}
	}
	return text
}

// closed sends with every sender what it can, for a while.
func (o *offer) closed(t *testing.T, d time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var all sync.WaitGroup
	for i := range 2 * senders {
		all.Go(func() {
			for ctx.Err() == nil {
				if wait := o.send(t.Context(), i); wait > 0 {
					select {
					case <-ctx.Done():
					case <-time.After(wait):
					}
				}
			}
		})
	}
	all.Wait()
}

// open sends so many requests a second, whatever the answers are; what comes when too many are under way is given up.
func (o *offer) open(t *testing.T, rate float64, d time.Duration) {
	slots := make(chan int, inFlightAtOnce)
	for i := range inFlightAtOnce {
		slots <- i
	}
	var all sync.WaitGroup
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	offered := 0
	for began := time.Now(); time.Since(began) < d; <-ticker.C {
		for due := int(time.Since(began).Seconds() * rate); offered < due; offered++ {
			select {
			case slot := <-slots:
				all.Go(func() {
					o.send(t.Context(), slot)
					slots <- slot
				})
			default:
				o.busy.Add(1)
			}
		}
	}
	all.Wait()
	t.Logf("offered: %d requests, %.0f/s, %.0f events/s", offered, rate, rate*runsPerRequest*eventsPerRun)
}

// report says what became of the requests since the last report, and returns how many a second were taken.
func (o *offer) report(t *testing.T, what string, d time.Duration) float64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := float64(len(o.acked)-o.since) / d.Seconds()
	t.Logf("%s: %d requests taken, %.1f/s, %.0f events/s; until now %d refused %v, %d not sent for %d were under way",
		what, len(o.acked)-o.since, taken, taken*runsPerRequest*eventsPerRun, o.refused.Load(), o.answers, o.busy.Load(), inFlightAtOnce)
	o.since = len(o.acked)
	return taken
}

// memory is what the collector has of it: its own, and all with the files that are mapped.
type memory struct{ own, all int64 }

func (m memory) String() string { return fmt.Sprintf("%.0f of %.0f MiB", mib(m.own), mib(m.all)) }

func (o *offer) memory(t *testing.T) memory {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.PID()))
	if err != nil {
		t.Skipf("no resident memory to be read: %v", err)
	}
	read := func(name string) int64 {
		_, after, _ := strings.Cut(string(raw), name+":")
		kib, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
		require.NoError(t, err)
		return kib << 10
	}
	return memory{read("RssAnon"), read("VmRSS")}
}

// watchMemory reads the memory until it is stopped, and keeps the most of every five seconds.
func (o *offer) watchMemory(t *testing.T) (watch *[]memory, stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	began := time.Now()
	watch = new([]memory)
	done.Go(func() {
		_ = testbed.Poll(ctx, func() (bool, error) { // ends with ctx
			m := o.memory(t)
			if n := int(time.Since(began) / (5 * time.Second)); n >= len(*watch) {
				*watch = append(*watch, m)
			} else if last := &(*watch)[len(*watch)-1]; m.own > last.own {
				*last = m
			}
			return false, nil
		})
	})
	return watch, func() {
		cancel()
		done.Wait()
	}
}

// waitWritten waits until no run is in flight, the queues are empty, and what was taken, and no less, has been written.
func (o *offer) waitWritten(ctx context.Context, t *testing.T) {
	var left, written float64
	err := testbed.Poll(ctx, func() (bool, error) {
		left = 0
		for _, name := range []string{"otelcol_receiver_stageflow_runs_active", "otelcol_exporter_queue_size"} {
			n, err := o.Metric(ctx, name)
			if err != nil {
				return false, err
			}
			left += n
		}
		var err error
		written, err = o.Metric(ctx, "otelcol_exporter_sent_spans", `exporter="runlog"`)
		return left == 0 && int(written) >= len(o.acked)*runsPerRequest*(stages+1), err
	})
	require.NoError(t, err, "%.0f runs and batches are under way, %.0f spans of %d runs were written", left, written, len(o.acked)*runsPerRequest)
}

// assertStored compares the run log with what was acknowledged.
func (o *offer) assertStored(t *testing.T) {
	written, err := o.Metric(t.Context(), "otelcol_exporter_sent_log_records", `exporter="runlog"`)
	require.NoError(t, err)
	assert.EqualValues(t, len(o.acked)*runsPerRequest*eventsPerRun, int64(written), "every event was written once")
	want := map[string]bool{}
	for _, n := range o.acked {
		for i := range runsPerRequest {
			want[fmt.Sprintf("run%010d-%02d", n, i)] = true
		}
	}
	r, err := sqlitestore.OpenReader(o.Database)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	answer, err := r.Query(t.Context(), "SELECT run_id, status, (SELECT count(*) FROM stages s WHERE s.run_id = r.run_id AND s.status = 'completed') FROM runs r")
	require.NoError(t, err)
	surplus, wrong := 0, 0
	for _, row := range answer.Rows {
		id := fmt.Sprint(row[0])
		if !want[id] {
			surplus++
		}
		delete(want, id)
		if fmt.Sprint(row[1:]) != fmt.Sprint([]any{"completed", stages}) {
			wrong++
		}
	}
	assert.Empty(t, want, "runs that were acknowledged are missing")
	assert.Zero(t, surplus, "runs that were refused are there")
	assert.Zero(t, wrong, "runs are there in part")
	t.Logf("run log: %d runs, %.0f events written", len(answer.Rows), written)
}

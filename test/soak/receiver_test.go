// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/stageflow/otelcol-stageflow/internal/testbed"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const (
	// senders is how many requests are under way at once.
	senders = 4
	// group is how many runs each of them tells of at once.
	group = 100
)

// subject is a receiver as a collector would run it, whose pipelines only count.
type subject struct {
	// runs, spans and records are what has left.
	runs, spans, records atomic.Int64

	extensions map[component.ID]component.Component
	cfg        *stageflowreceiver.Config
	parts      []component.Component
	url        string
}

// newSubject has a receiver with the defaults, but for what change changes; it is not started.
func newSubject(t *testing.T, change func(*stageflowreceiver.Config)) *subject {
	t.Helper()
	s := &subject{extensions: map[component.ID]component.Component{}}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	s.cfg = stageflowreceiver.NewFactory().CreateDefaultConfig().(*stageflowreceiver.Config)
	s.cfg.Events.GetOrInsertDefault().NetAddr.Endpoint = listener.Addr().String()
	s.url = "http://" + listener.Addr().String() + stageflowreceiver.EventsPath
	change(s.cfg)
	return s
}

// GetExtensions makes the subject the host of its receiver.
func (s *subject) GetExtensions() map[component.ID]component.Component { return s.extensions }

// start starts the receiver, or starts it again, and tells how long that took.
func (s *subject) start(t *testing.T) time.Duration {
	t.Helper()
	factory := stageflowreceiver.NewFactory()
	set := receivertest.NewNopSettings(factory.Type())
	set.ID = component.NewID(factory.Type()) // what it stored is found again by it
	traces, err := consumer.NewTraces(s.takeTraces)
	require.NoError(t, err)
	logs, err := consumer.NewLogs(s.takeLogs)
	require.NoError(t, err)
	first, err := factory.CreateTraces(t.Context(), set, s.cfg, traces)
	require.NoError(t, err)
	second, err := factory.CreateLogs(t.Context(), set, s.cfg, logs)
	require.NoError(t, err)
	s.parts = []component.Component{first, second}
	began := time.Now()
	for _, part := range s.parts {
		require.NoError(t, part.Start(t.Context(), s))
	}
	return time.Since(began)
}

func (s *subject) stop(t *testing.T) {
	t.Helper()
	http.DefaultClient.CloseIdleConnections()
	for _, part := range s.parts {
		require.NoError(t, part.Shutdown(t.Context()))
	}
	s.parts = nil
}

func (s *subject) takeTraces(_ context.Context, td ptrace.Traces) error {
	s.spans.Add(int64(td.SpanCount()))
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				if _, ok := span.Attributes().Get(semconv.RunStatusKey); ok {
					s.runs.Add(1)
				}
			}
		}
	}
	return nil
}

func (s *subject) takeLogs(_ context.Context, ld plog.Logs) error {
	s.records.Add(int64(ld.LogRecordCount()))
	return nil
}

// store gives the receiver a file storage in dir, and counts what it writes there.
func (s *subject) store(t *testing.T, dir string) *countingStorage {
	t.Helper()
	factory := filestorage.NewFactory()
	cfg := factory.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory = dir
	created, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, created.Start(t.Context(), s))
	t.Cleanup(func() { require.NoError(t, created.Shutdown(context.WithoutCancel(t.Context()))) })
	counting := &countingStorage{Extension: created.(storage.Extension), dir: dir}
	id := component.NewID(factory.Type())
	s.extensions[id], s.cfg.Storage = counting, &id
	return counting
}

// countingStorage counts the bytes that are given to a storage.
type countingStorage struct {
	storage.Extension
	dir            string
	batches, bytes atomic.Int64
}

func (c *countingStorage) GetClient(ctx context.Context, kind component.Kind, id component.ID, name string) (storage.Client, error) {
	client, err := c.Extension.GetClient(ctx, kind, id, name)
	return &countingClient{client, c}, err
}

// fileSize is the size of all files of the storage, 0 for none.
func (c *countingStorage) fileSize(t *testing.T) int64 {
	t.Helper()
	if c == nil {
		return 0
	}
	files, err := filepath.Glob(filepath.Join(c.dir, "*"))
	require.NoError(t, err)
	var sum int64
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		sum += info.Size()
	}
	return sum
}

type countingClient struct {
	storage.Client
	to *countingStorage
}

func (c *countingClient) Set(ctx context.Context, key string, value []byte) error {
	return c.Batch(ctx, storage.SetOperation(key, value))
}

func (c *countingClient) Batch(ctx context.Context, ops ...*storage.Operation) error {
	c.to.batches.Add(1)
	for _, op := range ops {
		if op.Type == storage.Set {
			c.to.bytes.Add(int64(len(op.Key) + len(op.Value)))
		}
	}
	return c.Client.Batch(ctx, ops...)
}

// written is how many bytes this process has given to disks, pages and all; 0 where the system does not say.
func written() int64 {
	raw, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(raw), "\nwrite_bytes: ")
	value, _, _ := strings.Cut(after, "\n")
	n, _ := strconv.ParseInt(value, 10, 64) // 0 if it is not there
	return n
}

// push sends the events from one to before another of n runs, in groups of runs that go on at once. It returns the
// bytes sent.
func (s *subject) push(t *testing.T, first uint64, n, from, to int) int64 {
	t.Helper()
	const perRequest = 2
	var sent atomic.Int64
	var all sync.WaitGroup
	groups := make(chan uint64)
	for range senders {
		all.Go(func() {
			var body []byte
			for number := range groups {
				l := newLoad(number, group, from)
				for event := from; event < to; event += perRequest {
					body = body[:0]
					for i := event; i < min(event+perRequest, to); i++ {
						body = l.appendEvent(body, i)
					}
					if err := s.post(t.Context(), body); err != nil {
						t.Error(err)
						return
					}
					sent.Add(int64(len(body)))
				}
			}
		})
	}
	for i := range n / group {
		select {
		case groups <- first + uint64(i): //nolint:gosec // not negative
		case <-t.Context().Done():
		}
	}
	close(groups)
	all.Wait()
	require.False(t, t.Failed())
	return sent.Load()
}

// post sends a request until it is taken: too many runs may be in flight.
func (s *subject) post(ctx context.Context, body []byte) error {
	return testbed.Poll(ctx, func() (bool, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
		if err != nil {
			return false, err
		}
		req.Header.Set("Content-Type", "application/x-ndjson")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return false, err
		}
		return resp.StatusCode == http.StatusOK, nil
	})
}

// waitForRuns waits until so many runs have left.
func (s *subject) waitForRuns(t *testing.T, n int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	require.NoError(t, testbed.Poll(ctx, func() (bool, error) { return s.runs.Load() >= n, nil }), "%d of %d runs have left", s.runs.Load(), n)
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // fits
}

// steadyHeap waits until the heap stays as it is: what has left is still being put away.
func steadyHeap(t *testing.T) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var last, now int64
	require.NoError(t, testbed.Poll(ctx, func() (bool, error) {
		last, now = now, heap()
		return max(now-last, last-now) < now/500, nil
	}), "the heap goes up and down")
	return now
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

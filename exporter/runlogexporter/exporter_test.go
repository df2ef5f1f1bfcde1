// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/stageflow/otelcol-stageflow/exporter/runlogexporter/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/exporter/runlogexporter/internal/metadatatest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/sqlitestore"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

var ctx = context.Background()

// pair is what the collector makes of one configuration in a logs and a traces pipeline.
type pair struct {
	logs   exporter.Logs
	traces exporter.Traces
	path   string
}

func newPair(t *testing.T, host component.Host, change func(*Config)) pair {
	t.Helper()
	return newPairOf(t, exportertest.NewNopSettings(metadata.Type), host, change)
}

// newPairSeen is a pair that a witness sees.
func newPairSeen(t *testing.T, seen *witness, change func(*Config)) pair {
	t.Helper()
	set := exportertest.NewNopSettings(metadata.Type)
	set.Logger = seen.logger
	return newPairOf(t, set, seen, change)
}

func newPairOf(t *testing.T, set exporter.Settings, host component.Host, change func(*Config)) pair {
	t.Helper()
	cfg := NewDefaultConfig()
	cfg.SQLite.Path = filepath.Join(t.TempDir(), "data", "runlog.db")
	if change != nil {
		change(cfg)
	}
	f := NewFactory()
	logs, err := f.CreateLogs(ctx, set, cfg)
	require.NoError(t, err)
	traces, err := f.CreateTraces(ctx, set, cfg)
	require.NoError(t, err)
	require.NoError(t, logs.Start(ctx, host))
	require.NoError(t, traces.Start(ctx, host))
	return pair{logs, traces, cfg.SQLite.Path}
}

// status is the run's status as a reader sees it, "" when the run is not there.
func (p pair) status(t require.TestingT, runID string) string {
	r, err := sqlitestore.OpenReader(p.path)
	require.NoError(t, err)
	defer r.Close()
	a, err := r.Query(ctx, "SELECT status FROM runs WHERE run_id = ?", runID)
	require.NoError(t, err)
	if len(a.Rows) == 0 {
		return ""
	}
	return a.Rows[0][0].(string)
}

func started(t *testing.T) plog.Logs {
	return logOf(t, semconv.EventRunStarted, 3, attrs{semconv.RunIDKey: "r1"})
}

func completed(t *testing.T) ptrace.Traces {
	return spanOf(t, attrs{semconv.RunIDKey: "r1", semconv.RunStatusKey: "completed", semconv.RunEndKey: "explicit"})
}

func TestARunIsSeenAsSoonAsItRunsAndWhenItEnded(t *testing.T) {
	for name, host := range map[string]component.Host{"queue in memory": componenttest.NewNopHost(), "queue in a storage": newStorageHost()} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, host, func(c *Config) {
				if _, ok := host.(storageHost); ok {
					c.QueueConfig.Get().StorageID = &storageID
				}
			})
			require.NoError(t, p.logs.ConsumeLogs(ctx, started(t)))
			require.Eventually(t, func() bool { return p.status(t, "r1") == "running" }, 10*time.Second, 10*time.Millisecond)
			require.NoError(t, p.traces.ConsumeTraces(ctx, completed(t)))
			require.Eventually(t, func() bool { return p.status(t, "r1") == "completed" }, 10*time.Second, 10*time.Millisecond)
			require.NoError(t, p.logs.Shutdown(ctx))
			require.NoError(t, p.traces.Shutdown(ctx))
		})
	}
}

func TestLogsAndTracesShareOneWriter(t *testing.T) {
	p := newPair(t, componenttest.NewNopHost(), nil)
	cfg := NewDefaultConfig()
	a, err := writerOf(cfg, exportertest.NewNopSettings(metadata.Type))
	require.NoError(t, err)
	b, err := writerOf(cfg, exportertest.NewNopSettings(metadata.Type))
	require.NoError(t, err)
	require.Same(t, a.Core(), b.Core())
	require.NoError(t, a.Shutdown(ctx))
	require.NoError(t, b.Shutdown(ctx))

	require.NoError(t, p.logs.Shutdown(ctx))
	require.NoError(t, p.traces.ConsumeTraces(ctx, completed(t)), "the other pipeline still writes")
	require.NoError(t, p.traces.Shutdown(ctx), "what is in the queue is written before the store is closed")
	assert.Equal(t, "completed", p.status(t, "r1"))
}

func TestStartSaysWhyTheStoreDoesNotOpen(t *testing.T) {
	cfg := NewDefaultConfig()
	cfg.SQLite.Path = filepath.Join(t.TempDir(), "notes.txt")
	require.NoError(t, os.WriteFile(cfg.SQLite.Path, []byte(strings.Repeat("notes", 1000)), 0o600))
	e, err := NewFactory().CreateLogs(ctx, exportertest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	require.ErrorContains(t, e.Start(ctx, componenttest.NewNopHost()), "is not a SQLite database")
	require.NoError(t, e.Shutdown(ctx))
}

func TestAnAbandonedRunIsCorrected(t *testing.T) {
	p := newPair(t, componenttest.NewNopHost(), func(c *Config) { c.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]() })
	require.NoError(t, p.traces.ConsumeTraces(ctx, completed(t)))
	// A replica's older opinion comes last, and changes nothing.
	require.NoError(t, p.traces.ConsumeTraces(ctx, spanOf(t, attrs{
		semconv.RunIDKey: "r1", semconv.RunStatusKey: "abandoned", semconv.RunEndKey: "abandoned", semconv.ErrorCodeKey: semconv.ErrorCodeAbandoned,
	}, failed(""))))
	assert.Equal(t, "completed", p.status(t, "r1"))
	require.NoError(t, p.traces.ConsumeTraces(ctx, spanOf(t, attrs{
		semconv.RunIDKey: "r2", semconv.RunStatusKey: "abandoned", semconv.RunEndKey: "abandoned", semconv.RunRevisionKey: 1, semconv.ErrorCodeKey: semconv.ErrorCodeAbandoned,
	}, failed(""))))
	assert.Equal(t, "abandoned", p.status(t, "r2"))
	require.NoError(t, p.traces.ConsumeTraces(ctx, spanOf(t, attrs{
		semconv.RunIDKey: "r2", semconv.RunStatusKey: "completed", semconv.RunEndKey: "explicit", semconv.RunRevisionKey: 5,
	})))
	r, err := sqlitestore.OpenReader(p.path)
	require.NoError(t, err)
	a, err := r.Query(ctx, "SELECT status, end_kind, error_code FROM runs WHERE run_id = 'r2'")
	require.NoError(t, err)
	assert.Equal(t, [][]any{{"completed", "explicit", nil}}, a.Rows, "nothing of the earlier end is left")
	require.NoError(t, r.Close())
	require.NoError(t, p.logs.Shutdown(ctx))
	require.NoError(t, p.traces.Shutdown(ctx))
}

func TestEveryTableIsFilled(t *testing.T) {
	p := newPair(t, componenttest.NewNopHost(), func(c *Config) {
		c.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
		c.StoreEvents = true
	})
	for range 2 { // the second time it writes nothing
		require.NoError(t, p.logs.ConsumeLogs(ctx, logOf(t, semconv.EventStageStarted, 3, attrs{
			semconv.RunIDKey: "r1", semconv.StageNameKey: "llm", semconv.EventTypeKey: "stage.llm.started", semconv.EventDataKey: attrs{"stage": "llm"},
		})))
		require.NoError(t, p.logs.ConsumeLogs(ctx, logOf(t, semconv.EventBreakerTransition, 4, attrs{
			semconv.EventTypeKey: "breaker.transition", semconv.EventSinkIDKey: "s",
			semconv.EventDataKey: attrs{"operation": "chat", "provider": "openai", "from_state": "open", "to_state": "closed", "generation": 2},
		})))
		require.NoError(t, p.traces.ConsumeTraces(ctx, spanOf(t, attrs{
			semconv.RunIDKey: "r1", semconv.CallIDKey: "c1", semconv.BreakerKeyKey: "chat/openai", semconv.BreakerTransitionKey: "closed>open",
		})))
		require.NoError(t, p.traces.ConsumeTraces(ctx, spanOf(t, attrs{
			semconv.RunIDKey: "r1", semconv.GenAIToolCallIDKey: "a1", semconv.ToolStatusKey: "completed",
		})))
	}
	r, err := sqlitestore.OpenReader(p.path)
	require.NoError(t, err)
	for table, want := range map[string]int64{"runs": 1, "stages": 1, "provider_calls": 1, "tool_calls": 1, "breaker_transitions": 2, "events": 2} {
		a, err := r.Query(ctx, "SELECT count(*) FROM "+table)
		require.NoError(t, err)
		assert.Equal(t, [][]any{{want}}, a.Rows, table)
	}
	a, err := r.Query(ctx, "SELECT run_id, type, time, data FROM events WHERE run_id <> ''")
	require.NoError(t, err)
	assert.Equal(t, [][]any{{"r1", "stage.llm.started", "1970-01-01T00:00:03.000000Z", `{"stage":"llm"}`}}, a.Rows)
	require.NoError(t, r.Close())
	require.NoError(t, p.logs.Shutdown(ctx))
	require.NoError(t, p.traces.Shutdown(ctx))
}

// fakeStore answers every Write with what the test wants.
type fakeStore struct {
	runlog.Store
	res runlog.Result
	err error
}

func (s fakeStore) Write(context.Context, *runlog.Batch) (runlog.Result, error) { return s.res, s.err }
func (s fakeStore) Close() error                                                { return nil }

func TestWhatTheStoreAnswers(t *testing.T) {
	boom := errors.New("too big")
	rejected := []runlog.Rejection{{Table: "stages", RunID: "r1", Key: "llm", Err: boom}}
	for name, tt := range map[string]struct {
		store     fakeStore
		permanent bool
		err       string
	}{
		"all stored":     {fakeStore{res: runlog.Result{Rows: map[string]int64{"runs": 1}}}, false, ""},
		"some stored":    {fakeStore{res: runlog.Result{Rows: map[string]int64{"runs": 1}, Rejected: rejected}}, false, ""},
		"nothing stored": {fakeStore{res: runlog.Result{Rejected: rejected}}, true, `stages of run "r1": too big`},
		"worth a try":    {fakeStore{err: errors.New("database is locked")}, false, "database is locked"},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := newWriter(NewDefaultConfig(), exportertest.NewNopSettings(metadata.Type))
			require.NoError(t, err)
			w.store = &opening{store: tt.store}
			err = w.writeLogs(ctx, started(t))
			if tt.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.err)
			}
			assert.Equal(t, tt.permanent, consumererror.IsPermanent(err))
			require.NoError(t, w.Shutdown(ctx))
		})
	}
}

func TestTelemetry(t *testing.T) {
	tel := componenttest.NewTelemetry()
	w, err := newWriter(NewDefaultConfig(), metadatatest.NewSettings(tel))
	require.NoError(t, err)
	w.store = &opening{store: fakeStore{res: runlog.Result{
		Rows: map[string]int64{"runs": 1, "stages": 2}, Conflicts: 3,
		Rejected: []runlog.Rejection{{Table: "provider_calls", RunID: "r1", Key: "c1", Err: errors.New("too big")}},
	}}}
	require.NoError(t, w.writeLogs(ctx, plog.NewLogs()), "nothing of ours: no write")
	require.NoError(t, w.writeTraces(ctx, completed(t)))

	point := func(n int64, table string) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String("table", table))}
	}
	noTime := metricdatatest.IgnoreTimestamp()
	metadatatest.AssertEqualExporterRunlogWrittenRows(t, tel, []metricdata.DataPoint[int64]{point(1, "runs"), point(2, "stages")}, noTime)
	metadatatest.AssertEqualExporterRunlogRejectedRows(t, tel, []metricdata.DataPoint[int64]{point(1, "provider_calls")}, noTime)
	metadatatest.AssertEqualExporterRunlogConflicts(t, tel, []metricdata.DataPoint[int64]{{Value: 3}}, noTime)
	metadatatest.AssertEqualExporterRunlogBatchRows(t, tel, []metricdata.HistogramDataPoint[int64]{{
		Count: 1, Sum: 1, Min: metricdata.NewExtrema[int64](1), Max: metricdata.NewExtrema[int64](1),
		Bounds:       []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000},
		BucketCounts: []uint64{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
	}}, noTime)
	metadatatest.AssertEqualExporterRunlogWriteDuration(t, tel, []metricdata.HistogramDataPoint[float64]{{Count: 1}}, noTime, metricdatatest.IgnoreValue())
	require.NoError(t, w.Shutdown(ctx))
	require.NoError(t, tel.Shutdown(ctx))
}

var storageID = component.MustNewID("file_storage")

// storageHost has one storage extension, which keeps what it is given in memory.
type storageHost struct {
	component.Host
	clients *sync.Map
}

func newStorageHost() storageHost { return storageHost{componenttest.NewNopHost(), &sync.Map{}} }

func (h storageHost) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{storageID: memoryStorage{h.clients}}
}

type memoryStorage struct{ clients *sync.Map }

func (memoryStorage) Start(context.Context, component.Host) error { return nil }
func (memoryStorage) Shutdown(context.Context) error              { return nil }

func (s memoryStorage) GetClient(_ context.Context, _ component.Kind, id component.ID, name string) (storage.Client, error) {
	c, _ := s.clients.LoadOrStore(id.String()+name, &memoryClient{values: map[string][]byte{}})
	return c.(*memoryClient), nil
}

type memoryClient struct {
	mu     sync.Mutex
	values map[string][]byte
}

func (c *memoryClient) Get(ctx context.Context, key string) ([]byte, error) {
	op := storage.GetOperation(key)
	err := c.Batch(ctx, op)
	return op.Value, err
}

func (c *memoryClient) Set(ctx context.Context, key string, value []byte) error {
	return c.Batch(ctx, storage.SetOperation(key, value))
}

func (c *memoryClient) Delete(ctx context.Context, key string) error {
	return c.Batch(ctx, storage.DeleteOperation(key))
}

func (c *memoryClient) Batch(_ context.Context, ops ...*storage.Operation) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, op := range ops {
		switch op.Type {
		case storage.Get:
			op.Value = c.values[op.Key]
		case storage.Set:
			c.values[op.Key] = op.Value
		case storage.Delete:
			delete(c.values, op.Key)
		}
	}
	return nil
}

func (c *memoryClient) Close(context.Context) error { return nil }

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/stageflow/otelcol-stageflow/exporter/runlogexporter/internal/metadatatest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// pruneStore remembers when it was pruned, and answers in turn.
type pruneStore struct {
	fakeStore
	answers []runlog.Pruned
	errs    []error
	begin   time.Time

	mu    sync.Mutex
	calls []time.Duration
	asked runlog.Retention
}

func (s *pruneStore) seen() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *pruneStore) Prune(_ context.Context, r runlog.Retention, now time.Time) (p runlog.Pruned, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = r
	s.calls = append(s.calls, now.Sub(s.begin))
	if n := len(s.calls) - 1; n < len(s.answers) {
		p, err = s.answers[n], s.errs[n]
	}
	return p, err
}

func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := componenttest.NewTelemetry()
		cfg := NewDefaultConfig()
		cfg.Retention = RetentionConfig{MaxAge: time.Hour, MaxBytes: 5}
		w, err := newWriter(cfg, metadatatest.NewSettings(tel))
		require.NoError(t, err)
		store := &pruneStore{
			begin: time.Now(),
			answers: []runlog.Pruned{
				{Rows: map[string]int64{"runs": 500, "stages": 700}, More: true}, {Rows: map[string]int64{"runs": 3}, More: true}, {}, {More: true}, {},
			},
			errs: []error{nil, nil, nil, errors.New("locked"), nil},
		}
		w.store = store
		w.startRetention()
		synctest.Wait()
		assert.Equal(t, []time.Duration{0, 0, 0}, store.seen(), "step by step until nothing is left")
		time.Sleep(pruneInterval)
		synctest.Wait()
		assert.Equal(t, []time.Duration{0, 0, 0, pruneInterval}, store.seen(), "an error is no reason to try at once")
		time.Sleep(pruneInterval)
		synctest.Wait()
		assert.Len(t, store.seen(), 5)
		assert.Equal(t, runlog.Retention{MaxAge: time.Hour, MaxBytes: 5}, store.asked)

		point := func(n int64, table string) metricdata.DataPoint[int64] {
			return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String("table", table))}
		}
		metadatatest.AssertEqualExporterRunlogPrunedRows(t, tel, []metricdata.DataPoint[int64]{point(503, "runs"), point(700, "stages")}, metricdatatest.IgnoreTimestamp())
		require.NoError(t, w.Shutdown(ctx))
		time.Sleep(10 * pruneInterval)
		assert.Len(t, store.seen(), 5, "it ends with the writer")
		require.NoError(t, tel.Shutdown(ctx))
	})
}

func TestNoRetentionPrunesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := newWriter(NewDefaultConfig(), metadatatest.NewSettings(componenttest.NewTelemetry()))
		require.NoError(t, err)
		store := &pruneStore{}
		w.store = store
		w.startRetention()
		time.Sleep(10 * pruneInterval)
		synctest.Wait()
		assert.Empty(t, store.seen())
		require.NoError(t, w.Shutdown(ctx))
	})
}

func TestRetentionPrunesTheStore(t *testing.T) {
	cfg := NewDefaultConfig()
	cfg.SQLite.Path = filepath.Join(t.TempDir(), "runlog.db")
	cfg.Retention.MaxAge = time.Hour
	w, err := newWriter(cfg, metadatatest.NewSettings(componenttest.NewTelemetry()))
	require.NoError(t, err)
	require.NoError(t, w.Start(ctx, componenttest.NewNopHost()))
	defer func() { require.NoError(t, w.Shutdown(ctx)) }()
	p := pair{path: cfg.SQLite.Path}
	require.NoError(t, w.writeLogs(ctx, started(t)))
	require.NoError(t, w.writeLogs(ctx, logOf(t, semconv.EventRunStarted, int(time.Now().Unix()), attrs{semconv.RunIDKey: "today"})))
	w.prune(ctx, runlog.Retention{MaxAge: time.Hour})
	assert.Empty(t, p.status(t, "r1"), "of 1970")
	assert.Equal(t, "running", p.status(t, "today"))
}

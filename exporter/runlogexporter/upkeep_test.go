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
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/stageflow/otelcol-stageflow/exporter/runlogexporter/internal/metadatatest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// upkeepStore remembers what it was asked for when, and answers in turn.
type upkeepStore struct {
	fakeStore
	pruned   []runlog.Pruned
	errs     []error
	retained []runlog.Retained
	begin    time.Time

	mu       sync.Mutex
	prunes   []time.Duration
	measures []time.Duration
	asked    runlog.Retention
}

// seen is when the store was pruned and measured.
func (s *upkeepStore) seen() (prunes, measures []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.prunes), slices.Clone(s.measures)
}

func (s *upkeepStore) Prune(_ context.Context, r runlog.Retention, now time.Time) (p runlog.Pruned, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = r
	s.prunes = append(s.prunes, now.Sub(s.begin))
	if n := len(s.prunes) - 1; n < len(s.pruned) {
		p, err = s.pruned[n], s.errs[n]
	}
	return p, err
}

// Retained fails when there is no answer left.
func (s *upkeepStore) Retained(context.Context) (runlog.Retained, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measures = append(s.measures, time.Since(s.begin))
	if n := len(s.measures) - 1; n < len(s.retained) {
		return s.retained[n], nil
	}
	return runlog.Retained{}, errors.New("locked")
}

func TestUpkeepPrunes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := componenttest.NewTelemetry()
		cfg := NewDefaultConfig()
		cfg.Retention = RetentionConfig{MaxAge: time.Hour, MaxBytes: 5}
		w, err := newWriter(cfg, metadatatest.NewSettings(tel))
		require.NoError(t, err)
		store := &upkeepStore{
			begin: time.Now(),
			pruned: []runlog.Pruned{
				{Rows: map[string]int64{"runs": 500, "stages": 700}, More: true}, {Rows: map[string]int64{"runs": 3}, More: true}, {}, {More: true}, {},
			},
			errs: []error{nil, nil, nil, errors.New("locked"), nil},
		}
		w.store = &opening{store: store}
		w.startUpkeep()
		synctest.Wait()
		prunes, measures := store.seen()
		assert.Equal(t, []time.Duration{0, 0, 0}, prunes, "step by step until nothing is left")
		assert.Equal(t, []time.Duration{0}, measures, "once a round")
		time.Sleep(upkeepInterval)
		synctest.Wait()
		prunes, measures = store.seen()
		assert.Equal(t, []time.Duration{0, 0, 0, upkeepInterval}, prunes, "an error is no reason to try at once")
		assert.Equal(t, []time.Duration{0, upkeepInterval}, measures, "nor not to measure")
		time.Sleep(upkeepInterval)
		synctest.Wait()
		prunes, _ = store.seen()
		assert.Len(t, prunes, 5)
		assert.Equal(t, runlog.Retention{MaxAge: time.Hour, MaxBytes: 5}, store.asked)

		point := func(n int64, table string) metricdata.DataPoint[int64] {
			return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String("table", table))}
		}
		metadatatest.AssertEqualExporterRunlogPrunedRows(t, tel, []metricdata.DataPoint[int64]{point(503, "runs"), point(700, "stages")}, metricdatatest.IgnoreTimestamp())
		require.NoError(t, w.Shutdown(ctx))
		time.Sleep(10 * upkeepInterval)
		prunes, measures = store.seen()
		assert.Len(t, prunes, 5, "it ends with the writer")
		assert.Len(t, measures, 3)
		require.NoError(t, tel.Shutdown(ctx))
	})
}

func TestUpkeepMeasures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := componenttest.NewTelemetry()
		set := metadatatest.NewSettings(tel)
		core, logs := observer.New(zap.WarnLevel)
		set.Logger = zap.New(core)
		w, err := newWriter(NewDefaultConfig(), set)
		require.NoError(t, err)
		begin := time.Now()
		store := &upkeepStore{begin: begin, retained: []runlog.Retained{
			{Bytes: 4096},
			{Bytes: 8192, Oldest: begin.Add(-time.Hour)},
			{Bytes: 8192, Oldest: begin.Add(time.Hour)},
		}}
		w.store = &opening{store: store}
		tells := func(bytes int64, age ...float64) {
			t.Helper()
			noTime := metricdatatest.IgnoreTimestamp()
			metadatatest.AssertEqualExporterRunlogRetainedBytes(t, tel, []metricdata.DataPoint[int64]{{Value: bytes}}, noTime)
			if len(age) > 0 {
				metadatatest.AssertEqualExporterRunlogRetainedAge(t, tel, []metricdata.DataPoint[float64]{{Value: age[0]}}, noTime)
			} else {
				silent(t, tel, "retained_age")
			}
		}
		round := func() {
			time.Sleep(upkeepInterval)
			synctest.Wait()
		}
		silent(t, tel, "retained")
		w.startUpkeep()
		synctest.Wait()
		tells(4096)
		round()
		assert.Equal(t, runlog.Retention{}, store.asked, "nothing is pruned")
		tells(8192, 3660)
		time.Sleep(upkeepInterval / 2)
		tells(8192, 3660)
		_, measures := store.seen()
		assert.Equal(t, []time.Duration{0, upkeepInterval}, measures, "who collects metrics does not ask the store")
		time.Sleep(upkeepInterval / 2)
		synctest.Wait()
		tells(8192, 0)
		assert.Empty(t, logs.All())
		round()
		silent(t, tel, "retained")
		round()
		assert.Equal(t, 2, logs.FilterMessageSnippet("could not be measured").Len(), "once a round")

		store.mu.Lock()
		store.retained = make([]runlog.Retained, 10)
		store.mu.Unlock()
		round()
		tells(0)
		require.NoError(t, w.Shutdown(ctx))
		silent(t, tel, "retained")
		require.NoError(t, tel.Shutdown(ctx))
	})
}

// silent asserts that no metric whose name has the part tells anything.
func silent(t *testing.T, tel *componenttest.Telemetry, part string) {
	t.Helper()
	var rm metricdata.ResourceMetrics
	require.NoError(t, tel.Reader.Collect(ctx, &rm))
	for _, scope := range rm.ScopeMetrics {
		for _, m := range scope.Metrics {
			assert.NotContains(t, m.Name, part)
		}
	}
}

func TestUpkeepOfAStore(t *testing.T) {
	tel := componenttest.NewTelemetry()
	cfg := NewDefaultConfig()
	cfg.SQLite.Path = filepath.Join(t.TempDir(), "runlog.db")
	w, err := newWriter(cfg, metadatatest.NewSettings(tel))
	require.NoError(t, err)
	require.NoError(t, w.Start(ctx, componenttest.NewNopHost()))
	p := pair{path: cfg.SQLite.Path}
	require.NoError(t, w.writeLogs(ctx, started(t)))
	require.NoError(t, w.writeLogs(ctx, logOf(t, semconv.EventRunStarted, int(time.Now().Unix()), attrs{semconv.RunIDKey: "today"})))
	w.stopUpkeep() // rounds are made by hand
	w.round(ctx)
	assert.Greater(t, w.retained.Load().age, 50*365*24*time.Hour, "of 1970")
	w.config.Retention.MaxAge = time.Hour
	w.round(ctx)
	assert.Empty(t, p.status(t, "r1"), "of 1970")
	assert.Equal(t, "running", p.status(t, "today"))
	assert.Less(t, w.retained.Load().age, time.Hour)
	assert.Positive(t, w.retained.Load().bytes)
	require.NoError(t, w.Shutdown(ctx))
	require.NoError(t, tel.Shutdown(ctx))
}

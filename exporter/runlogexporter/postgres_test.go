// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/exporter/runlogexporter/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// From pdata to the views, by the postgres store.
func TestPostgres(t *testing.T) {
	defer pgtest.Stop()
	dsn := pgtest.Database(t)
	cfg := NewDefaultConfig()
	cfg.Store = StorePostgres
	cfg.Postgres.DSN = configopaque.String(dsn)
	require.NoError(t, cfg.Validate())
	assert.NotContains(t, fmt.Sprint(*cfg), dsn, "the DSN may hold a password")

	w, err := newWriter(cfg, exportertest.NewNopSettings(metadata.Type))
	require.NoError(t, err)
	require.NoError(t, w.Start(ctx, nil))
	require.NoError(t, w.writeLogs(ctx, postgresLogs()))
	require.NoError(t, w.Shutdown(ctx))

	c, err := pgx.Connect(ctx, dsn)
	require.NoError(t, err)
	defer c.Close(ctx)
	var runs, stages int
	require.NoError(t, c.QueryRow(ctx, "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM stages)").Scan(&runs, &stages))
	assert.Equal(t, []int{1, 1}, []int{runs, stages})
}

// postgresLogs are the first events of a run.
func postgresLogs() plog.Logs {
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for name, attributes := range map[semconv.EventName]map[string]any{
		semconv.EventRunStarted:   {semconv.RunIDKey: "run-1"},
		semconv.EventStageStarted: {semconv.RunIDKey: "run-1", semconv.StageNameKey: "llm"},
	} {
		r := records.AppendEmpty()
		r.SetEventName(string(name))
		r.SetTimestamp(ts(2))
		_ = r.Attributes().FromRaw(attributes)
	}
	return logs
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/exporter/runlogexporter/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
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

// What the README tells administrators to run gives the collector all it needs, and dashboards no more than to read.
func TestPostgresRightsInTheReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(readme), "\n## PostgreSQL\n")
	require.True(t, found)
	_, section, _ = strings.Cut(section, "```sql\n")
	rights, _, found := strings.Cut(section, "```\n")
	require.True(t, found)

	defer pgtest.Stop()
	server := strings.Fields(pgtest.Database(t))[0]
	as := func(user string) string { return server + " dbname=company user=" + user }
	// As on managed servers, the administrator is no superuser.
	pgtest.Exec(t, server+" dbname=postgres user=postgres", "CREATE ROLE administrator LOGIN CREATEROLE")
	pgtest.Exec(t, server+" dbname=postgres user=postgres", "CREATE DATABASE company OWNER administrator")
	pgtest.Exec(t, as("administrator"), rights)

	cfg := NewDefaultConfig()
	cfg.Store = StorePostgres
	cfg.Postgres.DSN, cfg.Postgres.Schema = configopaque.String(as("collector")), "runlog"
	cfg.Retention.MaxAge = time.Hour
	w, err := newWriter(cfg, exportertest.NewNopSettings(metadata.Type))
	require.NoError(t, err)
	require.NoError(t, w.Start(ctx, nil))
	w.stopUpkeep() // a round is made by hand
	require.NoError(t, w.writeLogs(ctx, started(t)))
	w.round(ctx) // it is of 1970
	require.NoError(t, w.writeLogs(ctx, logOf(t, semconv.EventRunStarted, int(time.Now().Unix()), attrs{semconv.RunIDKey: "today"})))
	w.round(ctx)
	require.NotNil(t, w.retained.Load())
	assert.Less(t, w.retained.Load().age, time.Hour)
	require.NoError(t, w.Shutdown(ctx))

	// Who comes after the collector needs the second half only.
	_, later, found := strings.Cut(rights, "\n\n")
	require.True(t, found)
	pgtest.Exec(t, as("administrator"), strings.ReplaceAll(later, "dashboards", "latecomers"))
	for _, user := range []string{"dashboards", "latecomers"} {
		readsOnly(t, as(user))
	}
}

// readsOnly checks that a user sees the one run of a log, and may change nothing.
func readsOnly(t *testing.T, dsn string) {
	r, err := reader.Open(ctx, dsn)
	require.NoError(t, err)
	defer r.Close()
	runs, err := r.Runs(ctx, reader.Filter{})
	require.NoError(t, err)
	require.Len(t, runs, 1)
	assert.Equal(t, "today", runs[0].Text("run_id"))
	_, err = r.Run(ctx, "today")
	require.NoError(t, err)

	c, err := pgx.Connect(ctx, dsn)
	require.NoError(t, err)
	defer c.Close(ctx)
	for _, v := range runlog.Views {
		_, err := c.Exec(ctx, "SELECT * FROM "+v.Name)
		require.NoError(t, err, v.Name)
	}
	for _, sql := range []string{"DELETE FROM runs_data", "UPDATE runlog_schema SET version = 0", "CREATE TABLE mine (id int)"} {
		_, err := c.Exec(ctx, sql)
		require.ErrorContains(t, err, "permission denied", sql)
	}
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

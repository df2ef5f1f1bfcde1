// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"
)

// grafana stands in for what Grafana writes into a query.
var grafana = strings.NewReplacer(
	"$__timeFilter(started_at)", "started_at BETWEEN '2026-11-22T00:00:00Z' AND '2026-11-23T00:00:00Z'",
	"$__timeFilter(at)", "at BETWEEN '2026-11-22T00:00:00Z' AND '2026-11-23T00:00:00Z'",
	"$__timeGroupAlias(started_at, $__interval)", `to_timestamp(floor(extract(epoch FROM started_at) / 60) * 60) AS "time"`,
	"$pipeline", "'chat','voice'",
)

// Every query of the dashboard is one that the store answers.
func TestDashboardQueries(t *testing.T) {
	dsn := pgtest.Database(t)
	require.NoError(t, open(t, Options{DSN: dsn}).Close())
	for _, sql := range dashboardQueries(t) {
		query(t, dsn, sql)
	}
}

// dashboardQueries are all queries of the dashboard, as Grafana sends them.
func dashboardQueries(t *testing.T) (queries []string) {
	raw, err := os.ReadFile("../../../config/dashboards/runlog-postgresql.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ RawSQL string }
		}
		Templating struct {
			List []struct{ Type, Query string }
		}
	}
	require.NoError(t, json.Unmarshal(raw, &dashboard))
	require.NotEmpty(t, dashboard.Panels)
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			sql := grafana.Replace(target.RawSQL)
			require.NotContains(t, sql, "$", panel.Title)
			queries = append(queries, sql)
		}
	}
	for _, v := range dashboard.Templating.List {
		if v.Type == "query" {
			queries = append(queries, v.Query)
		}
	}
	return queries
}

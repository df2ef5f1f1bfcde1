// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/sqlitestore"
	"github.com/stageflow/otelcol-stageflow/internal/testbed"
)

const (
	binary        = "../../bin/otelcol-stageflow"
	defaultConfig = "../../config/default.yaml"
	capturesDir   = "../../testdata/captures"
)

// quick makes silence count sooner: most captures have runs whose events tell no end.
const quick = `
receivers:
  stageflow:
    runs: {settle: 300ms, idle_timeout: 1s, abandon_after: 2s}
`

// start starts the collector with its files in dir; the test fails with its last log lines when it does not stop well.
func start(t *testing.T, dir, overrides string) *testbed.Collector {
	t.Helper()
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("%s is missing: run make build", binary)
	}
	c, err := testbed.Start(t.Context(), options(dir, overrides))
	require.NoError(t, err)
	t.Cleanup(c.Kill)
	return c
}

func options(dir, overrides string) testbed.Options {
	return testbed.Options{Binary: binary, Config: defaultConfig, Dir: dir, Overrides: overrides}
}

func settled(t *testing.T, c *testbed.Collector) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, c.Settled(ctx))
}

// query reads the run log as people do, through its views.
func query(t *testing.T, path, text string, args ...any) []map[string]any {
	t.Helper()
	r, err := sqlitestore.OpenReader(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	answer, err := r.Query(t.Context(), text, args...)
	require.NoError(t, err)
	rows := make([]map[string]any, 0, len(answer.Rows))
	for _, cells := range answer.Rows {
		row := map[string]any{}
		for i, column := range answer.Columns {
			row[column] = cells[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// everything is the whole run log as text, a line per row.
func everything(t *testing.T, path string) []string {
	t.Helper()
	var lines []string
	for _, table := range []string{"runs ORDER BY run_id", "stages ORDER BY run_id, name, attempt", "provider_calls ORDER BY run_id, call_id"} {
		for _, row := range query(t, path, "SELECT * FROM "+table) {
			lines = append(lines, fmt.Sprint(table[:5], row))
		}
	}
	require.NotEmpty(t, lines)
	return lines
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/captures"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
)

// both writes every run log record into both kinds of store.
const both = quick + `
exporters:
  runlog/teams:
    store: postgres
    postgres: {dsn: %q}
    store_events: true
    sending_queue: {storage: file_storage}
  runlog:
    store_events: true
service:
  pipelines:
    logs: {exporters: [runlog, runlog/teams]}
    traces: {exporters: [runlog, runlog/teams]}
`

// Both stores tell the same of every capture, although PostgreSQL is killed and comes back, and so is the collector.
func TestPostgres(t *testing.T) {
	server := pgtest.Start(t)
	dsn := server.Database(t)
	dir := t.TempDir()
	c := start(t, dir, fmt.Sprintf(both, dsn))
	all, err := captures.Load(capturesDir)
	require.NoError(t, err)
	for i, capture := range all {
		switch i {
		case len(all) / 4:
			server.Kill()
		case len(all) / 2:
			require.NoError(t, server.Restart())
		case 3 * len(all) / 4:
			c.Kill()
			c = start(t, dir, fmt.Sprintf(both, dsn))
		}
		code, answer, err := c.Post(t.Context(), capture.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, code, string(answer))
	}
	settled(t, c)
	require.NoError(t, c.Stop())

	want, got := exported(t, c.Database), exported(t, dsn)
	require.Greater(t, len(want), 100)
	require.Len(t, got, len(want))
	for i := range want {
		assert.Equal(t, want[i], got[i])
	}
}

// exported are all runs with everything under them, as JSON with sorted keys, in the order of their ids. What happened at
// one time is in any order.
func exported(t *testing.T, target string) []string {
	r, err := reader.Open(t.Context(), target)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	var out []string
	require.NoError(t, r.Each(t.Context(), reader.Filter{}, func(d *reader.Detail) error {
		line, err := json.Marshal(d)
		if err != nil {
			return err
		}
		out = append(out, canonical(t, line))
		return nil
	}))
	slices.Sort(out)
	return out
}

func canonical(t *testing.T, line []byte) string {
	var run map[string]any
	require.NoError(t, json.Unmarshal(line, &run))
	if events, ok := run["events"].([]any); ok {
		slices.SortFunc(events, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
	sorted, err := json.Marshal(run)
	require.NoError(t, err)
	return string(sorted)
}

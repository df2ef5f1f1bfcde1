// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/runlogtest"
)

func TestTheOldestRunIsOneSearch(t *testing.T) {
	dsn := pgtest.Database(t)
	s := open(t, Options{DSN: dsn})
	defer s.Close()
	c, err := pgx.Connect(ctx, dsn+" options='-c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off'") // as if there were many
	require.NoError(t, err)
	defer c.Close(ctx)
	rows, err := c.Query(ctx, "EXPLAIN "+s.oldestRun())
	require.NoError(t, err)
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	assert.Contains(t, strings.Join(plan, "\n"), "Index Scan using runs_updated_at")
	assert.NotContains(t, strings.Join(plan, "\n"), "Sort")
}

// A server may tell nothing of its tables: after a crash, in Citus, in CockroachDB.
func TestRetainedWithoutStatistics(t *testing.T) {
	dsn := pgtest.Start(t, "-c", "track_counts=off").Database(t)
	s := open(t, Options{DSN: dsn})
	defer s.Close()
	empty, err := s.Retained(ctx)
	require.NoError(t, err)
	assert.Zero(t, empty.Bytes)
	_, err = s.Write(ctx, runlogtest.Batch(runlogtest.Run("run-1", 0), runlogtest.Run("run-2", 0)))
	require.NoError(t, err)
	r, err := s.Retained(ctx)
	require.NoError(t, err)
	assert.Greater(t, r.Bytes, int64(2*rowHeader))
	_, runs, err := s.size(ctx)
	require.NoError(t, err)
	assert.Equal(t, int64(2), runs)
}

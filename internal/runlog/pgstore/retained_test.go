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

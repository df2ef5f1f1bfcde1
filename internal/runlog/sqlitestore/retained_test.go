// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheOldestRunIsOneSearch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	require.NoError(t, open(t, path).Close())
	plan := query(t, path, "EXPLAIN QUERY PLAN "+oldestRun())
	require.Len(t, plan, 1)
	assert.Contains(t, plan[0][3], "SEARCH runs_data USING COVERING INDEX runs_updated_at")
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/runlogtest"
)

// As managed servers want it: the DSN alone says whom to trust.
func TestTLS(t *testing.T) {
	server, host, certificate := pgtest.StartTLS(t)
	local := server.Database(t)
	_, database, _ := strings.Cut(local, "dbname=")
	dsn := fmt.Sprintf("postgres://postgres@%s/%s?sslmode=verify-full&sslrootcert=%s", host, database, certificate)
	require.Eventually(t, func() bool { // the server reads its configuration again in its own time
		s, err := Open(ctx, Options{DSN: dsn})
		if err != nil {
			return false
		}
		defer s.Close()
		res, err := s.Write(ctx, runlogtest.Batch(runlogtest.Run("run-1", 0)))
		require.NoError(t, err)
		assert.EqualValues(t, 1, res.Rows["runs"])
		assert.Equal(t, []string{"true"}, query(t, local,
			"SELECT DISTINCT s.ssl::text FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'otelcol-stageflow'"))
		return true
	}, 20*time.Second, 20*time.Millisecond)

	_, err := Open(ctx, Options{DSN: strings.ReplaceAll(dsn, "&sslrootcert="+certificate, "")})
	require.ErrorContains(t, err, "certificate", "nobody vouches for the server")
	assert.NotContains(t, err.Error(), "\n")
}

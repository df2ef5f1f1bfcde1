// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/runlogtest"
)

func TestAFullDiskRecovers(t *testing.T) {
	dir := runlogtest.SmallDisk(t, "2m")
	path := filepath.Join(dir, "runlog.db")
	s := open(t, path)
	defer s.Close()
	stored := 0
	var b *runlog.Batch
	for i := 0; ; i++ {
		require.Less(t, i, 20, "the disk is full some time")
		b = large(string(rune('a' + i)))
		res, err := s.Write(ctx, b)
		if err != nil {
			oneLine(t, err, path, "make room on the disk")
			assert.Empty(t, res.Rejected)
			break
		}
		stored += 100
	}
	assert.Equal(t, [][]any{{int64(stored)}}, query(t, path, "SELECT count(*) FROM runs"), "all of what was taken is there")
	checkIntegrity(t, s)

	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=20m"))
	_, err := s.Write(ctx, b)
	require.NoError(t, err, "the same batch, when there is room again")
	assert.Equal(t, [][]any{{int64(stored + 100)}}, query(t, path, "SELECT count(*) FROM runs"))
	checkIntegrity(t, s)
}

func TestAReadOnlyDisk(t *testing.T) {
	dir := runlogtest.SmallDisk(t, "20m")
	path := filepath.Join(dir, "runlog.db")
	require.NoError(t, open(t, path).Close())
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=20m"))
	_, err := Open(path)
	oneLine(t, err, path, "make the file and its directory writable for this user")
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=20m"))
	require.NoError(t, open(t, path).Close())
}

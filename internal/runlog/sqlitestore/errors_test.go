// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// oneLine checks that an error says on one line which run log, and what to do.
func oneLine(t *testing.T, err error, path, want string) {
	t.Helper()
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, want)
	assert.NotContains(t, err.Error(), "\n", "one line")
}

// large is a batch that needs some hundred pages.
func large(name string) *runlog.Batch {
	b := runlog.NewBatch()
	for i := range 100 {
		r := run(fmt.Sprintf("%s-%03d", name, i), int64(i))
		r.SetAttribute("text", `"`+strings.Repeat("x", 5000)+`"`)
		b.Add(r)
	}
	return b
}

func TestAFullDatabaseRecovers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	write(t, s, run("before", 0))
	pages, err := s.conn.number("PRAGMA page_count")
	require.NoError(t, err)
	_, err = s.conn.number(fmt.Sprintf("PRAGMA max_page_count = %d", pages+20))
	require.NoError(t, err)
	b := large("full")
	for range 2 {
		res, err := s.Write(ctx, b)
		oneLine(t, err, path, "make room on the disk")
		assert.Equal(t, sqlite3.SQLITE_FULL, code(err))
		assert.Empty(t, res.Rejected, "it is worth another try")
	}
	assert.Equal(t, [][]any{{"before"}}, query(t, path, "SELECT run_id FROM runs"), "a batch is stored whole or not at all")
	checkIntegrity(t, s)

	_, err = s.conn.number("PRAGMA max_page_count = 1073741823")
	require.NoError(t, err)
	_, err = s.Write(ctx, b)
	require.NoError(t, err, "the same batch, when there is room again")
	assert.Len(t, query(t, path, "SELECT run_id FROM runs"), 101)
	checkIntegrity(t, s)
}

func TestAFullDatabaseCanBePruned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	_, err := s.Write(ctx, large("old"))
	require.NoError(t, err)
	pages, err := s.conn.number("PRAGMA page_count")
	require.NoError(t, err)
	_, err = s.conn.number(fmt.Sprintf("PRAGMA max_page_count = %d", pages+5))
	require.NoError(t, err)
	_, err = s.Write(ctx, large("new"))
	require.Error(t, err)
	pruneAll(t, s, runlog.Retention{MaxBytes: 1}, at0)
	_, err = s.Write(ctx, large("new"))
	require.NoError(t, err)
	checkIntegrity(t, s)
}

func TestALockedDatabaseDoesNotOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	require.NoError(t, open(t, path).Close())
	other, err := openConn(path)
	require.NoError(t, err)
	defer other.Close()
	for _, lock := range []string{"BEGIN IMMEDIATE", "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE"} {
		require.NoError(t, other.exec(lock))
		_, err = Open(path, withBusyTimeout(0))
		oneLine(t, err, path, "another process holds it")
		require.NoError(t, other.exec("ROLLBACK"))
	}
}

func TestADamagedDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	_, err := s.Write(ctx, large("run"))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, damage := range map[string]func() []byte{
		"the schema": func() []byte {
			return append(append([]byte{}, file[:100]...), append([]byte(strings.Repeat("\xff", 4000)), file[4100:]...)...)
		},
		"half of it gone": func() []byte { return file[:len(file)/2] },
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, damage(), 0o600))
			s, err := Open(path)
			if err == nil { // what is damaged was not looked at yet
				_, err = s.Write(ctx, large("run"))
				assert.NoError(t, s.Close())
			}
			oneLine(t, err, path, "the file is damaged; restore it, or move it away to begin anew")
		})
	}
}

func TestSynchronous(t *testing.T) {
	for want, synchronous := range Synchronouses {
		s, err := Open(filepath.Join(t.TempDir(), "runlog.db"), WithSynchronous(synchronous))
		require.NoError(t, err)
		got, err := s.conn.number("PRAGMA synchronous")
		require.NoError(t, err)
		assert.EqualValues(t, []int{1, 2, 0}[want], got, synchronous)
		require.NoError(t, s.Close())
	}
}

// Another collector that is just making the same new database is waited for.
func TestOpenWaitsForAnotherThatOpens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	first, err := openConn(path)
	require.NoError(t, err)
	require.NoError(t, first.exec("BEGIN IMMEDIATE"))
	waited := 0
	s, err := Open(path, withWait(func(time.Duration) {
		if waited++; waited == 3 {
			require.NoError(t, first.exec("COMMIT"))
		}
	}))
	require.NoError(t, err)
	assert.Equal(t, 3, waited)
	require.NoError(t, s.Close())
	require.NoError(t, first.Close())

	// For as long as the busy timeout says and no longer.
	path = filepath.Join(t.TempDir(), "runlog.db")
	first, err = openConn(path)
	require.NoError(t, err)
	require.NoError(t, first.exec("BEGIN IMMEDIATE"))
	passed := time.Duration(0)
	_, err = Open(path, withBusyTimeout(time.Second), withWait(func(d time.Duration) { passed += d }))
	require.ErrorContains(t, err, "another process holds it")
	assert.Equal(t, time.Second, passed)
	require.NoError(t, first.Close())
}

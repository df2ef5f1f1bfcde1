// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/runlogtest"
)

// What was not committed must not be believed to be stored.
func TestWhatWasRolledBackIsForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	write(t, s, run("run-1", 0))
	later := func() *runlog.Batch {
		return runlogtest.Batch(run("run-1", 1), runlogtest.Stage("run-1", "llm", 1, false), run("run-2", 1))
	}
	_, err := s.Write(&expiring{Context: ctx, left: 1}, later())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	res, err := s.Write(ctx, later())
	require.NoError(t, err)
	assert.Equal(t, map[string]int64{"runs": 2, "stages": 1}, res.Rows)
	assert.Equal(t, [][]any{{"run-1"}, {"run-2"}}, query(t, path, "SELECT run_id FROM runs ORDER BY 1"))
	assert.Equal(t, [][]any{{"llm"}}, query(t, path, "SELECT name FROM stages"))
}

// expiring is a context that is looked at so many times before its time is up.
type expiring struct {
	context.Context
	left int
}

func (e *expiring) Err() error {
	if e.left--; e.left >= 0 {
		return nil
	}
	return context.DeadlineExceeded
}

// Log facts are remembered until the span comes; then nothing is read, not even what somebody damaged in a way that
// SQLite does not notice.
func TestWhatIsRememberedIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	b := runlog.NewBatch()
	runlogtest.Started(b, 1)
	_, err := s.Write(ctx, b)
	require.NoError(t, err)
	require.NoError(t, s.conn.exec("UPDATE stages_data SET merge = x'ff'; UPDATE runs_data SET merge = x'ff'"))
	b = runlog.NewBatch()
	runlogtest.Ended(b, 1)
	res, err := s.Write(ctx, b)
	require.NoError(t, err)
	assert.Empty(t, res.Rejected)
	assert.Zero(t, s.recent.runs.Len(), "the run has ended")
	assert.Zero(t, s.recent.bytes)
}

func TestARunThatIsNeitherThereNorCanBeAdded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	require.NoError(t, s.conn.exec("CREATE TRIGGER no BEFORE INSERT ON runs_data WHEN NEW.run_id = 'run-1' BEGIN SELECT RAISE(IGNORE); END"))
	res := write(t, s, run("run-1", 1), run("run-2", 1))
	require.Len(t, res.Rejected, 1)
	require.ErrorIs(t, res.Rejected[0].Err, errDamaged)
	assert.Equal(t, [][]any{{"run-2"}}, query(t, path, "SELECT run_id FROM runs"))
}

func TestOnlySoMuchIsRemembered(t *testing.T) {
	r := newRecent()
	row := func(size int) *runlog.Row {
		row := run("run", 0)
		row.Set(runlog.Runs.Column("service"), runlog.TextValue(strings.Repeat("x", size)))
		return row
	}
	for n := range maxRecent + 10 {
		r.put(runlogtest.StoryID(n), &knownRun{row: row(1000)})
	}
	assert.LessOrEqual(t, r.bytes, maxRecentBytes)
	assert.Greater(t, r.bytes, maxRecentBytes-3000)
	assert.Nil(t, r.take(runlogtest.StoryID(0)), "the oldest went")

	before := r.runs.Len()
	r.put("large", &knownRun{row: row(maxRecentRun)})
	assert.Equal(t, before, r.runs.Len(), "a large run would push out many")

	last := runlogtest.StoryID(maxRecent + 9)
	known := r.take(last)
	require.NotNil(t, known)
	r.put(last, known)
	assert.Equal(t, before, r.runs.Len())

	r.at(7)
	assert.Zero(t, r.runs.Len(), "another process has written")
	assert.Zero(t, r.bytes)
}

func TestManyShapesOfRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	optional := []string{"parent_run_id", "parent_stage", "pipeline_name", "topology", "execution_mode", "service", "user_id", "session_id"}
	b := runlog.NewBatch()
	for n := range 1 << len(optional) {
		r := run(runlogtest.StoryID(n), 0)
		for i, column := range optional {
			if n>>i&1 == 1 {
				r.Set(runlog.Runs.Column(column), runlog.TextValue(column))
			}
		}
		b.Add(r)
	}
	_, err := s.Write(ctx, b)
	require.NoError(t, err)
	assert.Equal(t, maxShapes, s.statements[runlog.Runs].inserts.Len())
	for _, column := range optional {
		assert.Equal(t, [][]any{{int64(128)}}, query(t, path, "SELECT count(*) FROM runs WHERE "+column+" = '"+column+"'"))
	}
}

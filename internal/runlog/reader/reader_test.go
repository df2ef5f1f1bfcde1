// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader/readertest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/sqlitestore"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		pgtest.Stop()
		os.Exit(code)
	}), goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait")) // the server stops only after the check
}

var ctx = context.Background()

// openLog writes facts into a new log and opens it for reading.
func openLog(t testing.TB, facts ...*runlog.Row) *reader.Reader {
	t.Helper()
	path := filepath.Join(t.TempDir(), "runlog.db")
	s, err := sqlitestore.Open(path)
	require.NoError(t, err)
	readertest.Write(t, s, facts...)
	require.NoError(t, s.Close())
	r, err := reader.Open(ctx, path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func ids(runs []reader.Record) []string {
	out := []string{}
	for _, r := range runs {
		out = append(out, r.Text("run_id"))
	}
	return out
}

func TestFilter(t *testing.T) {
	r := openLog(t, readertest.Sample(t)...)
	const (
		failed, child, completed = readertest.FailedRun, readertest.ChildRun, readertest.CompletedRun
		running, cancelled       = readertest.RunningRun, readertest.CancelledRun
		abandoned                = readertest.AbandonedRun
	)
	for name, tt := range map[string]struct {
		filter reader.Filter
		want   []string
	}{
		"all":              {reader.Filter{}, []string{running, child, failed, abandoned, completed, cancelled}},
		"limit":            {reader.Filter{Limit: 2}, []string{running, child}},
		"one status":       {reader.Filter{Status: []string{"failed"}}, []string{failed}},
		"several statuses": {reader.Filter{Status: []string{"abandoned", "running"}}, []string{running, abandoned}},
		"pipeline":         {reader.Filter{Pipeline: "语音助手"}, []string{cancelled}},
		"since":            {reader.Filter{Since: readertest.Now.Add(-3 * time.Minute)}, []string{running, child, failed}},
		"until excludes":   {reader.Filter{Until: readertest.Now.Add(-2 * time.Hour)}, []string{cancelled}},
		"code":             {reader.Filter{Code: "ABANDONED"}, []string{abandoned}},
		"user":             {reader.Filter{User: "ada"}, []string{running, failed}},
		"session":          {reader.Filter{Session: "s-2"}, []string{completed}},
		"provider":         {reader.Filter{Provider: "deepgram"}, []string{failed}},
		"ids":              {reader.Filter{RunIDs: []string{failed, "unknown", running}, Pipeline: "chat"}, []string{running, failed}},
		"all at once": {reader.Filter{Status: []string{"failed"}, Pipeline: "chat", Since: readertest.Now.Add(-time.Hour), Until: readertest.Now,
			Code: "RATE_LIMITED", User: "ada", Session: "s-1", Provider: "openai", Limit: 1}, []string{failed}},
		"a value is never text of the query": {reader.Filter{User: "' OR 1=1 --", Pipeline: "\"; DROP VIEW runs; --"}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			runs, err := r.Runs(ctx, tt.filter)
			require.NoError(t, err)
			assert.Equal(t, tt.want, ids(runs))

			// The whole log is told oldest first, by the same choice.
			var each []string
			tt.filter.Limit = 0
			want, err := r.Runs(ctx, tt.filter)
			require.NoError(t, err)
			require.NoError(t, r.Each(ctx, tt.filter, func(d *reader.Detail) error {
				each = append(each, d.Run.Text("run_id"))
				return nil
			}))
			slices.Reverse(each)
			assert.Equal(t, fmt.Sprint(ids(want)), fmt.Sprint(each))
		})
	}
}

func TestFind(t *testing.T) {
	r := openLog(t, readertest.Sample(t)...)
	for _, prefix := range []string{readertest.FailedRun, "7b54d", "7b54dffe-"} {
		id, err := r.Find(ctx, prefix)
		require.NoError(t, err)
		assert.Equal(t, readertest.FailedRun, id)
	}
	id, err := r.Find(ctx, "order 66/")
	require.NoError(t, err)
	assert.Equal(t, readertest.AbandonedRun, id)
	for _, unknown := range []string{"", "zzz", "%", "7b54d%", "_", "' OR 1=1 --", "\xff"} {
		_, err := r.Find(ctx, unknown)
		assert.ErrorIs(t, err, reader.ErrNotFound, "%q", unknown)
	}
	_, err = r.Find(ctx, "7b54")
	var ambiguous *reader.AmbiguousError
	require.ErrorAs(t, err, &ambiguous)
	assert.Equal(t, []string{readertest.FailedRun, readertest.ChildRun}, ambiguous.Candidates)
	assert.False(t, ambiguous.More)
	_, err = r.Run(ctx, "7b54")
	assert.ErrorIs(t, err, reader.ErrNotFound, "Run takes whole ids")
}

func TestAnIdThatBeginsOthersIsNotAmbiguous(t *testing.T) {
	r := openLog(t,
		readertest.Fact(t, runlog.Runs, readertest.Now, readertest.Cells{"run_id": "run-1"}),
		readertest.Fact(t, runlog.Runs, readertest.Now, readertest.Cells{"run_id": "run-10"}))
	id, err := r.Find(ctx, "run-1")
	require.NoError(t, err)
	assert.Equal(t, "run-1", id)
}

func TestRun(t *testing.T) {
	r := openLog(t, readertest.Sample(t)...)
	d, err := r.Run(ctx, readertest.FailedRun)
	require.NoError(t, err)
	assert.Equal(t, readertest.FailedRun, d.Run.Text("run_id"))
	assert.Equal(t, readertest.Now.Add(-3*time.Minute), d.Run.Time("started_at"))
	ms, _ := d.Run.Float("duration_ms")
	assert.InDelta(t, 1240.5, ms, 0)
	retryable, known := d.Run.Bool("error_retryable")
	assert.True(t, retryable && known)
	_, known = d.Run.Bool("no such column")
	assert.False(t, known)
	var stages []string
	for _, s := range d.Stages {
		stages = append(stages, fmt.Sprint(s.Text("name"), s.Int("attempt")))
	}
	assert.ElementsMatch(t, []string{"tts1", "stt1", "llm1", "llm2"}, stages)
	assert.Len(t, d.ProviderCalls, 3)
	assert.Len(t, d.ToolCalls, 1)
	assert.Len(t, d.BreakerTransitions, 1)
	assert.Equal(t, []string{readertest.ChildRun}, ids(d.Children))
	assert.False(t, d.Truncated)
}

func TestJSONHasTheColumnsOfTheDesign(t *testing.T) {
	r := openLog(t, readertest.Sample(t)...)
	d, err := r.Run(ctx, readertest.FailedRun)
	require.NoError(t, err)
	var want []string
	for _, c := range runlog.Runs.Columns {
		want = append(want, c.Name)
	}
	assert.Equal(t, want, d.Run.Columns())
	b, err := json.Marshal(d)
	require.NoError(t, err)
	var back map[string]any
	require.NoError(t, json.Unmarshal(b, &back))
	for _, column := range want {
		assert.Contains(t, back, column)
	}
	assert.Equal(t, "2026-11-22T11:57:00.000000Z", back["started_at"])
	assert.Equal(t, true, back["error_retryable"])
	assert.InDelta(t, 1240.5, back["duration_ms"], 0)
	assert.Nil(t, back["parent_run_id"])
	assert.Equal(t, map[string]any{"priority": "high"}, back["attributes"])
	assert.Equal(t, []any{map[string]any{"key": "chat/openai", "state": "open"}}, back["breakers"])
	assert.Len(t, back["stages"], 4)
	assert.Len(t, back["provider_calls"], 3)
	assert.Len(t, back["tool_calls"], 1)
	assert.Len(t, back["breaker_transitions"], 1)
	assert.Len(t, back["children"], 1)
	assert.NotContains(t, back, "events")
}

func TestEachReadsPageByPage(t *testing.T) {
	const runs = 1000
	var facts []*runlog.Row
	for i := range runs {
		id := fmt.Sprintf("run-%04d", i)
		cells := readertest.Cells{"run_id": id}
		if i%100 != 0 { // some have no start, and ten of a kind have the same
			cells["started_at"] = readertest.Now.Add(time.Duration(i/10) * time.Second)
		}
		facts = append(facts, readertest.Fact(t, runlog.Runs, readertest.Now, cells),
			readertest.Fact(t, runlog.Stages, readertest.Now, readertest.Cells{"run_id": id, "name": "s of " + id, "attempt": 1}))
	}
	r := openLog(t, facts...)
	seen := map[string]bool{}
	last := time.Time{}
	require.NoError(t, r.Each(ctx, reader.Filter{}, func(d *reader.Detail) error {
		id := d.Run.Text("run_id")
		require.False(t, seen[id], "twice: %s", id)
		seen[id] = true
		require.False(t, d.Run.Time("started_at").Before(last))
		last = d.Run.Time("started_at")
		require.Len(t, d.Stages, 1)
		require.Equal(t, "s of "+id, d.Stages[0].Text("name"))
		return nil
	}))
	assert.Len(t, seen, runs)
	n := 0
	require.NoError(t, r.Each(ctx, reader.Filter{Limit: 150}, func(*reader.Detail) error { n++; return nil }))
	assert.Equal(t, 150, n)
}

func TestAFloodOfOneRunIsBoundedAndTakesNothingFromOthers(t *testing.T) {
	facts := []*runlog.Row{readertest.Fact(t, runlog.Stages, readertest.Now, readertest.Cells{"run_id": "small", "name": "s", "attempt": 1})}
	for i := range reader.MaxRows + 1 {
		facts = append(facts, readertest.Fact(t, runlog.Stages, readertest.Now, readertest.Cells{"run_id": "flood", "name": "s", "attempt": i + 1}))
	}
	r := openLog(t, facts...)
	stages, truncated := map[string]int{}, map[string]bool{}
	require.NoError(t, r.Each(ctx, reader.Filter{}, func(d *reader.Detail) error {
		id := d.Run.Text("run_id")
		stages[id], truncated[id] = len(d.Stages), d.Truncated
		return nil
	}))
	assert.Equal(t, map[string]int{"small": 1, "flood": reader.MaxRows}, stages)
	assert.Equal(t, map[string]bool{"small": false, "flood": true}, truncated)
}

func TestChanged(t *testing.T) {
	r := openLog(t, readertest.Sample(t)...)
	all, err := r.Changed(ctx, reader.Change{})
	require.NoError(t, err)
	require.Len(t, all, 6)
	assert.True(t, slices.IsSortedFunc(all, func(a, b reader.Change) int { return a.UpdatedAt.Compare(b.UpdatedAt) }))
	after, err := r.Changed(ctx, all[3])
	require.NoError(t, err)
	assert.Equal(t, all[4:], after)
	states, err := r.States(ctx, []string{readertest.RunningRun, "unknown"})
	require.NoError(t, err)
	assert.Equal(t, "running", states[0].Status)
	assert.Len(t, states, 1)
}

func TestFailures(t *testing.T) {
	r := openLog(t, readertest.Sample(t)...)
	found, err := r.Failures(ctx, reader.Filter{Since: readertest.Now.Add(-time.Hour)})
	require.NoError(t, err)
	require.Len(t, found, 2)
	assert.Equal(t, "RATE_LIMITED", found[0].Text("error_code"))
	assert.Equal(t, int64(1), found[0].Int("runs"))
	assert.Equal(t, readertest.FailedRun, found[0].Text("run_id"))
	assert.Equal(t, readertest.Now.Add(-3*time.Minute), found[0].Time("last_started_at"))
}

func TestProviders(t *testing.T) {
	r := openLog(t, readertest.Sample(t)...)
	found, err := r.Providers(ctx, reader.Filter{})
	require.NoError(t, err)
	require.Len(t, found, 3)
	b, err := json.Marshal(found[0])
	require.NoError(t, err)
	assert.JSONEq(t, `{"operation":"chat","provider":"openai","calls":3,"failed":2,"running":0,"p50_ms":320,"p95_ms":320,"max_ms":320,
		"input_tokens":2410,"output_tokens":20,"cost_usd":0.5,"breaker_state":"open","last_started_at":"2026-11-22T11:57:00.710000Z",
		"last_error_code":"RATE_LIMITED"}`, string(b))
	found, err = r.Providers(ctx, reader.Filter{Provider: "cohere", Since: readertest.Now.Add(-time.Hour)})
	require.NoError(t, err)
	assert.Len(t, found, 1)
}

func TestOpenSaysWhatToDo(t *testing.T) {
	for target, want := range map[string]string{
		filepath.Join(t.TempDir(), "none.db"): "there is no run log at",
		"mysql://x":                           `cannot read a run log of kind "mysql"`,
		"postgres://u:secret@localhost:1/x?connect_timeout=1":     "cannot reach the run log",
		"host=localhost port=1 password=secret connect_timeout=1": "cannot reach the run log",
		"postgres://u:secret@localhost:x/x":                       "cannot read the URL of the run log",
	} {
		_, err := reader.Open(ctx, target)
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "secret")
	}
}

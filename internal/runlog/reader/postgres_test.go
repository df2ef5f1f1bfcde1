// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader/readertest"
)

// Who asks need not know which store answers.
func TestPostgresAnswersAsSQLiteDoes(t *testing.T) {
	dsn := pgtest.Database(t)
	s, err := pgstore.Open(ctx, pgstore.Options{DSN: dsn})
	require.NoError(t, err)
	defer s.Close()
	readertest.Write(t, s, readertest.Sample(t)...)
	postgres, err := reader.Open(ctx, dsn)
	require.NoError(t, err)
	defer postgres.Close()
	sqlite := openLog(t, readertest.Sample(t)...)

	day := reader.Filter{Since: readertest.Now.Add(-24 * time.Hour)}
	everything := reader.Filter{Status: []string{"failed"}, Pipeline: "chat", Since: day.Since, Until: readertest.Now,
		Code: "RATE_LIMITED", User: "ada", Session: "s-1", Provider: "openai", RunIDs: []string{readertest.FailedRun}, Limit: 7}
	for name, ask := range map[string]func(*reader.Reader) (any, error){
		"list":      func(r *reader.Reader) (any, error) { return r.Runs(ctx, reader.Filter{}) },
		"filters":   func(r *reader.Reader) (any, error) { return r.Runs(ctx, everything) },
		"show":      func(r *reader.Reader) (any, error) { return r.Run(ctx, readertest.FailedRun) },
		"failures":  func(r *reader.Reader) (any, error) { return r.Failures(ctx, day) },
		"providers": func(r *reader.Reader) (any, error) { return r.Providers(ctx, reader.Filter{}) },
		"changed":   func(r *reader.Reader) (any, error) { return r.Changed(ctx, reader.Change{}) },
		"states":    func(r *reader.Reader) (any, error) { return r.States(ctx, []string{readertest.RunningRun}) },
		"find":      func(r *reader.Reader) (any, error) { return r.Find(ctx, "7b54d") },
		"ambiguous": func(r *reader.Reader) (any, error) { _, err := r.Find(ctx, "7b54"); return err.Error(), nil },
		"export": func(r *reader.Reader) (any, error) {
			var all []*reader.Detail
			err := r.Each(ctx, reader.Filter{}, func(d *reader.Detail) error { all = append(all, d); return nil })
			return all, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			want, err := ask(sqlite)
			require.NoError(t, err)
			got, err := ask(postgres)
			require.NoError(t, err)
			assert.Equal(t, text(t, want), text(t, got))
		})
	}
}

func text(t *testing.T, v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	require.NoError(t, err)
	return string(b)
}

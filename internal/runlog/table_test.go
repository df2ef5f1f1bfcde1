// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

func TestGroupColumns(t *testing.T) {
	names := map[string][]string{}
	for _, table := range runlog.Tables {
		for _, i := range table.GroupColumns() {
			assert.Equal(t, runlog.Key, table.Columns[i].Merge)
			names[table.Name] = append(names[table.Name], table.Columns[i].Name)
		}
	}
	assert.Equal(t, map[string][]string{
		"runs":                {"run_id"},
		"stages":              {"run_id", "name"},
		"provider_calls":      {"run_id", "call_id"},
		"tool_calls":          {"run_id", "action_id"},
		"breaker_transitions": {"key", "source", "generation"},
		"events":              {"run_id", "hash"},
	}, names)
}

func TestWhatBelongsToNoRun(t *testing.T) {
	transition := func(key, source string, generation int64) *runlog.Row {
		return runlog.NewFact(runlog.BreakerTransitions, 1000, true, runlog.KeyValue(key), runlog.KeyValue(source), runlog.IntValue(generation))
	}
	b := runlog.NewBatch()
	b.Add(transition("chat/openai", "collector", 1))
	b.Add(transition("chat/openai", "collector", 2))
	b.Add(transition("chat/openai", "collector", 2))
	b.Add(transition("chat", "openai collector", 2))
	b.Add(runlog.NewFact(runlog.Events, 1000, false, runlog.KeyValue(""), runlog.KeyValue("hash")))
	require.Len(t, b.Runs, 1)
	run := b.Runs[0]
	assert.Empty(t, run.ID)
	assert.Nil(t, run.Row, "nobody told of a run")
	require.Len(t, run.Groups, 4)
	for _, g := range run.Groups {
		assert.Len(t, g.Rows, 1)
	}
	parts := b.Split()
	require.Len(t, parts, 4)
	assert.Equal(t, runlog.Rejection{Table: "breaker_transitions", Key: "chat/openai collector 1", Err: errors.ErrUnsupported},
		parts[0].Rejection(errors.ErrUnsupported))
}

func TestEventHash(t *testing.T) {
	hash := runlog.EventHash("a", 1, "{}")
	assert.Equal(t, hash, runlog.EventHash("a", 1, "{}"))
	assert.Len(t, hash, 22)
	for _, other := range []string{
		runlog.EventHash("a{", 1, "}"), runlog.EventHash("a", 2, "{}"), runlog.EventHash("a", 1, ""), runlog.EventHash("b", 1, "{}"),
	} {
		assert.NotEqual(t, hash, other)
	}
	assert.Equal(t, runlog.EventHash("a\x00", 1, ""), runlog.EventHash("a\uFFFD", 1, ""), "as stores keep the type")
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// The reference is what the tables say.
func TestReferenceIsCurrent(t *testing.T) {
	written, err := os.ReadFile("../../events.md")
	require.NoError(t, err)
	assert.Equal(t, string(document()), string(written), "run make generate")
}

// So is the table in the README.
func TestReadmeIsCurrent(t *testing.T) {
	written, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	want, err := readme(string(written))
	require.NoError(t, err)
	assert.Equal(t, want, string(written), "run make generate")
}

// Nothing but the table is written, and not without a place for it.
func TestReadmeKeepsTheRest(t *testing.T) {
	got, err := readme("before\n" + begin + "old\n" + end + "after\n")
	require.NoError(t, err)
	assert.Equal(t, "before\n"+begin+table()+end+"after\n", got)
	for _, bad := range []string{"", "before\n" + begin, "before\n" + end} {
		_, err := readme(bad)
		assert.Error(t, err, "%q", bad)
	}
}

// Each type and each name is in one row.
func TestReadmeHasEveryEvent(t *testing.T) {
	var types, names int
	for _, g := range groups() {
		types += len(g.event.Types) + len(g.event.Shapes)
		names += len(g.names)
	}
	assert.Len(t, semconv.Events, names)
	for _, e := range semconv.Events {
		types -= len(e.Types) + len(e.Shapes)
	}
	assert.Zero(t, types)
}

func TestShort(t *testing.T) {
	assert.Equal(t, "`a.b`, `.c`; `d`", short([]string{"a.b", "d", "a.c"}))
}

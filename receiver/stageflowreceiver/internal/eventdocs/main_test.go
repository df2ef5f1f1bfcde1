// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The reference is what the tables say.
func TestReferenceIsCurrent(t *testing.T) {
	written, err := os.ReadFile("../../events.md")
	require.NoError(t, err)
	assert.Equal(t, string(document()), string(written), "run make generate")
}

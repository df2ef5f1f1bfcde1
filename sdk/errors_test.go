// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestErrorSummaryAsTheAPIHasIt(t *testing.T) {
	s := SummarizePipelineError(fmt.Errorf("llm: %w", context.DeadlineExceeded))
	assert.Equal(t, "TIMEOUT: llm: context deadline exceeded", s.String())
	assert.Equal(t, map[string]any{"failure": map[string]any{"error": map[string]any{
		"code": "TIMEOUT", "type": "context.deadlineExceededError", "message": "llm: context deadline exceeded", "retryable": true,
	}}}, s.StagesPatch())
	assert.Equal(t, "UNKNOWN:", SummarizePipelineError(nil).String())
}

func TestOrZero(t *testing.T) {
	assert.Equal(t, 7, orZero(func() int { return 7 }))
	assert.Zero(t, orZero(func() int { panic("a method of somebody's error") }))
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestValuesPassThrough(t *testing.T) {
	c, got, _ := newTestClient(t)
	answer, err := RunValue(t.Context(), "chat", func(ctx context.Context) (string, error) {
		return StageValue(ctx, "llm", KindAgent, func(ctx context.Context) (string, error) {
			return CallValue(ctx, "chat", "openai", "gpt", func(context.Context) (string, Usage, error) {
				return "hello", Usage{InputTokens: 3}, nil
			})
		})
	}, WithClient(c))
	require.NoError(t, err)
	assert.Equal(t, "hello", answer)
	assert.Equal(t, int64(3), got.only(t, "provider_call.ended").data["input_tokens"])
	got.only(t, "stage.llm.completed")
	got.only(t, "pipeline.completed")
}

func TestValuesComeBesideErrors(t *testing.T) {
	c, got, _ := newTestClient(t)
	boom := errors.New("boom")
	partial, err := RunValue(t.Context(), "chat", func(ctx context.Context) (int, error) {
		n, err := StageValue(ctx, "guard", KindGuard, func(context.Context) (int, error) { return 7, Skip("not needed") })
		assert.NoError(t, err)
		assert.Equal(t, 7, n)
		return CallValue(ctx, "chat", "openai", "gpt", func(context.Context) (int, Usage, error) { return n + 1, Usage{OutputTokens: 2}, boom })
	}, WithClient(c))
	assert.Same(t, boom, err)
	assert.Equal(t, 8, partial)
	assert.Equal(t, int64(2), got.only(t, "provider_call.ended").data["output_tokens"])
	got.only(t, "pipeline.failed")
}

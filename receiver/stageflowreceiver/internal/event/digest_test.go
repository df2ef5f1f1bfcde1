// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestNoValueHasTheDigestOfAnother(t *testing.T) {
	seen := map[hash]any{}
	for _, raw := range []any{
		nil, "", "0", "1", "a", "b", int64(0), int64(1), 0.0, 1.0, true, false,
		[]any{}, []any{nil}, []any{nil, nil}, []any{"a"}, []any{"a", "b"}, []any{"b", "a"}, []any{[]any{"a"}, "b"}, []any{[]any{"a", "b"}},
		map[string]any{}, map[string]any{"": nil}, map[string]any{"a": "b"}, map[string]any{"b": "a"},
		map[string]any{"a": "x", "b": "y"}, map[string]any{"a": "y", "b": "x"}, map[string]any{"a": map[string]any{"b": "x"}}, map[string]any{"b": map[string]any{"a": "x"}},
	} {
		v := pcommon.NewValueEmpty()
		require.NoError(t, v.FromRaw(raw))
		d := ValueOf(v).digest()
		assert.NotContains(t, seen, d, "%v and %v", raw, seen[d])
		seen[d] = raw
	}
}

func TestTheOrderOfMembersDoesNotMatter(t *testing.T) {
	var one, other Fields
	for _, name := range []string{"a", "b", "c"} {
		one.put(name, TextValue(name))
	}
	for _, name := range []string{"c", "a", "b"} {
		other.put(name, TextValue(name))
	}
	assert.Equal(t, one.digest(), other.digest())
	assert.Zero(t, testing.AllocsPerRun(100, func() { one.digest() }))
}

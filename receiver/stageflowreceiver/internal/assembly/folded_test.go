// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
)

// Attributes that are gathered keep the order of their keys, and no more than there is room for.
func TestFoldedIsSortedAndBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f folded
		latest := map[string]pcommon.Timestamp{}
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			at := pcommon.Timestamp(rapid.IntRange(0, 3).Draw(t, "at"))
			var of event.Attributes
			for _, key := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", ""}), 0, 3).Draw(t, "keys") {
				of.Put(key, event.TextValue("v"))
				latest[key] = max(latest[key], at)
			}
			f.add(at, of, nil)
		}
		require.Len(t, f, len(latest))
		for i, v := range f {
			require.Equal(t, latest[v.Key], v.at)
			require.True(t, i == 0 || f[i-1].Key < v.Key)
		}
	})
	var f folded
	for i := range maxFolded + 10 {
		f.add(1, event.Attributes{{Key: string(rune('a' + i)), Value: event.TextValue("v")}}, nil)
	}
	require.Len(t, f, maxFolded)
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Wherever the deadlines of runs move to, the first is always one that comes first.
func TestTheFirstDeadlineComesFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d deadlines
		var runs []*run
		instant := rapid.Custom(func(t *rapid.T) time.Time { return at(float64(rapid.IntRange(0, 20).Draw(t, "ms"))) })
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			what := rapid.IntRange(0, 3).Draw(t, "what")
			switch {
			case what == 0 || len(runs) == 0:
				runs = append(runs, &run{})
				d.push(runs[len(runs)-1], instant.Draw(t, "at"))
			case what == 1:
				i := rapid.IntRange(0, len(runs)-1).Draw(t, "which")
				d.remove(runs[i])
				runs = slices.Delete(runs, i, i+1)
			default:
				d.set(rapid.SampledFrom(runs).Draw(t, "which"), instant.Draw(t, "at"))
			}
			first := d.first()
			require.Equal(t, len(runs) == 0, first == nil)
			for _, r := range runs {
				require.False(t, r.deadline.Before(first.deadline))
			}
		}
	})
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runmetrics

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// The table of events names the metrics that are made of each.
func TestEventsGoToTheMetricsOfTheTable(t *testing.T) {
	for _, row := range semconv.Events {
		data := map[string]any{"tokens_in": 1}
		for _, field := range row.Required {
			data[field] = 1
		}
		raw, err := json.Marshal(data)
		require.NoError(t, err)
		for _, eventType := range row.Types {
			var made []string
			for _, o := range read(t, fmt.Sprintf(`{"type":%q,"data":%s}`, eventType, raw)) {
				for _, f := range Facts(nil, o.event, "", o.told) {
					made = append(made, f.metric)
				}
			}
			slices.Sort(made)
			assert.Equal(t, slices.Sorted(slices.Values(row.Metrics)), made, eventType)
		}
	}
}

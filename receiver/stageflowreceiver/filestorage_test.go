// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"
)

// inFiles gives the receiver the storage that users have.
func inFiles(t testing.TB, directory string, maxSize int64) func(*testReceiver) {
	factory := filestorage.NewFactory()
	cfg := factory.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory, cfg.MaxSize = directory, maxSize
	ext, err := factory.Create(t.Context(), extension.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: extensiontest.NewNopSettings(factory.Type()).TelemetrySettings}, cfg)
	require.NoError(t, err)
	return func(r *testReceiver) {
		id := component.NewID(factory.Type())
		r.cfg.Storage, r.extensions = &id, map[component.ID]component.Component{id: ext}
	}
}

// A full storage says no to what is new and keeps what it has; as runs leave there is room again.
func TestFileStorageThatIsFull(t *testing.T) {
	r := newTestReceiver(t, inFiles(t, t.TempDir(), 4<<20))
	filler := strings.Repeat("x", 4000)
	accepted := 0
	fill := func(from int) int {
		for i := from; ; i++ {
			w := r.post(t, line("pipeline.started", fmt.Sprint(i), 1, `"filler":"`+filler+`"`))
			if w.Code != http.StatusOK {
				require.Equal(t, http.StatusServiceUnavailable, w.Code)
				require.Contains(t, w.Body.String(), "out of available space")
				return i
			}
			accepted++
		}
	}
	n := fill(0)
	assert.Greater(t, n, 400)
	for round := range 3 {
		r.wait(t, 20*time.Minute)
		require.Len(t, r.spans(), accepted, "round %d", round)
		r.wait(t, rememberedFor) // nor are they remembered
		next := fill(n)
		assert.Greater(t, next-n, 400, "round %d", round)
		n = next
	}
	assert.Zero(t, r.log.FilterMessageSnippet("lost").Len())
}

func TestFileStorageOutlivesARestart(t *testing.T) {
	directory := t.TempDir()
	t.Run("before", func(t *testing.T) {
		r := newTestReceiver(t, inFiles(t, directory, 0))
		r.post(t, line("pipeline.started", "r", 1, ""))
	})
	r := newTestReceiver(t, inFiles(t, directory, 0))
	r.post(t, line("pipeline.completed", "r", 2, ""))
	r.wait(t, time.Second)
	require.Len(t, r.spans(), 1)
	assert.Equal(t, time.Millisecond, r.spans()[0].EndTimestamp().AsTime().Sub(r.spans()[0].StartTimestamp().AsTime()))
}

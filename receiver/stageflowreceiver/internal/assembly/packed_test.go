// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Whatever is known of a run is known again after it has been packed, its attempts by stage.
func TestWhatIsPackedIsUnpacked(t *testing.T) {
	instant := rapid.Map(rapid.Uint64(), func(n uint64) pcommon.Timestamp { return pcommon.Timestamp(n) })
	attempt := rapid.Custom(func(t *rapid.T) sentAttempt {
		return sentAttempt{
			stage: rapid.SampledFrom([]string{"", "a", "b", "ü"}).Draw(t, "stage"), number: rapid.Int64().Draw(t, "number"),
			start: instant.Draw(t, "start"), end: instant.Draw(t, "end"),
			ended: rapid.Bool().Draw(t, "ended"), wide: rapid.Bool().Draw(t, "wide"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		s := &settled{
			id: text.Draw(t, "id"), service: text.Draw(t, "service"), parentID: text.Draw(t, "parent id"), start: instant.Draw(t, "start"),
			end: semconv.EndKind(text.Draw(t, "end")), status: semconv.Status(text.Draw(t, "status")),
			attempts: rapid.SliceOf(attempt).Draw(t, "attempts"),
			keys:     rapid.SliceOf(rapid.Map(rapid.Uint64(), func(n uint64) event.Key { return event.Key(n) })).Draw(t, "keys"),
		}
		copy(s.trace[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "trace"))
		copy(s.parent[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "parent"))
		p := packed(s.pack(nil))
		require.Equal(t, s.trace, p.trace())
		require.Equal(t, s.id, p.id())
		sortByStage(s.attempts)
		require.Equal(t, s, p.unpack())
	})
}

// What is remembered of a run is its own: the texts that its facts were kept in are free to go.
func TestWhatIsRememberedIsACopy(t *testing.T) {
	whole := wholeSettled()
	m := memory{byID: map[string]*remembered{}, max: 10}
	m.keep(whole, time.Unix(1000, 0))
	again := m.get("r")
	assert.Equal(t, whole, again)
	whole.attributes[0].Value, whole.cause[0].Value = event.TextValue("other"), event.TextValue("other")
	whole.calls["c"].start, whole.notes[0].Name = 9, "other"
	assert.Equal(t, wholeSettled(), again)
	assert.Nil(t, m.get("another"))
}

// A run that settles again is remembered as it left last, and once.
func TestARunIsRememberedOnce(t *testing.T) {
	s := settledStream(t, ev("pipeline.completed", 10, ""))
	s.add(wide("c", "completed", 11, 12, ""))
	require.Len(t, s.wait(time.Second), 1)
	known := s.settled.get("r")
	stages := []string{}
	for _, a := range known.attempts {
		stages = append(stages, a.stage)
	}
	assert.Equal(t, []string{"a", "a", "b", "c"}, stages)
	assert.True(t, slices.IsSortedFunc(known.attempts[:2], func(a, b sentAttempt) int { return int(a.number - b.number) }))
	assert.Len(t, s.settled.byID, 1)
	s.wait(rememberFor)
	assert.Empty(t, s.settled.byID)
	assert.Empty(t, s.settled.queue)
	assert.Zero(t, s.Evicted())
}

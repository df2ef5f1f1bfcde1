// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCompositeRunsAllAndJoinsErrors(t *testing.T) {
	other := errors.New("other")
	healthy := &shelf{}
	c := NewCompositeExporter(
		&shelf{on: func(context.Context, []AnalyticsEvent) error { return errDown }},
		nil,
		&shelf{on: func(context.Context, []AnalyticsEvent) error { panic("oh") }},
		healthy,
		&shelf{on: func(context.Context, []AnalyticsEvent) error { runtime.Goexit(); return nil }},
		&shelf{on: func(context.Context, []AnalyticsEvent) error { return other }},
	)
	for _, err := range []error{
		c.Export(t.Context(), AnalyticsEvent{EventType: "a"}),
		c.ExportBatch(t.Context(), []AnalyticsEvent{{EventType: "b"}, {EventType: "c"}}),
	} {
		require.ErrorIs(t, err, errDown)
		require.ErrorIs(t, err, other)
		require.EqualError(t, err, "down\nstageflow: exporter panicked: oh\n"+errGoexit.Error()+"\nother")
	}
	assert.Equal(t, []string{"a", "b", "c"}, healthy.all())
	require.NoError(t, c.Close(t.Context()))
	assert.Equal(t, 1, healthy.closed)
}

func TestCompositeOfNone(t *testing.T) {
	c := NewCompositeExporter()
	require.NoError(t, c.Export(t.Context(), AnalyticsEvent{}))
	require.NoError(t, c.Close(t.Context()))
}

func TestCompositeRunsAllAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &shelf{on: func(context.Context, []AnalyticsEvent) error { time.Sleep(time.Second); return nil }}
		start := time.Now()
		require.NoError(t, NewCompositeExporter(slow, slow, slow).Export(t.Context(), AnalyticsEvent{}))
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestCompositeGivesAllTheSameTime(t *testing.T) {
	var times []time.Time
	one := &shelf{on: func(_ context.Context, events []AnalyticsEvent) error {
		times = append(times, events[0].Timestamp)
		return nil
	}}
	c := NewCompositeExporter(one)
	c.now = (&clock{now: noon}).Now
	given := []AnalyticsEvent{{}}
	require.NoError(t, c.Export(t.Context(), given[0]))
	require.NoError(t, c.ExportBatch(t.Context(), given))
	assert.Equal(t, []time.Time{noon, noon}, times)
	assert.True(t, given[0].Timestamp.IsZero(), "the caller's slice is the caller's")
}

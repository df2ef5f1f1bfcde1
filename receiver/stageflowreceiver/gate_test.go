// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"google.golang.org/grpc/codes"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadatatest"
)

// As many as may are let in, some wait for their turn or until their sender gives up, and the rest is sent away.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestReceiver(t).intake.gate
		g.working, g.maxWaiting = make(chan struct{}, 2), 2
		leaveFirst, err := g.enter(t.Context())
		require.NoError(t, err)
		leaveSecond, err := g.enter(t.Context())
		require.NoError(t, err)

		third, fourth := make(chan error, 1), make(chan error, 1)
		impatient, giveUp := context.WithCancelCause(t.Context())
		go func() {
			leave, err := g.enter(t.Context())
			third <- err
			leave()
		}()
		go func() {
			_, err := g.enter(impatient)
			fourth <- err
		}()
		synctest.Wait()
		_, err = g.enter(t.Context())
		require.ErrorIs(t, err, errCrowded)
		assert.Empty(t, third)

		gone := errors.New("gone")
		giveUp(gone)
		require.ErrorIs(t, <-fourth, gone)
		leaveFirst()
		require.NoError(t, <-third)
		leaveSecond()
		synctest.Wait()
		assert.Empty(t, g.working)
		assert.Zero(t, g.waiting.Load())
	})
}

func TestCrowdIsToldToSenders(t *testing.T) {
	r := newTestReceiver(t, listening(t))
	g := r.intake.gate
	g.working, g.maxWaiting = make(chan struct{}, 1), 0
	leave, err := g.enter(t.Context())
	require.NoError(t, err)
	r.assertTold(t, told{429, codes.ResourceExhausted, 2}, line("pipeline.started", "r", 1, ""))
	assert.Equal(t, http.StatusTooManyRequests, r.post(t, "unread").Code)
	metadatatest.AssertEqualReceiverStageflowCrowdedRequests(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: 5}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	assert.Zero(t, r.intake.assembler.Active())
	leave()
	require.NoError(t, r.overGRPC(t, eventLogs(t, line("pipeline.started", "r", 1, ""))))
	assert.Empty(t, g.working, "who is done leaves")
}

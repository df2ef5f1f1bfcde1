// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadata"
)

// How many requests are worked on at once, and how many wait, for each processor.
const (
	workingPerProcessor = 4
	waitingPerProcessor = 64
)

// gate lets a few requests at a time be worked on, and some wait. A request takes a megabyte or more while it is read,
// written into the journal and passed on. More requests than keep the processors busy, and cover the waits of the journal
// and the pipelines, get nothing done sooner: when memory becomes scarce, most of the time goes into looking through all
// of theirs for garbage. So they wait while they are bytes, and beyond that they are told to come again.
type gate struct {
	working    chan struct{}
	waiting    atomic.Int64
	maxWaiting int64
	telemetry  *metadata.TelemetryBuilder
}

func newGate(telemetry *metadata.TelemetryBuilder) *gate {
	processors := runtime.GOMAXPROCS(0)
	return &gate{
		working: make(chan struct{}, workingPerProcessor*processors), maxWaiting: int64(waitingPerProcessor * processors), telemetry: telemetry,
	}
}

var errCrowded = errors.New("too many requests are under way at once: send this one again later")

// enter waits until the request may be worked on, which ends with leave. It fails when too many wait already, or the sender
// does not any more.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	leave = func() { <-g.working }
	select {
	case g.working <- struct{}{}:
		return leave, nil
	default:
	}
	if g.waiting.Add(1) > g.maxWaiting {
		g.waiting.Add(-1)
		g.telemetry.ReceiverStageflowCrowdedRequests.Add(ctx, 1)
		return nil, errBusy(errCrowded)
	}
	defer g.waiting.Add(-1)
	select {
	case g.working <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"context"
	"sync"
	"time"
)

// loop is a goroutine that does one thing again and again until it is ended.
type loop struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// begin starts the goroutine. The context that f gets ends with the loop.
func (l *loop) begin(every time.Duration, f func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.done.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				f(ctx)
			}
		}
	})
}

// end returns when the goroutine has ended.
func (l *loop) end() {
	l.cancel()
	l.done.Wait()
}

// pause waits, and tells whether it waited to the end.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"runtime/debug"
)

// peakHeap is by how much the live heap grows at most while do runs, as seen after each collection; they are
// made frequent.
func peakHeap(do func()) int64 {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	peak, done, stopped := int64(0), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-done:
				return
			default:
			}
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			peak = max(peak, int64(now.HeapAlloc)-int64(before.HeapAlloc))
			runtime.Gosched()
		}
	}()
	do()
	close(done)
	<-stopped
	return peak
}

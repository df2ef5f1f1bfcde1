// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
)

const manyKeys = 100_000

// sizes are how many keys there are: one, as many as a program that calls providers has, and so many that they are
// in no processor's cache.
var sizes = []int{1, 100, manyKeys}

// scattered is a key to use in the ith call: all in turn, but never neighbours, as their memory is.
func scattered(i, keys int) int { return i * 7919 % keys }

// warm makes a call through every breaker: what is measured is a program that runs, not one that starts.
func warm(b *testing.B, g guard, keys int) {
	b.Helper()
	for i := range keys {
		if !g(i) {
			b.Fatal("a breaker is open")
		}
	}
}

// One guarded call.
func BenchmarkCall(b *testing.B) {
	for _, keys := range sizes {
		for _, c := range contestants {
			b.Run(fmt.Sprintf("keys=%d/%s", keys, c.name), func(b *testing.B) {
				g := c.new(keys)
				warm(b, g, keys)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					g(scattered(i, keys))
				}
			})
		}
	}
}

// The guarded calls of several goroutines, one per processor.
func BenchmarkCallParallel(b *testing.B) {
	for _, c := range contestants {
		b.Run(fmt.Sprintf("keys=1/%s", c.name), func(b *testing.B) {
			g := c.new(1)
			warm(b, g, 1)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					g(0)
				}
			})
		})
	}
}

// How many times as long a call takes with ours as with each of the others, below 1 is faster: the median over rounds
// in which all take turns, so that what else the machine does befalls all of them.
func BenchmarkRatio(b *testing.B) {
	for _, keys := range sizes {
		for first := range ours {
			b.Run(fmt.Sprintf("keys=%d/%s", keys, contestants[first].name), func(b *testing.B) {
				among := append([]contestant{contestants[first]}, contestants[ours:]...)
				for i, r := range ratios(b, among, keys) {
					b.ReportMetric(r, "×"+among[i+1].name)
				}
				b.ReportMetric(0, "ns/op") // a round of all says nothing
			})
		}
	}
}

// ratios of the first to each of the others.
func ratios(b *testing.B, among []contestant, keys int) []float64 {
	b.Helper()
	const calls = 2000
	guards := make([]guard, len(among))
	for i, c := range among {
		guards[i] = c.new(keys)
		warm(b, guards[i], keys)
	}
	rounds, took := make([][]float64, len(among)-1), make([]time.Duration, len(among))
	for round := 0; b.Loop(); round++ {
		for n := range guards {
			which := (round + n) % len(guards)
			began := time.Now()
			for i := range calls {
				guards[which](scattered(round*calls+i, keys))
			}
			took[which] = time.Since(began)
		}
		for i := range rounds {
			rounds[i] = append(rounds[i], float64(took[0])/float64(took[i+1]))
		}
	}
	medians := make([]float64, len(rounds))
	for i := range rounds {
		medians[i] = median(rounds[i])
	}
	return medians
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// The bytes that each of many breakers takes, with the name that it is found by and a call in its window.
func BenchmarkMemory(b *testing.B) {
	for _, c := range contestants {
		b.Run(fmt.Sprintf("keys=%d/%s", manyKeys, c.name), func(b *testing.B) {
			for b.Loop() {
				before := heap()
				g := c.new(manyKeys)
				warm(b, g, manyKeys)
				b.ReportMetric(float64(heap()-before)/manyKeys, "B/key")
				runtime.KeepAlive(g)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // fits
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// manyOutcomes has ready what a benchmark tells: to make a time takes longer than to judge it.
func manyOutcomes(success func(i int) bool, pause time.Duration) (out [1 << 12]Outcome) {
	for i := range out {
		end := epoch.Add(time.Duration(i) * pause)
		out[i] = Outcome{Start: end.Add(-time.Second), End: end, Success: success(i)}
	}
	return out
}

// Time and allocations are per call, at a thousand calls a second unless it says otherwise.
func BenchmarkRecord(b *testing.B) {
	never := Settings{FailureRatio: -1, ConsecutiveFailures: 1000}
	slow := byRatio()
	slow.SlowCallDuration = time.Minute
	for _, bb := range []struct {
		name    string
		s       Settings
		success func(i int) bool
		pause   time.Duration
	}{
		{"success", DefaultSettings(), func(int) bool { return true }, time.Millisecond},
		{"one failure in four", DefaultSettings(), func(i int) bool { return i%4 != 3 }, time.Millisecond},
		{"failure in a long streak", never, func(i int) bool { return i%500 == 0 }, time.Millisecond},
		{"a new bucket each", DefaultSettings(), func(i int) bool { return i%4 != 3 }, 6 * time.Second},
		{"slow calls, too", slow, func(i int) bool { return i%4 != 3 }, time.Millisecond},
	} {
		b.Run(bb.name, func(b *testing.B) {
			r, all := New(bb.s), manyOutcomes(bb.success, bb.pause)
			shift := time.Duration(len(all)) * bb.pause
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				o := &all[i%len(all)]
				r.Record(chat, *o, o.End)
				o.Start, o.End = o.Start.Add(shift), o.End.Add(shift)
			}
		})
	}
}

// One out of three outcomes is up to 30 s late.
func BenchmarkRecordLate(b *testing.B) {
	r, all := New(DefaultSettings()), manyOutcomes(func(i int) bool { return i%4 != 3 }, time.Millisecond)
	shift := time.Duration(len(all)) * time.Millisecond
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		o := &all[i%len(all)]
		told := *o
		if i%3 == 0 {
			told.End = told.End.Add(-time.Duration(i%30) * time.Second)
		}
		r.Record(chat, told, o.End)
		o.Start, o.End = o.Start.Add(shift), o.End.Add(shift)
	}
}

func BenchmarkRecordManyKeys(b *testing.B) {
	const n = 10_000
	r, all := New(Settings{MaxKeys: 2 * n}), manyOutcomes(func(i int) bool { return i%4 != 3 }, time.Millisecond)
	keys := make([]Key, n)
	for i := range keys {
		keys[i] = provider(strconv.Itoa(i))
		r.Record(keys[i], all[0], later)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Record(keys[i*7919%n], all[i%len(all)], later)
	}
}

// A provider that goes down and up again: each of these opens, or closes, every few calls.
func BenchmarkRecordFlapping(b *testing.B) {
	r := New(Settings{ConsecutiveFailures: 2, HalfOpenSuccesses: 1})
	end := epoch
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		end = end.Add(40 * time.Second)
		r.Record(chat, Outcome{Start: end, End: end, Success: i%3 == 2}, end)
	}
}

func BenchmarkAsk(b *testing.B) {
	r := tripped(b)
	for i := range 1000 {
		r.Record(provider(strconv.Itoa(i)), call(1, true), later)
	}
	closed, open, now := provider("17"), chat, at(10)
	for name, ask := range map[string]func(){
		"State/closed":     func() { r.State(closed, now) },
		"State/open":       func() { r.State(open, now) },
		"State/unknown":    func() { r.State(Key{"nobody", "knows"}, now) },
		"IsOpen/open":      func() { r.IsOpen(open, now) },
		"Allow/closed":     func() { r.Allow(closed, now) },
		"Allow/half-open":  func() { r.Release(open, r.Allow(open, now.Add(time.Minute))) },
		"StateAt/snapshot": func() { r.StateAt(open, now) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ask()
			}
		})
	}
}

func BenchmarkAskParallel(b *testing.B) {
	r := tripped(b)
	now := at(10)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.State(chat, now)
		}
	})
}

// The bytes that one more key takes, with calls in every bucket of the window.
func BenchmarkMemory(b *testing.B) {
	const n = 100_000
	for _, bb := range []struct {
		name string
		tell func(r *Registry, k Key)
	}{
		{"healthy", func(r *Registry, k Key) {
			for s := range 10 {
				r.Record(k, call(float64(6*s), true), later)
			}
		}},
		{"opened", func(r *Registry, k Key) {
			for s := range 5 {
				r.Record(k, call(float64(s), false), later)
			}
		}},
		{"shared", func(r *Registry, k Key) {
			r.Record(k, call(1, true), later)
			r.Apply([]Shared{{Key: k}}, later)
		}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			keys := make([]Key, n)
			for i := range keys {
				keys[i] = provider(strconv.Itoa(i))
			}
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				r := New(Settings{MaxKeys: 2 * n})
				for _, k := range keys {
					bb.tell(r, k)
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/key")
				if r.Len() != n {
					b.Fatal(r.Stats())
				}
			}
		})
	}
}

func BenchmarkExportAndRestore(b *testing.B) {
	const n = 10_000
	r := New(Settings{MaxKeys: 2 * n})
	for i := range n {
		for s := range 10 {
			r.Record(provider(fmt.Sprint("provider-", i)), call(float64(6*s), s != 5), later)
		}
	}
	state := r.Export()
	b.Run("Export", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Export()
		}
		b.ReportMetric(float64(len(state))/n, "B/key")
	})
	b.Run("Restore", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := r.Restore(state); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Per exchange of 10,000 keys that all have something new.
func BenchmarkDeltaAndApply(b *testing.B) {
	const n = 10_000
	r, place := New(Settings{MaxKeys: 2 * n, Source: "a"}), New(Settings{MaxKeys: 2 * n, Source: "b"})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		for k := range n {
			r.Record(provider(strconv.Itoa(k)), call(float64(i), true), later)
		}
		b.StartTimer()
		place.Apply(r.Delta(), later)
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
)

// shapes are the runs that the benchmarks settle: as the two graphs of the framework tell them.
var shapes = []struct {
	name string
	run  func(id string) []string
}{
	{"lifecycle", lifecycleRun},
	{"wide", wideRun},
	{"both", bothRun},
}

// lifecycleRun is a run of one stage with one provider call, told by starts and ends.
func lifecycleRun(id string) []string {
	run := fmt.Sprintf(`"pipeline_run_id":%q,"pipeline_name":"chat","service":"assistant"`, id)
	call := join(run, fmt.Sprintf(`"call_id":"call-%s","operation":"chat","provider":"openai","model_id":"gpt-4o"`, id))
	return []string{
		ev("pipeline.started", 0, join(run, `"topology":"chat_fast","execution_mode":"practice","user_id":"u-1","session_id":"s-1"`)),
		stage("llm", "started", 1, join(run, `"kind":"agent"`)),
		ev("provider_call.started", 2, call),
		ev("provider_call.ended", 800, join(call, `"status":"success","latency_ms":798,"tokens_in":120,"tokens_out":340`)),
		stage("llm", "completed", 801, join(run, `"kind":"agent","duration_ms":800,"data_keys":["text"]`)),
		ev("pipeline.completed", 802, join(run, `"duration_ms":802`)),
	}
}

// wideRun is a run of six stages, told by wide events.
func wideRun(id string) []string {
	run := fmt.Sprintf(`"pipeline_run_id":%q,"pipeline_name":"chat","service":"assistant","user_id":"u-1"`, id)
	var lines []string
	for i, name := range []string{"input_guard", "enrich", "router", "llm", "output_guard", "persist"} {
		from := float64(10 * i)
		lines = append(lines, wide(name, "completed", from, from+9, join(run, `"kind":"transform","duration_ms":9,"data_keys":["text"]`)))
	}
	return append(lines, ev("pipeline.wide", 61, join(run, `"topology":"chat_fast","execution_mode":"practice","status":"completed","duration_ms":61,"stage_count":6`)))
}

// bothRun is a run of which every stage is told by its start, its end and its wide event, and again by the run's.
func bothRun(id string) []string {
	run := fmt.Sprintf(`"pipeline_run_id":%q,"pipeline_name":"chat","service":"assistant"`, id)
	var lines []string
	var details string
	for i, name := range []string{"router", "llm", "persist"} {
		from := float64(10 * i)
		lines = append(lines,
			stage(name, "started", from+0.1, run), stage(name, "completed", from+9, join(run, `"duration_ms":8.9`)),
			wide(name, "completed", from, from+9, join(run, `"duration_ms":9`)))
		details = join(details, detail(name, "completed", from, from+9, `"duration_ms":9`))
	}
	return append(lines, ev("pipeline.wide", 31, join(run, `"status":"completed","duration_ms":31,"stage_details":[`+details+`]`)))
}

// factsOfRuns are those of runs that differ by their ids.
func factsOfRuns(runs int, of func(id string) []string) (*stream, []Fact) {
	s := newStream()
	for i := range runs {
		for _, lr := range decode(of(fmt.Sprintf("%08x-7d3f-4c1a-9b0e-%012x", i*2654435761, i))).All() {
			s.facts(&s.read, lr, s.now)
		}
	}
	return s, s.read.List
}

// BenchmarkSettle resolves runs that are over and writes their spans; an operation is one run.
func BenchmarkSettle(b *testing.B) {
	for _, shape := range shapes {
		b.Run(shape.name, func(b *testing.B) {
			const batch = 1000
			s, facts := factsOfRuns(batch, shape.run)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += batch {
				b.StopTimer()
				s.Assembler = New(testSettings)
				s.Add(facts, 0, s.now, 0)
				b.StartTimer()
				for {
					due := s.Due(s.now.Add(time.Minute), true)
					if len(due) == 0 {
						break
					}
					Spans(due)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
		})
	}
}

// BenchmarkInFlight tells what a run costs from its first event until it is over.
func BenchmarkInFlight(b *testing.B) {
	benchmarkMemory(b, func(s *stream, facts []Fact, _ int) { s.Add(facts, 0, s.now, 0) })
}

// BenchmarkRemembered tells what a settled run costs as long as it is remembered.
func BenchmarkRemembered(b *testing.B) {
	benchmarkMemory(b, func(s *stream, facts []Fact, runs int) {
		for batch := range slices.Chunk(facts, 100*len(facts)/runs) { // of a hundred runs: few are in flight
			s.Add(batch, 0, s.now, 0)
			for len(s.Due(s.now.Add(time.Minute), true)) > 0 {
			}
		}
	})
}

// benchmarkMemory tells what the assembler has in memory of every run after take.
func benchmarkMemory(b *testing.B, take func(s *stream, facts []Fact, runs int)) {
	for _, shape := range shapes {
		b.Run(shape.name, func(b *testing.B) {
			const runs = 10_000
			s, facts := factsOfRuns(runs, shape.run)
			set := testSettings
			set.MaxActive = runs
			var before, after runtime.MemStats
			for b.Loop() {
				s.Assembler = nil
				runtime.GC()
				runtime.ReadMemStats(&before)
				s.Assembler = New(set)
				take(s, facts, runs)
				runtime.GC()
				runtime.ReadMemStats(&after)
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/runs, "B/run")
			b.ReportMetric(float64(after.HeapObjects-before.HeapObjects)/runs, "objects/run")
			runtime.KeepAlive(s)
			runtime.KeepAlive(facts)
		})
	}
}

// BenchmarkAdmit keeps room for batches of events and gives it back.
func BenchmarkAdmit(b *testing.B) {
	for _, runs := range []int{1, 5, 100} {
		b.Run(fmt.Sprint("runs=", runs), func(b *testing.B) {
			s, facts := factsOfRuns(runs, wideRun)
			b.ReportAllocs()
			for b.Loop() {
				room, err := s.Admit(facts)
				if room != runs || err != nil {
					b.Fatal(room, err)
				}
				s.Cancel(room)
			}
		})
	}
}

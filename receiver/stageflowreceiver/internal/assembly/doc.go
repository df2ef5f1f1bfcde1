// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package assembly makes runs of events. An event becomes one or two facts (fact.go); facts gather in the state of
// their run, in whatever order they come (run.go, folded.go); when the run is over, its state is resolved into
// attempts of stages (stages.go, attempts.go, accounts.go), calls of providers and tools, and one end (resolve.go, tools.go,
// unnamed.go), with what else befell them (notes.go), and those become spans (spans.go). The assembler (assembler.go)
// keeps the runs in flight, and the ends of calls that wait for a run (orphans.go); it decides when a run is over
// (deadlines.go), sends what has finished of those that go on for long (flush.go), leaves calls to those who sent a
// span of them (foreign.go), remembers what has left (settled.go, packed.go), and counts what is in flight (state.go).
//
// With a journal, marks say there what has left (mark.go, encoding.go), and restore.go brings back what has not.
//
// Nothing here reads a clock or draws a random number: the same facts always give the same spans.
package assembly // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/assembly"

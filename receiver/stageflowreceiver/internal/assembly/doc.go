// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package assembly makes runs of events. An event becomes one or two facts (fact.go); facts gather in the state of
// their run, in whatever order they come (run.go, folded.go); when the run is over, its state is resolved into
// attempts of stages (accounts.go, attempts.go), calls of providers and tools, and one end (resolve.go, tools.go,
// unnamed.go), with what else befell them (notes.go), and those become spans (spans.go). The assembler (assembler.go) keeps the runs in flight, decides when one is over
// (deadlines.go), sends what has finished of those that go on for long (flush.go), and remembers those that have
// left (settled.go).
//
// Nothing here reads a clock or draws a random number: the same facts always give the same spans.
package assembly // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/assembly"

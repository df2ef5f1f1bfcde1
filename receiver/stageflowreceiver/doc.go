// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml
//go:generate go run ./internal/eventdocs

// Package stageflowreceiver takes in stageflow events, over OTLP and as JSON over HTTP, and hands on what they mean:
// every event at once as a log record, and every run, when it is over, as a trace.
//
// An event's way: otlp.go or events.go takes a request; intake.go opens each record as an event (internal/event),
// drops what it has seen before (seen.go), joins calls to their runs (joins.go), writes the attributes that stand
// beside the event (normalise.go) and passes the records on; only then do the facts go to the assembly
// (internal/assembly), from which settle.go takes the runs that are over.
package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

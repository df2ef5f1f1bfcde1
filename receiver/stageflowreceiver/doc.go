// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml
//go:generate go run ./internal/eventdocs

// Package stageflowreceiver takes in stageflow events, over OTLP, as JSON over HTTP and from files, and hands on what they
// mean: every event at once as a log record, every run, when it is over, as a trace, and what spans cannot say as metrics.
//
// An event's way: otlp.go, events.go or files.go takes a request; intake.go takes out of each record what must not leave
// (redact.go), opens it as an event (internal/event), drops what it has seen before (seen.go), joins calls to their runs
// (joins.go), puts the batch into the journal (durable.go, internal/journal), writes the attributes that stand beside the
// event (normalise.go) and passes the records on; only then do the facts go to the assembly (internal/assembly), from
// which settle.go takes the runs that are over, and to the metrics (internal/runmetrics), which collect.go hands on. Spans
// that come in pass by foreign.go.
//
// When the receiver starts, durable.go reads the journal back, and the facts take the same way.
package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml
//go:generate go run ./internal/eventdocs

// Package stageflowreceiver takes in stageflow events, over OTLP, as JSON over HTTP and from files, and hands on what they
// mean: every event at once as a log record, every run, when it is over, as a trace, and what spans cannot say as metrics.
//
// An event's way: otlp.go, events.go or files.go takes a request, which waits for its turn (gate.go), and internal/event
// reads its events. Then intake.go leads the batch: what must not leave is taken out (redact.go), what was here before is
// dropped (seen.go), calls are joined to their runs (joins.go), log records are written if anybody wants them (records.go),
// the batch is put into the journal (durable.go, internal/journal), the records get the attributes that stand beside the
// event (normalise.go) and are passed on; only then do the facts go to the assembly (internal/assembly), from which
// settle.go takes the runs that are over, and the measurements to the metrics (measure.go, internal/runmetrics), which
// collect.go hands on. Spans that come in pass by foreign.go.
//
// When the receiver starts, durable.go reads the journal back, and the facts take the same way.
package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

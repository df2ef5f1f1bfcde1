// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package runmetrics turns events, and what the assembly knows of runs in flight, into the metrics of
// [semconv.Metrics]: what spans cannot say.
//
// runmetrics.go reads events and the assembly's state, series.go keeps the numbers and their bound, pdata.go writes
// them.
package runmetrics // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/runmetrics"

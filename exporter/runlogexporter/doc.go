// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package runlogexporter keeps a record of every run, stage, call of a provider or a tool and change of a circuit breaker
// in a database, and on request the events.
//
// It reads attributes only, as the stageflow receiver and the processors wrote them: what an event means and
// what an error is called has been decided before. How records come together is decided in internal/runlog.
package runlogexporter // import "github.com/stageflow/otelcol-stageflow/exporter/runlogexporter"

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package reader asks the run log what people and consoles want to know of it.
//
// It reads the views that every store shows under the same names and columns, so one set of queries serves
// SQLite and PostgreSQL; what differs (parameters, times, flags) is a small dialect. Values are always
// parameters, never part of a query's text, and every answer is bounded.
package reader // import "github.com/stageflow/otelcol-stageflow/internal/runlog/reader"

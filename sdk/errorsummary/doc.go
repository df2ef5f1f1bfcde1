// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package errorsummary says in four words what went wrong: a code, a type, a message, and whether trying again
// may help.
//
// It is a superset of summarize_pipeline_error of the Python library and never contradicts it: what that calls
// TIMEOUT or CIRCUIT_OPEN is so here too, and only what it calls UNKNOWN may get a better name. How a failure
// gets its code is a table, rules.csv, read from the top; the first row that fits decides.
package errorsummary // import "github.com/stageflow/otelcol-stageflow/sdk/errorsummary"

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package errorsummaryprocessor writes on spans and log records what went wrong: a code, a type, a message, and
// whether trying again may help. What an error means is decided in sdk/errorsummary; here it is only gathered
// from telemetry and written back.
package errorsummaryprocessor // import "github.com/stageflow/otelcol-stageflow/processor/errorsummaryprocessor"

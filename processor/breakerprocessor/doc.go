// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package breakerprocessor watches how calls to providers end and writes on each how sick its provider was: one
// circuit breaker per operation and provider, fed by spans and log records alike. When a breaker opens is decided
// in sdk/breaker; here outcomes are read from telemetry, each call counts once, and the answers are written back.
package breakerprocessor // import "github.com/stageflow/otelcol-stageflow/processor/breakerprocessor"

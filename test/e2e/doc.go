// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the built collector, bin/otelcol-stageflow, from the outside: events in, rows and spans out.
// `make test` builds it first.
package e2e // import "github.com/stageflow/otelcol-stageflow/test/e2e"

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package otlp holds the stageflow receiver to the collector's own otlp receiver: whatever is no stageflow event is
// handed on, and answered, as that one does.
package otlp // import "github.com/stageflow/otelcol-stageflow/test/otlp"

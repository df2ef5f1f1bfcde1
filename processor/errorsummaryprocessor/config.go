// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import "go.opentelemetry.io/collector/component"

// Config has no options yet: the rules are the same everywhere, so that a code means one thing.
type Config struct {
	// prevent unkeyed literal initialization
	_ struct{}
}

func createDefaultConfig() component.Config { return &Config{} }

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	_ "embed"
	"strings"
)

// peopleViews makes [runlog.Views]. Like a migration it must not change without a new version, or databases that
// exist will not have the change.
var peopleViews = strings.ReplaceAll(viewsSQL, "{{provider_health}}", providerHealthSQL)

//go:embed views.sql
var viewsSQL string

//go:embed provider_health.sql
var providerHealthSQL string

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	_ "embed"
)

// peopleViews makes [runlog.Views]. Like a migration it must not change without a new version, or databases that
// exist will not have the change.
//
//go:embed views.sql
var peopleViews string

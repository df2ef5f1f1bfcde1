// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"context"
	"database/sql"
	"strings"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/sqlitestore"
)

func init() {
	stores[""] = openSQLite
	stores["sqlite"] = openSQLite
}

func openSQLite(_ context.Context, target string) (*sql.DB, dialect, error) {
	db, err := sqlitestore.OpenReadOnly(strings.TrimPrefix(target, "sqlite://"))
	return db, sqliteDialect, err
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

func init() {
	stores["postgres"] = openPostgres
	stores["postgresql"] = openPostgres
}

func openPostgres(ctx context.Context, target string) (*sql.DB, dialect, error) {
	config, err := pgx.ParseConfig(target)
	if err != nil {
		return nil, dialect{}, fmt.Errorf("cannot read the URL of the run log: %w", err) // pgx masks the password
	}
	// A pooler in transaction mode gives every query another session, so nothing may be prepared.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	db := stdlib.OpenDB(*config)
	if err := db.PingContext(ctx); err != nil {
		return nil, dialect{}, errors.Join(fmt.Errorf("cannot reach the run log %q: %w: name another, or see that the server runs", safe(target), err), db.Close())
	}
	return db, postgresDialect, nil
}

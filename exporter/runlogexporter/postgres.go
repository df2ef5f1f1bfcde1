// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore"
)

// StorePostgres is a PostgreSQL database, which any number of collectors may write to.
const StorePostgres StoreKind = "postgres"

// PostgresConfig configures the postgres store.
type PostgresConfig struct {
	// DSN names the database, as URL (postgres://user:password@host:5432/database?sslmode=verify-full) or as key=value
	// pairs, TLS included.
	DSN configopaque.String `mapstructure:"dsn"`
	// Schema is where the tables are. It is created when there is none and the user may.
	Schema string `mapstructure:"schema"`
	// MaxConnections bounds the connections. Each consumer of the queue uses one.
	MaxConnections int32 `mapstructure:"max_connections"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func newDefaultPostgresConfig() PostgresConfig {
	return PostgresConfig{Schema: "public", MaxConnections: 4}
}

// validate is only asked when the store is postgres: only then a DSN must be there.
func (c *PostgresConfig) validate() error {
	var errs []error
	if strings.TrimSpace(string(c.DSN)) == "" {
		errs = append(errs, errors.New("postgres.dsn: must name a database, such as postgres://user:password@host:5432/database"))
	} else if err := pgstore.Check(string(c.DSN)); err != nil {
		errs = append(errs, fmt.Errorf("postgres.dsn: %w", err))
	}
	if c.Schema == "" {
		errs = append(errs, errors.New("postgres.schema: must name a schema, such as public"))
	}
	if c.MaxConnections < 1 {
		errs = append(errs, fmt.Errorf("postgres.max_connections: %d must be 1 at least", c.MaxConnections))
	}
	return errors.Join(errs...)
}

// open connects to the database.
func (c *PostgresConfig) open(ctx context.Context) (runlog.Store, error) {
	return pgstore.Open(ctx, pgstore.Options{DSN: string(c.DSN), Schema: c.Schema, MaxConnections: c.MaxConnections})
}

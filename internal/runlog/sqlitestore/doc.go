// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package sqlitestore keeps the run log in a SQLite database.
//
// The driver is modernc.org/sqlite: pure Go, so that the collector stays one static binary, and maintained
// (zombiezen.com/go/sqlite is a third faster, has had no release for long and leans on modernc's internals).
//
// There is one writer connection, in write-ahead mode, so readers are never blocked and never block. Rows lie
// in tables keyed by a short number of the run; readers see views with the names and columns of the design.
//
// Rows are inserted one by one with prepared statements: 32 rows a statement saved no CPU where spans come alone, and a
// tenth at best where they replace what logs told.
package sqlitestore // import "github.com/stageflow/otelcol-stageflow/internal/runlog/sqlitestore"

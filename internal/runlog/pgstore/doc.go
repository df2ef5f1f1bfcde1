// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package pgstore keeps the run log in a PostgreSQL database, or one that speaks its language: Citus, CockroachDB,
// YugabyteDB, managed services, PgBouncer in transaction mode.
//
// Rows are joined in Go, by the one rule of package runlog, and written by compare-and-swap: a row is sent with the
// revision of the row that it was joined to, and taken only if that is still the one stored. The rows written lately
// are remembered, so as a rule a batch is one round trip; what another collector changed meanwhile is read back, joined
// and sent again. So there are no locks to wait for, and nothing is kept in a session.
//
// A row of a stage or a call that comes from a span takes the place of one from log records whatever that says. Where
// a group has several rows (the attempts of a stage), those from log records stay, and the views hide them.
package pgstore // import "github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore"

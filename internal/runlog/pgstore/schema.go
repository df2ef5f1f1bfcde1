// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// Migrations only ever go forward. The n-th file makes version n out of version n-1 and is never changed once
// released; the table runlog_schema remembers the version.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

// peopleViews makes [runlog.Views]. Like a migration it must not change without a new version, or databases that
// exist will not have the change.
var peopleViews = strings.ReplaceAll(viewsSQL, "{{provider_health}}", providerHealthSQL)

//go:embed views.sql
var viewsSQL string

//go:embed provider_health.sql
var providerHealthSQL string

// migrations are the texts of the migrations in order.
func migrations() []string { return runlog.Migrations(migrationFiles) }

// migrate brings the schema to the newest version. Where it is that already, nothing is locked or written.
func migrate(ctx context.Context, c *pgx.Conn, schema string) error {
	if e := c.PgConn().ParameterStatus("server_encoding"); e != "" && !strings.EqualFold(e, "UTF8") {
		return fmt.Errorf("%w but %s", errEncoding, e)
	}
	version, err := readVersion(ctx, c, schema, "")
	if missing := code(err); missing == "42P01" || missing == "3F000" { // no such table, no such schema
		version, err = 0, nil
	}
	if err != nil || version == len(migrations()) {
		return err
	}
	for try := range maxTries {
		if err = prepare(ctx, c, schema); err == nil {
			err = pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error { return upgrade(ctx, tx, schema) })
			if !isCollision(err) {
				return err
			}
		} else if !isCollision(err) && !slices.Contains(createdByAnother, code(err)) {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
	return err
}

// createdByAnother is what IF NOT EXISTS fails with when two begin at once.
var createdByAnother = []string{"23505", "42P06", "42P07"}

// querier is a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func readVersion(ctx context.Context, q querier, schema, locking string) (version int, err error) {
	err = q.QueryRow(ctx, "SELECT version FROM "+quote(schema)+".runlog_schema WHERE id = 1 "+locking).Scan(&version)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if known := len(migrations()); err == nil && version > known {
		err = fmt.Errorf("%w: it has schema version %d, this one knows %d", ErrNewerSchema, version, known)
	}
	return version, err
}

// prepare makes the row by whose lock collectors that start at once take turns.
func prepare(ctx context.Context, c *pgx.Conn, schema string) error {
	var schemas int
	// Not IF NOT EXISTS alone: it asks for the right to create even when there is nothing to create.
	if err := c.QueryRow(ctx, "SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = $1", schema).Scan(&schemas); err != nil {
		return err
	}
	if schemas == 0 {
		if _, err := c.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+quote(schema)); err != nil {
			return err
		}
	}
	table := quote(schema) + ".runlog_schema"
	if _, err := c.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+table+" (id bigint PRIMARY KEY, version bigint NOT NULL)"); err != nil {
		return err
	}
	_, err := c.Exec(ctx, "INSERT INTO "+table+" (id, version) VALUES (1, 0) ON CONFLICT (id) DO NOTHING")
	return err
}

// upgrade runs the migrations that the schema has not had, in one transaction with the lock.
func upgrade(ctx context.Context, tx pgx.Tx, schema string) error {
	version, err := readVersion(ctx, tx, schema, "FOR UPDATE")
	if err != nil {
		return err
	}
	all := migrations()
	if version == len(all) {
		return nil // another was first
	}
	texts := append([]string{"SET LOCAL search_path TO " + quote(schema)}, all[version:]...)
	if cockroach, err := isCockroach(ctx, tx); err != nil {
		return err
	} else if cockroach {
		texts = forCockroach(texts)
	}
	if err := run(ctx, tx, texts...); err != nil {
		return err
	}
	if version == 0 { // a view of such a name would be somebody else's, and must not be dropped
		err = makeViews(ctx, tx)
	} else {
		err = remakeViews(ctx, tx)
	}
	if err != nil {
		return err
	}
	return run(ctx, tx, fmt.Sprintf("UPDATE runlog_schema SET version = %d WHERE id = 1", len(all)))
}

// remakeViews makes the views as they are today. Migrations must not need them gone: columns are only ever added.
func remakeViews(ctx context.Context, tx pgx.Tx) error {
	var drops []string
	for _, v := range slices.Backward(runlog.Views) {
		drops = append(drops, "DROP VIEW IF EXISTS "+quote(v.Name))
	}
	for _, t := range runlog.Tables {
		drops = append(drops, "DROP VIEW IF EXISTS "+quote(t.Name))
	}
	if err := run(ctx, tx, drops...); err != nil {
		return err
	}
	return makeViews(ctx, tx)
}

func makeViews(ctx context.Context, tx pgx.Tx) error {
	for _, t := range runlog.Tables {
		if err := run(ctx, tx, viewSQL(t)); err != nil {
			return err
		}
	}
	return run(ctx, tx, peopleViews)
}

// run runs texts of one or several statements, which pgx itself does not.
func run(ctx context.Context, tx pgx.Tx, texts ...string) error {
	for _, sql := range texts {
		if _, err := tx.Conn().PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			return err
		}
	}
	return nil
}

// viewSQL is what readers see of a table.
func viewSQL(t *runlog.Table) string {
	var shown []string
	keys := 0
	for _, c := range t.Columns {
		cell := "d." + quote(c.Name)
		if c.Type == runlog.JSON {
			cell += "::jsonb"
		}
		if !c.Hidden {
			shown = append(shown, cell+" AS "+quote(c.Name))
		}
		if c.Merge == runlog.Key {
			keys++
		}
	}
	sql := fmt.Sprintf("CREATE VIEW %s AS\nSELECT %s\nFROM %s AS d", quote(t.Name), strings.Join(shown, ",\n  "), quote(dataTable(t)))
	if len(t.GroupColumns()) < keys {
		sql += "\nWHERE " + visible(t)
	}
	return sql
}

// visible is true of a row d unless it comes from a log record and its group has one from a span.
func visible(t *runlog.Table) string {
	same := []string{"s." + spanColumn}
	for _, i := range t.GroupColumns() {
		same = append(same, fmt.Sprintf("s.%[1]s = d.%[1]s", quote(t.Columns[i].Name)))
	}
	return fmt.Sprintf("d.%s OR NOT EXISTS (SELECT 1 FROM %s AS s WHERE %s)",
		spanColumn, quote(dataTable(t)), strings.Join(same, " AND "))
}

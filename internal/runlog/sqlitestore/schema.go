// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"embed"
	"errors"
	"fmt"
	"strings"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// applicationID marks a database as a run log (PRAGMA application_id): "sflg".
const applicationID = 0x73666c67

// Migrations only ever go forward. The n-th file makes version n out of version n-1 and is never changed once
// released; a database remembers its version in PRAGMA user_version.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

// ErrNewerSchema says that the database was written by a newer release.
var ErrNewerSchema = errors.New("the database was written by a newer release")

// errNotRunLog says that the file is a SQLite database of something else.
var errNotRunLog = errors.New("the database is not a run log")

// migrations are the texts of the migrations in order.
func migrations() []string { return runlog.Migrations(migrationFiles) }

// pragmas is how the writer runs. auto_vacuum stands first: it only works before the first table.
const pragmas = `
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA cache_size = -65536;
PRAGMA wal_autocheckpoint = 4000;
PRAGMA temp_store = MEMORY;
`

// checkSchema refuses databases that are not ours or not of our time, and returns the version.
func checkSchema(number func(string) (int64, error)) (version int64, err error) {
	if version, err = number("PRAGMA user_version"); err != nil {
		return 0, err
	}
	id, err := number("PRAGMA application_id")
	if err != nil {
		return 0, err
	}
	tables, err := number("SELECT count(*) FROM sqlite_master")
	if err != nil {
		return 0, err
	}
	if id != applicationID && (tables > 0 || version != 0) {
		return 0, errNotRunLog
	}
	if known := int64(len(migrations())); version > known {
		return 0, fmt.Errorf("%w: it has schema version %d, this one knows %d", ErrNewerSchema, version, known)
	}
	return version, nil
}

// migrate brings the database to the newest version, in one transaction.
func migrate(c conn) error { return c.transaction(func() error { return migrateLocked(c) }) }

func migrateLocked(c conn) error {
	version, err := checkSchema(c.number) // again, under the lock: another process may have been first
	if err != nil {
		return err
	}
	all := migrations()
	if version < int64(len(all)) {
		for _, name := range viewNames() {
			if err := c.exec("DROP VIEW IF EXISTS " + name); err != nil {
				return err
			}
		}
		for _, text := range all[version:] {
			if err := c.exec(text); err != nil {
				return err
			}
		}
		for _, t := range runlog.Tables {
			if err := c.exec(viewSQL(t)); err != nil {
				return err
			}
		}
		if err := c.exec(peopleViews); err != nil {
			return err
		}
		if err := c.exec(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(all))); err != nil {
			return err
		}
	}
	return nil
}

// ChangedView is not for people: the runs in the order in which something was told of them last. Its column changed is
// when, in microseconds since 1970, so that an index of numbers will do, which costs a writer less than one of text.
const ChangedView = "runs_changed"

// viewNames are the views of all tables and the views over them.
func viewNames() (names []string) {
	names = append(names, ChangedView)
	for _, t := range runlog.Tables {
		names = append(names, t.Name)
	}
	for _, v := range runlog.Views {
		names = append(names, v.Name)
	}
	return names
}

// dataTable is the table behind a view.
func dataTable(t *runlog.Table) string { return t.Name + "_data" }

// viewSQL makes what readers see of a table.
func viewSQL(t *runlog.Table) string {
	var columns []string
	for i, c := range t.Columns {
		switch {
		case c.Hidden:
		case i == 0 && belowRun(t):
			columns = append(columns, "r.run_id AS run_id")
		case c.Type == runlog.Time:
			columns = append(columns, timeSQL("d."+c.Name)+" AS "+c.Name)
		default:
			columns = append(columns, "d."+c.Name+" AS "+c.Name)
		}
	}
	from := dataTable(t) + " d"
	switch {
	case t == runlog.Runs:
		from += "\nWHERE d.id <> 0"
	case belowRun(t):
		from += "\nJOIN " + dataTable(runlog.Runs) + " r ON r.id = d.run"
	}
	return fmt.Sprintf("CREATE VIEW %s AS\nSELECT %s\nFROM %s", t.Name, strings.Join(columns, ",\n  "), from)
}

// timeSQL shows microseconds as RFC 3339 in UTC. The same expression is indexed for the start of runs.
func timeSQL(column string) string {
	return fmt.Sprintf("strftime('%%Y-%%m-%%dT%%H:%%M:%%S', %[1]s / 1000000, 'unixepoch') || printf('.%%06dZ', %[1]s %% 1000000)", column)
}

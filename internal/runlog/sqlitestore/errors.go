// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// errDamaged marks a stored row that cannot be read back, so nothing can be joined to it.
var errDamaged = errors.New("damaged row")

// code is SQLite's primary result code behind an error, 0 when there is none.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// isDataError tells errors that the row causes and that come again whenever it is written. Everything else (a
// lock, a full or failing disk, a damaged file) may be repaired around us, so it is worth writing again.
func isDataError(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE:
		return true
	}
	return errors.Is(err, errDamaged)
}

// explain makes one line of why a database cannot be opened, written to or pruned: the path, what is wrong, what to do.
func explain(what, path string, err error) error {
	todo := ""
	switch code(err) {
	case sqlite3.SQLITE_NOTADB:
		todo = "the file is not a SQLite database; name another path or move the file away"
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		todo = "make the file and its directory writable for this user"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		todo = "another process holds it; one collector only may write to a run log"
	case sqlite3.SQLITE_CORRUPT:
		todo = "the file is damaged; restore it, or move it away to begin anew"
	case sqlite3.SQLITE_FULL:
		todo = "make room on the disk; nothing is damaged"
	}
	switch {
	case errors.Is(err, ErrNewerSchema):
		todo = "upgrade, or name another path"
	case errors.Is(err, errNotRunLog):
		todo = "name another path"
	}
	if todo == "" {
		return fmt.Errorf("cannot %s the run log %q: %w", what, path, err)
	}
	return fmt.Errorf("cannot %s the run log %q: %w: %s", what, path, err, todo)
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNewerSchema says that the database was written by a newer release.
var ErrNewerSchema = errors.New("the database was written by a newer release")

var (
	// errDamaged marks a stored row that cannot be read back, so nothing can be joined to it.
	errDamaged = errors.New("damaged row")
	// errBusy says that others changed the same rows again and again.
	errBusy = errors.New("rows of the batch are being changed by others all the time")
	// errEncoding says that the database cannot keep every text.
	errEncoding = errors.New("the database's encoding is not UTF8")
)

// code is the SQLSTATE behind an error, "" when there is none.
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// isDataError tells errors that the row causes and that come again whenever it is written: data exceptions, integrity
// constraints, program limits such as too long a key. Everything else may be repaired around us.
func isDataError(err error) bool {
	c := code(err)
	return strings.HasPrefix(c, "22") || strings.HasPrefix(c, "23") || strings.HasPrefix(c, "54") || errors.Is(err, errDamaged)
}

// isCollision tells errors that only say that somebody else was there: serialization failures and deadlocks.
func isCollision(err error) bool {
	switch code(err) {
	case "40001", "40P01":
		return true
	}
	return false
}

// Transient tells errors of Open that may go by themselves: nobody answers, or who answers says that it is only so for
// now. Of several hosts, or addresses of one, one that says so is enough; that another does not answer counts less than
// what one refuses.
func Transient(err error) bool {
	var away, refused bool
	for _, e := range branches(err) {
		switch {
		case isForNow(e):
			return true
		case code(e) != "":
			refused = true
		case isAway(e):
			away = true
		}
	}
	return away && !refused
}

// branches are the errors that an error joins, one per try to connect; itself when it joins none.
func branches(err error) (all []error) {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []error{err}
	}
	for _, e := range joined.Unwrap() {
		all = append(all, branches(e)...)
	}
	return all
}

// forNow are the SQLSTATEs, or their classes, of servers that have no room, start, shut down or lost a connection.
var forNow = []string{"53", "57P01", "57P02", "57P03", "08000", "08001", "08003", "08004", "08006"}

// poolerForNow is what PgBouncer says, with one code for everything, when it cannot hand on a connection.
var poolerForNow = []string{"server_login_retry", "query_wait_timeout", "no more connections allowed"}

// isForNow tells what a server says that it will not say for long.
func isForNow(err error) bool {
	c := code(err)
	hasCode := func(begin string) bool { return strings.HasPrefix(c, begin) }
	isSaid := func(text string) bool { return strings.Contains(err.Error(), text) }
	switch {
	case isCollision(err), c == "55P03": // others are in the way
		return true
	case errors.Is(err, pgconn.ErrReadOnlyConnection), errors.Is(err, pgconn.ErrStandbyConnection): // not promoted yet
		return true
	case c == "08P01":
		return slices.ContainsFunc(poolerForNow, isSaid)
	}
	return slices.ContainsFunc(forNow, hasCode)
}

// isAway tells that nothing came from a server, or no more. A connection that is forbidden here is another matter.
func isAway(err error) bool {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, fs.ErrPermission):
		return false
	case errors.As(err, &op):
		return op.Op == "dial" || op.Op == "read" || op.Op == "write" // others are of TLS
	case errors.As(err, &dns), pgconn.Timeout(err), errors.Is(err, context.DeadlineExceeded):
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// todo says for an SQLSTATE what to do about a database that does not open.
var todo = map[string]string{
	"28P01": "check user and password",
	"28000": "check user, password and pg_hba.conf",
	"3D000": "create it with CREATE DATABASE",
	"3F000": "create the schema, or grant CREATE on the database",
	"42501": "grant the user USAGE and CREATE on the schema, or CREATE on the database",
	"42P07": "another program has tables of these names here; name another schema",
	"53300": "raise max_connections, or lower max_connections of the exporter",
	"25006": "name the primary server: this one only reads (target_session_attrs=read-write in the DSN finds it)",
	"2BP01": "drop what was made on top of the run log's views; make it again afterwards",
}

// explain makes one line of why a database does not open: where, what is wrong, what to do. It never tells the password.
func explain(cfg *pgxpool.Config, err error) error {
	c := cfg.ConnConfig
	where := fmt.Sprintf("cannot open the run log in database %q at %s:%d", c.Database, c.Host, c.Port)
	if strings.HasPrefix(c.Host, "/") {
		where = fmt.Sprintf("cannot open the run log in database %q at %s", c.Database, c.Host)
	}
	do := todo[code(err)]
	switch {
	case errors.Is(err, ErrNewerSchema):
		do = "upgrade, or name another schema"
	case errors.Is(err, errEncoding):
		do = "create one WITH ENCODING 'UTF8' TEMPLATE template0"
	case code(err) == "" && slices.ContainsFunc(branches(err), isAway):
		do = "see that the server runs, and that the DSN says where"
	}
	if do != "" {
		do = ": " + do
	}
	return &openError{where + ": " + oneLine(err) + do, err}
}

// openError is an error in one line.
type openError struct {
	text string
	err  error
}

func (e *openError) Error() string { return e.text }

func (e *openError) Unwrap() error { return e.err }

// oneLine is what the server said, or else all of the error with its white space closed up. What several tries to
// connect failed with, with TLS and without, say, is told once.
func oneLine(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return strings.Join(strings.Fields(e.Message), " ")
	}
	var lines []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.Join(strings.Fields(line), " "); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

// parse reads a DSN. Its error tells nothing of the text: any part of it may be the password.
func parse(dsn string) (*pgxpool.Config, error) {
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		if _, err := url.Parse(dsn); err != nil {
			return nil, errors.New("the DSN is not a valid URL: write what is special in user and password as %xx")
		}
	}
	cfg, err := pgxpool.ParseConfig(dsn)
	if err == nil {
		return cfg, nil
	}
	if inner := errors.Unwrap(err); inner != nil {
		return nil, fmt.Errorf("the DSN cannot be read: %s", oneLine(inner))
	}
	return nil, errors.New("the DSN cannot be read: write postgres://user:password@host:5432/database?sslmode=verify-full")
}

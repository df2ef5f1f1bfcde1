// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a server says when somebody connects: whether waiting may help.
func TestTransientAnswers(t *testing.T) {
	for _, tt := range []struct {
		code, message string
		want          bool
	}{
		{"57P01", "terminating connection due to administrator command", true},
		{"57P02", "terminating connection because of crash of another server process", true},
		{"57P03", "the database system is starting up", true},
		{"53300", "sorry, too many clients already", true},
		{"53200", "out of memory", true},
		{"53100", "could not extend file: No space left on device", true},
		{"08006", "connection failure", true},
		{"40P01", "deadlock detected", true},
		{"55P03", "canceling statement due to lock timeout", true},
		{"08P01", "server login has been failing, cached error: connect failed (server_login_retry)", true},
		{"08P01", "query_wait_timeout", true},
		{"08P01", "no more connections allowed (max_client_conn)", true},

		{"08P01", "no such database: log", false},
		{"28P01", "password authentication failed", false},
		{"28000", "no pg_hba.conf entry", false},
		{"3D000", "database does not exist", false},
		{"3F000", "schema does not exist", false},
		{"42501", "permission denied", false},
		{"42P07", "relation exists", false},
		{"25006", "cannot execute CREATE TABLE in a read-only transaction", false},
		{"2BP01", "other objects depend on it", false},
		{"57014", "canceling statement due to statement timeout", false},
		{"57P04", "database was dropped", false},
		{"XX000", "internal error", false},
	} {
		t.Run(tt.code+" "+tt.message, func(t *testing.T) {
			_, err := Open(ctx, Options{DSN: answering(t, says(tt.code, tt.message))})
			require.ErrorContains(t, err, tt.message)
			assert.Equal(t, tt.want, Transient(err))
		})
	}
}

// Without an answer waiting may help, unless it is not the server that stands in the way.
func TestTransientConnections(t *testing.T) {
	silent := answering(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	closing := answering(t, func(net.Conn) {})
	without := strings.Replace(answering(t, func(c net.Conn) { _, _ = c.Write([]byte("N")) }), "disable", "require", 1)
	unknown := answering(t, says("3D000", "database does not exist"))
	starting := answering(t, says("57P03", "the database system is starting up"))
	refusing := nobody(t)
	for name, tt := range map[string]struct {
		dsn  string
		want bool
	}{
		"nobody listens":                     {refusing, true},
		"no socket":                          {"host=" + t.TempDir(), true},
		"no answer":                          {silent, true},
		"closed at once":                     {closing, true},
		"one is away, one is starting":       {both(refusing, starting), true},
		"one is starting, one knows nothing": {both(starting, unknown), true},
		"one is away, one knows nothing":     {both(refusing, unknown), false},
		"no TLS where it must be":            {without, false},
		"not a DSN":                          {"postgres://%zz", false},
		"a port that is none":                {"host=localhost port=none", false},
		"a certificate that cannot be read":  {refusing + " sslrootcert=/nowhere/ca.pem sslmode=verify-full", false},
		"an address that is no PostgreSQL's": {answering(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }), false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			_, err := Open(ctx, Options{DSN: tt.dsn})
			require.Error(t, err)
			assert.Equal(t, tt.want, Transient(err), "%v", err)
			assert.NotContains(t, err.Error(), "\n", "one line")
		})
	}
}

func TestOneLineSaysEverythingOnce(t *testing.T) {
	dsn := strings.Replace(nobody(t), "sslmode=disable", "sslmode=prefer", 1)
	_, err := Open(ctx, Options{DSN: dsn})
	require.ErrorContains(t, err, "refused: see that the server runs, and that the DSN says where")
	assert.Equal(t, 1, strings.Count(err.Error(), "refused"), "%v", err)
}

func TestTransientErrors(t *testing.T) {
	cfg, err := parse("host=localhost")
	require.NoError(t, err)
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "unix", Err: err} }
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"none":                        {nil, false},
		"no such host":                {&net.DNSError{Err: "no such host", Name: "db", IsNotFound: true}, true},
		"no route":                    {dial(syscall.EHOSTUNREACH), true},
		"broken while it was written": {&net.OpError{Op: "write", Err: syscall.EPIPE}, true},
		"reset while it was read":     {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		"time is up":                  {context.DeadlineExceeded, true},
		"no primary yet":              {fmt.Errorf("ValidateConnect failed: %w", pgconn.ErrReadOnlyConnection), true},
		"no primary of two yet":       {fmt.Errorf("ValidateConnect failed: %w", pgconn.ErrStandbyConnection), true},

		"told to end":             {context.Canceled, false},
		"a socket of others":      {dial(syscall.EACCES), false},
		"an alert of TLS":         {&net.OpError{Op: "remote error", Err: fmt.Errorf("tls: bad certificate")}, false},
		"a certificate of nobody": {x509.UnknownAuthorityError{}, false},
		"a newer release's":       {fmt.Errorf("%w: 99", ErrNewerSchema), false},
		"in another encoding":     {errEncoding, false},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, Transient(tt.err))
			if tt.err != nil {
				assert.Equal(t, tt.want, Transient(explain(cfg, tt.err)))
			}
		})
	}
}

// answering listens where the DSN that it returns says, and gives every connection to answer.
func answering(t *testing.T, answer func(net.Conn)) string {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var connections sync.WaitGroup
	connections.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Go(func() {
				defer c.Close()
				answer(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		connections.Wait()
	})
	return fmt.Sprintf("host=127.0.0.1 port=%d user=u dbname=log sslmode=disable", l.Addr().(*net.TCPAddr).Port)
}

// nobody is where nobody listens.
func nobody(t *testing.T) string {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return fmt.Sprintf("host=127.0.0.1 port=%d user=u dbname=log sslmode=disable", l.Addr().(*net.TCPAddr).Port)
}

// both are the hosts of two DSNs, tried in this order.
func both(a, b string) string {
	port := func(dsn string) string { return strings.TrimPrefix(strings.Fields(dsn)[1], "port=") }
	return fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%s,%s user=u dbname=log sslmode=disable", port(a), port(b))
}

// says refuses who connects.
func says(code, message string) func(net.Conn) {
	return func(c net.Conn) {
		b := pgproto3.NewBackend(c, c)
		if _, err := b.ReceiveStartupMessage(); err == nil {
			b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: message})
			_ = b.Flush()
		}
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgtest

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

// Wire stands between clients and a server. It notes what clients say, whichever part of them says it. And it is as
// hard on them as a pooler in transaction mode: after every transaction it discards all that the session holds.
type Wire struct {
	listener net.Listener
	server   string
	running  sync.WaitGroup

	mu       sync.Mutex
	texts    map[string]bool
	named    map[string]bool
	settings map[string]bool
	failed   []error
	open     map[net.Conn]bool
}

// Listen makes a wire to the server of a DSN, and a DSN of the same database that goes through it.
func Listen(t testing.TB, dsn string) (w *Wire, through string) {
	t.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // the name of a test's may be too long for a socket's
	require.NoError(t, err)
	l, err := new(net.ListenConfig).Listen(context.Background(), "unix", filepath.Join(dir, ".s.PGSQL.5432"))
	require.NoError(t, err)
	w = &Wire{listener: l, server: filepath.Join(cfg.Host, ".s.PGSQL.5432"),
		texts: map[string]bool{}, named: map[string]bool{}, settings: map[string]bool{}, open: map[net.Conn]bool{}}
	w.running.Go(w.accept)
	t.Cleanup(func() {
		_ = l.Close()
		w.mu.Lock()
		for c := range w.open {
			_ = c.Close()
		}
		w.mu.Unlock()
		w.running.Wait()
		_ = os.RemoveAll(dir)
		require.Empty(t, w.failed)
	})
	return w, strings.Replace(dsn, "host="+cfg.Host, "host="+dir, 1)
}

// Texts are the SQL texts that went by, each once.
func (w *Wire) Texts() []string { return w.noted(w.texts) }

// Named are the texts that were prepared under a name.
func (w *Wire) Named() []string { return w.noted(w.named) }

// Settings are the names of what clients wanted set for their sessions when they connected.
func (w *Wire) Settings() []string { return w.noted(w.settings) }

func (w *Wire) noted(m map[string]bool) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(m))
}

func (w *Wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.running.Go(func() { w.serve(client) })
	}
}

// note sees a message of a client.
func (w *Wire) note(m pgproto3.FrontendMessage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch m := m.(type) {
	case *pgproto3.StartupMessage:
		for name := range m.Parameters {
			w.settings[name] = true
		}
	case *pgproto3.Query:
		w.texts[m.String] = true
	case *pgproto3.Parse:
		w.texts[m.Query] = true
		if m.Name != "" {
			w.named[m.Query] = true
		}
	case *pgproto3.FunctionCall:
		w.texts["FUNCTION CALL"] = true
	}
}

// serve goes on until one of both hangs up.
func (w *Wire) serve(client net.Conn) {
	server, err := new(net.Dialer).DialContext(context.Background(), "unix", w.server)
	if err != nil {
		_ = client.Close()
		return
	}
	w.mu.Lock()
	w.open[client], w.open[server] = true, true
	w.mu.Unlock()
	hangUp := func() {
		_, _ = client.Close(), server.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, client)
		delete(w.open, server)
	}
	defer hangUp()
	from := pgproto3.NewBackend(client, client)
	start, err := from.ReceiveStartupMessage()
	if err != nil {
		return
	}
	w.note(start)
	to := &sender{Frontend: pgproto3.NewFrontend(server, server)}
	if to.send(start) != nil {
		return
	}
	if _, ok := start.(*pgproto3.CancelRequest); ok {
		_, _ = io.Copy(io.Discard, server) // the server hangs up when it has heard
		return
	}
	w.running.Go(func() {
		defer hangUp()
		w.answer(from, to)
	})
	for {
		m, err := from.Receive()
		if err != nil {
			return
		}
		w.note(m)
		if to.send(m) != nil {
			return
		}
	}
}

// answer hands on what the server says. Before it says that a transaction is over, nothing is left of it.
func (w *Wire) answer(client *pgproto3.Backend, server *sender) {
	for {
		m, err := server.Receive()
		if err != nil {
			return
		}
		if ready, ok := m.(*pgproto3.ReadyForQuery); ok && ready.TxStatus == 'I' {
			if err := server.discard(); err != nil {
				w.mu.Lock()
				w.failed = append(w.failed, err)
				w.mu.Unlock()
				return
			}
			m = &pgproto3.ReadyForQuery{TxStatus: 'I'}
		}
		client.Send(m)
		if server.ReadBufferLen() == 0 && client.Flush() != nil {
			return
		}
	}
}

// sender sends for both directions.
type sender struct {
	*pgproto3.Frontend
	mu sync.Mutex
}

func (s *sender) send(m pgproto3.FrontendMessage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Send(m)
	return s.Flush()
}

// discard forgets all that the session holds. Who hangs up meanwhile leaves nothing either.
func (s *sender) discard() error {
	for err := s.send(&pgproto3.Query{String: "DISCARD ALL"}); err == nil; {
		var m pgproto3.BackendMessage
		m, err = s.Receive()
		switch m := m.(type) {
		case *pgproto3.ErrorResponse:
			return errors.New(m.Message)
		case *pgproto3.ReadyForQuery:
			return nil
		}
	}
	return nil
}

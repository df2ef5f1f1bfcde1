// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package pgtest starts private PostgreSQL servers for tests, from the binaries that the system has: on a socket in a
// temporary directory, open to nobody else, and gone afterwards.
package pgtest // import "github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// Server is a running server.
type Server struct {
	// dir holds the socket and, in data, the database.
	dir     string
	bin     string
	options []string
	process *exec.Cmd
	// exited is closed when the process is gone.
	exited chan struct{}
}

// errMissing says that there is nothing to start.
var errMissing = errors.New("PostgreSQL's server binaries are not installed (test/servers.sh does that)")

// shared is the one server of a test binary.
var shared struct {
	sync.Mutex
	server    *Server
	databases atomic.Int64
}

// Database makes an empty database in the server that all tests of the binary share, and returns its DSN. Without
// server binaries the test is skipped, but fails where CI=true. TestMain must call [Stop].
func Database(t testing.TB) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		// Nothing here shall outlive a crash of the machine.
		shared.server = start(t, "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")
	}
	return shared.server.Database(t)
}

// Stop ends the server that all tests share, if there is one.
func Stop() {
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		shared.server.stop()
		shared.server = nil
	}
}

// Start starts a server for one test, which keeps the database as servers in production do.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	s := start(t, options...)
	t.Cleanup(s.stop)
	return s
}

// Database makes an empty database and returns its DSN.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", shared.databases.Add(1))
	Exec(t, s.DSN("postgres"), "CREATE DATABASE "+name)
	return s.DSN(name)
}

// DSN is that of a database.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("host=%s user=postgres dbname=%s", s.dir, database)
}

// Exec runs statements in a database.
func Exec(t require.TestingT, dsn, sql string) {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, dsn)
	require.NoError(t, err)
	defer func() { _ = c.Close(ctx) }()
	_, err = c.PgConn().Exec(ctx, sql).ReadAll()
	require.NoError(t, err, sql)
}

// Kill ends the server at once, as kill -9 does.
func (s *Server) Kill() {
	_ = s.process.Process.Kill()
	<-s.exited
}

// Restart starts the server again on what Kill left.
func (s *Server) Restart() error {
	var err error
	// The processes of the old server may still be about to notice that it is gone; till then a new one ends at once.
	return eventually(func() error {
		if s.exited == nil || err != nil || isClosed(s.exited) {
			if err = s.launch(); err != nil {
				return err
			}
		}
		return s.ping()
	})
}

func start(t testing.TB, options ...string) *Server {
	t.Helper()
	s, err := create(options)
	if errors.Is(err, errMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func create(options []string) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	// Not t.TempDir: its parent is for its owner only, and its name may be too long for a socket's.
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, options: options}
	if err := s.initialize(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.Restart(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// binaries is the directory of the newest server that the system has.
func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		if path, err := exec.LookPath("initdb"); err == nil {
			return filepath.Dir(path), nil
		}
		return "", errMissing
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

func (s *Server) initialize() error {
	if err := giveAway(s.dir); err != nil {
		return err
	}
	c := s.command("initdb", "-D", s.data(), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command is one of PostgreSQL's programs, run by whom it runs for: it refuses root.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(context.Background(), filepath.Join(s.bin, name), args...)
	c.Dir = s.dir
	c.SysProcAttr = attributes()
	return c
}

func (s *Server) launch() error {
	args := append([]string{"-D", s.data(), "-k", s.dir, "-c", "listen_addresses="}, s.options...)
	s.process = s.command("postgres", args...)
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		return err
	}
	s.exited = make(chan struct{})
	go func(c *exec.Cmd, exited chan struct{}) {
		_ = c.Wait()
		close(exited)
	}(s.process, s.exited)
	return nil
}

func (s *Server) ping() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		return fmt.Errorf("%w: %s", err, log)
	}
	return c.Close(ctx)
}

func (s *Server) stop() {
	if s.exited != nil {
		_ = s.process.Process.Signal(syscall.SIGQUIT)
		<-s.exited
	}
	_ = os.RemoveAll(s.dir)
}

// eventually tries until there is no error, or for half a minute.
func eventually(try func() error) error {
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-deadline:
			return err
		case <-tick.C:
		}
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

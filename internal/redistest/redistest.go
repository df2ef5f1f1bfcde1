// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package redistest starts private Redis servers for tests, from the binary that the system has: on a socket in a temporary
// directory, open to nobody else, keeping nothing on disk, and gone afterwards.
package redistest // import "github.com/stageflow/otelcol-stageflow/internal/redistest"

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Server is a running server.
type Server struct {
	// Socket is where it listens.
	Socket string

	t       testing.TB
	process *exec.Cmd
}

// Start starts a server that ends with the test. Without a server binary the test is skipped, but fails where CI=true.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") != "true" {
			t.Skip("redis-server is not installed (test/servers.sh does that)")
		}
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // the name of t.TempDir may be too long for a socket's
	require.NoError(t, err)
	s := &Server{Socket: filepath.Join(dir, "s"), t: t}
	args := append([]string{"--port", "0", "--unixsocket", s.Socket, "--save", "", "--appendonly", "no", "--dir", dir}, options...)
	t.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(dir)
	})
	s.process = command(program, args...)
	s.launch()
	return s
}

// Kill ends the server at once; all that it knew is gone.
func (s *Server) Kill() {
	if s.process.Process != nil && s.process.ProcessState == nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
	}
}

// Restart starts a killed server again, empty.
func (s *Server) Restart() {
	s.t.Helper()
	s.process = command(s.process.Path, s.process.Args[1:]...)
	s.launch()
}

func (s *Server) launch() {
	s.t.Helper()
	require.NoError(s.t, s.process.Start())
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		if c, err := (&net.Dialer{}).DialContext(ctx, "unix", s.Socket); err == nil {
			_ = c.Close()
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatal("the Redis server does not listen")
		}
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package testbed runs the built collector as a process of its own, on free ports, for the end-to-end tests and
// the demo.
package testbed // import "github.com/stageflow/otelcol-stageflow/internal/testbed"

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Options say what to start.
type Options struct {
	// Binary is the collector, Config the configuration to start from.
	Binary, Config string
	// Dir is where the database, the queues and the log go; it must exist.
	Dir string
	// Overrides is YAML that is merged over the configuration, "" for none.
	Overrides string
}

// Collector is a running collector.
type Collector struct {
	// GRPC, HTTP and Events are the addresses of its inputs, Metrics that of its own metrics.
	GRPC, HTTP, Events, Metrics string
	// Database and Log are the paths of its run log and of what it printed.
	Database, Log string

	cmd     *exec.Cmd
	exited  chan struct{}
	exitErr error
	logFile *os.File
	stop    sync.Once
}

const overrides = `
extensions:
  health_check: {endpoint: %[1]q}
receivers:
  stageflow:
    protocols:
      grpc: {endpoint: %[2]q}
      http: {endpoint: %[3]q}
    events: {endpoint: %[4]q}
service:
  telemetry:
    metrics:
      readers:
        - pull: {exporter: {prometheus: {host: 127.0.0.1, port: %[5]s}}}
`

// Start starts a collector and returns when it is ready.
func Start(ctx context.Context, o Options) (*Collector, error) {
	addresses, err := freeAddresses(5)
	if err != nil {
		return nil, err
	}
	_, metricsPort, err := net.SplitHostPort(addresses[4])
	if err != nil {
		return nil, err
	}
	c := &Collector{
		GRPC: addresses[1], HTTP: addresses[2], Events: addresses[3], Metrics: addresses[4],
		Database: filepath.Join(o.Dir, "runlog.db"), Log: filepath.Join(o.Dir, "collector.log"),
		exited: make(chan struct{}),
	}
	args := []string{"--config", o.Config, "--config", "yaml:" + fmt.Sprintf(overrides, addresses[0], c.GRPC, c.HTTP, c.Events, metricsPort)}
	if o.Overrides != "" {
		args = append(args, "--config", "yaml:"+o.Overrides)
	}
	c.logFile, err = os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	c.cmd = exec.CommandContext(context.WithoutCancel(ctx), o.Binary, args...) // stopped by Stop, not by ctx
	c.cmd.Env = append(os.Environ(), "STAGEFLOW_RUNLOG="+c.Database, "STAGEFLOW_STORAGE="+filepath.Join(o.Dir, "queue"))
	c.cmd.Stdout, c.cmd.Stderr = c.logFile, c.logFile
	if err := c.cmd.Start(); err != nil {
		return nil, errors.Join(err, c.logFile.Close())
	}
	go func() {
		c.exitErr = c.cmd.Wait()
		close(c.exited)
	}()
	if err := c.waitReady(ctx, "http://"+addresses[0]); err != nil {
		c.Kill()
		return nil, err
	}
	return c, nil
}

func (c *Collector) waitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := Poll(ctx, func() (bool, error) {
		select {
		case <-c.exited:
			return false, fmt.Errorf("the collector ended at once (%w):\n%s", c.exitErr, c.lastLog())
		default:
		}
		code, _, err := get(ctx, url)
		return err == nil && code == http.StatusOK, nil
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("the collector is not ready after 30s:\n%s", c.lastLog())
	}
	return err
}

// PID is the collector's process.
func (c *Collector) PID() int { return c.cmd.Process.Pid }

// Stop asks the collector to shut down and waits for it, at most 30 s.
func (c *Collector) Stop() error {
	var err error
	c.stop.Do(func() {
		if err = c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return
		}
		select {
		case <-c.exited:
			err = c.exitErr
		case <-time.After(30 * time.Second):
			_ = c.cmd.Process.Kill()
			<-c.exited
			err = errors.New("the collector did not stop within 30s")
		}
		err = errors.Join(err, c.logFile.Close())
	})
	return err
}

// Kill ends the collector at once, as a crash would.
func (c *Collector) Kill() {
	c.stop.Do(func() {
		_ = c.cmd.Process.Kill() // fails only when it has ended
		<-c.exited
		_ = c.logFile.Close()
	})
}

func (c *Collector) lastLog() string {
	raw, err := os.ReadFile(c.Log)
	if err != nil {
		return err.Error()
	}
	return string(raw[max(0, len(raw)-4000):])
}

// Post sends a body of JSON lines to the events endpoint and returns the status and the answer.
func (c *Collector) Post(ctx context.Context, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.Events+"/v1/events", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	return do(req)
}

// Poll calls ready until it says yes, fails, or ctx ends.
func Poll(ctx context.Context, ready func() (bool, error)) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		ok, err := ready()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func get(ctx context.Context, url string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	return do(req)
}

func do(req *http.Request) (code int, body []byte, err error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// freeAddresses finds n addresses on this host that nobody listens on.
func freeAddresses(n int) ([]string, error) {
	addresses := make([]string, 0, n)
	var config net.ListenConfig
	for range n {
		l, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() //nolint:errcheck // only its number was wanted
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

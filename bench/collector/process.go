// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// collector is a running collector.
type collector struct {
	address, metrics string
	log              string
	cmd              *exec.Cmd
	// exited is closed when the process has ended, with exitErr.
	exited  chan struct{}
	exitErr error
}

const telemetry = `
service:
  telemetry: {metrics: {readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: %s}}}}]}}
`

// start starts the binary and returns when it listens.
func start(ctx context.Context, binary, dir string, configs []string) (*collector, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	metrics, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(metrics)
	if err != nil {
		return nil, err
	}
	fill := strings.NewReplacer("ADDRESS", address, "DIR", dir)
	var args []string
	for _, config := range append([]string{fmt.Sprintf(telemetry, port)}, configs...) {
		args = append(args, "--config", "yaml:"+fill.Replace(config))
	}
	c := &collector{address: address, metrics: metrics, exited: make(chan struct{}), log: filepath.Join(dir, "collector.log")}
	log, err := os.Create(c.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the process has it open, and nothing was written here
	c.cmd = exec.CommandContext(ctx, binary, args...)
	c.cmd.Stdout, c.cmd.Stderr = log, log
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.exitErr = c.cmd.Wait()
		close(c.exited)
	}()
	if err := c.ready(ctx); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// ready waits until the collector's input listens, which is the last thing that it does at start.
func (c *collector) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-time.After(20 * time.Millisecond):
			continue
		case <-c.exited:
		case <-ctx.Done():
		}
		said, err := os.ReadFile(c.log)
		return errors.Join(fmt.Errorf("the collector does not listen:\n%s", said), err)
	}
}

// stop ends the collector.
func (c *collector) stop() error {
	select {
	case <-c.exited:
		return c.exitErr
	default:
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-c.exited
	return c.exitErr
}

// cpu is the time that the process has had of all processors, to the nanosecond: /proc counts hundredths of seconds,
// which is too coarse for the cheap contestants.
func (c *collector) cpu() (time.Duration, error) {
	const scheduled = 2 // the clock of a process, as clock_getcpuclockid(3) makes it
	var ts unix.Timespec
	err := unix.ClockGettime(int32(^c.cmd.Process.Pid<<3|scheduled), &ts) //nolint:gosec // so it is defined
	return time.Duration(ts.Nano()), err
}

// metric is the sum of all series of one of the collector's own metrics.
func (c *collector) metric(ctx context.Context, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.metrics+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	code, body, err := do(http.DefaultClient, req)
	if err != nil || code != http.StatusOK {
		return 0, errors.Join(fmt.Errorf("the collector's metrics answer %d", code), err)
	}
	sum := 0.0
	for lines := bufio.NewScanner(bytes.NewReader(body)); lines.Scan(); {
		end := max(strings.LastIndexByte(lines.Text(), ' '), 0)
		series, value := lines.Text()[:end], lines.Text()[end:]
		if series, _, _ = strings.Cut(series, "{"); strings.TrimSuffix(series, "_total") != name {
			continue
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return 0, err
		}
		sum += f
	}
	return sum, nil
}

// freeAddress finds an address on this host that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

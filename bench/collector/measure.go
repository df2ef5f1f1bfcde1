// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// settled is how long it takes until a run that has ended has left the receiver: the default of runs.settle, and the
// time until the receiver looks.
const settled = 1500 * time.Millisecond

// load is what a contestant is sent: first some requests that do not count, in which it grows warm.
type load struct{ warmUp, measured [][]request }

// measurement is what one process did.
type measurement struct {
	// perSecond is events per second, cpu the CPU seconds of a million events.
	perSecond, cpu float64
}

// measure starts a contestant, sends it the load, and stops it.
func measure(ctx context.Context, c *contestant, binary string, l load) (m measurement, err error) {
	dir, err := os.MkdirTemp("", "bench-collector-*")
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p, err := start(ctx, binary, dir, c.config)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()

	if _, err := sendAll(ctx, c.dial, p.address, l.warmUp); err != nil {
		return m, err
	}
	c.settle()
	before, err := p.cpu()
	if err != nil {
		return m, err
	}
	took, err := sendAll(ctx, c.dial, p.address, l.measured)
	if err != nil {
		return m, err
	}
	c.settle()
	after, err := p.cpu()
	if err != nil {
		return m, err
	}
	n := float64(eventsOf(l.measured))
	return measurement{n / took.Seconds(), (after - before).Seconds() / n * 1e6}, c.check(ctx, p, l)
}

// settle waits until all that was sent to ours has left it; the others hand on before they answer.
func (c *contestant) settle() {
	if c.ours && !c.logsOnly {
		time.Sleep(settled)
	}
}

// check makes sure that what was measured is the work that was meant: all events came in, none was taken for a copy,
// and all runs have left.
func (c *contestant) check(ctx context.Context, p *collector, l load) error {
	sent := eventsOf(l.warmUp) + eventsOf(l.measured)
	want := map[string]float64{"otelcol_receiver_accepted_log_records": float64(sent)}
	if c.ours {
		want["otelcol_receiver_stageflow_duplicate_events"] = 0
		want["otelcol_receiver_stageflow_runs_active"] = 0
	}
	if c.ours && !c.logsOnly {
		want["otelcol_receiver_stageflow_runs_settled"] = float64(sent) / eventsPerRun
	}
	for name, value := range want {
		got, err := p.metric(ctx, name)
		if err != nil {
			return err
		}
		if got != value {
			return fmt.Errorf("%s: %s is %v, not %v", c.name, name, got, value)
		}
	}
	return nil
}

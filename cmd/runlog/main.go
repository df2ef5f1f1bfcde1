// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command runlog shows the run log in a terminal: which runs there were, what each of them did and for how long,
// what failed and why, which provider is sick. It only reads. `runlog help` teaches the rest.
package main

import (
	"context"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	width, terminal := terminalWidth(os.Stdout)
	c := &cli{
		out: os.Stdout, errors: os.Stderr, getenv: os.Getenv, now: time.Now, zone: time.Local,
		width: width, terminal: terminal,
		ticker: func(d time.Duration) (<-chan time.Time, func()) {
			t := time.NewTicker(d)
			return t.C, t.Stop
		},
	}
	code := c.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

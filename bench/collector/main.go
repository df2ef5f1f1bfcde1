// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
)

// options are what may be chosen.
type options struct {
	ours, stock, capture string
	connections          int
	events, rounds       int
	batches              string
}

func main() {
	var o options
	flag.StringVar(&o.ours, "binary", "../bin/otelcol-stageflow", "the distribution: make build")
	flag.StringVar(&o.stock, "stock", "../bin/otelcol-stock", "the collector to compare with, built of ./collector/stock")
	flag.StringVar(&o.capture, "capture", "../testdata/captures/protocol_calls__run_and_provider_logger.ndjson", "the events")
	flag.IntVar(&o.connections, "connections", 4, "how many requests are under way at once")
	flag.IntVar(&o.events, "events", 100_000, "how many events every process gets, and a tenth of it to grow warm")
	flag.IntVar(&o.rounds, "rounds", 5, "how often all take their turn")
	flag.StringVar(&o.batches, "batches", "100,500", "how many events are in a request")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := compare(ctx, &o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // the signal may go unwatched
	}
}

// compare measures all contestants, and writes a table for each size of requests.
func compare(ctx context.Context, o *options, w io.Writer) error {
	run, err := readRun(o.capture)
	if err != nil {
		return err
	}
	perConnection := max(o.events/eventsPerRun/o.connections, 1)
	warm := newStreams(run, o.connections, max(perConnection/10, 1), 1)
	measured := newStreams(run, o.connections, perConnection, 2)
	bytes, events := 0, 0
	for _, s := range measured {
		for _, line := range s {
			bytes += len(line)
		}
		events += len(s)
	}
	for _, text := range strings.Split(o.batches, ",") {
		batch, err := strconv.Atoi(text)
		if err != nil || batch < 1 {
			return fmt.Errorf("-batches: %q is no number of events", text)
		}
		all, err := o.takeTurns(ctx, batch, warm, measured)
		if err != nil {
			return err
		}
		if err := all.print(w, batch, events, bytes); err != nil {
			return err
		}
	}
	return nil
}

// takeTurns lets every contestant have its turn as often as is asked for. All requests are made beforehand.
func (o *options) takeTurns(ctx context.Context, batch int, warm, measured []stream) (results, error) {
	loads, all := make([]load, len(contestants)), make(results, len(contestants))
	for i := range contestants {
		var err error
		if loads[i].warmUp, err = requests(warm, batch, contestants[i].encode); err != nil {
			return nil, err
		}
		if loads[i].measured, err = requests(measured, batch, contestants[i].encode); err != nil {
			return nil, err
		}
	}
	for range o.rounds {
		for i := range contestants {
			c := &contestants[i]
			binary := o.stock
			if c.ours {
				binary = o.ours
			}
			m, err := measure(ctx, c, binary, loads[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			all[i] = append(all[i], m)
		}
	}
	return all, nil
}

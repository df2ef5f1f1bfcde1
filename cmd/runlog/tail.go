// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func (c *cli) tail(fs *flag.FlagSet) action {
	var f reader.Filter
	last, interval, lookback := 10, time.Second, time.Minute
	c.filterFlags(fs, &f)
	fs.Func("last", "", func(s string) (err error) {
		if last, err = strconv.Atoi(s); err != nil || last < 0 || last > reader.MaxLimit {
			return usagef("give a number from 0 to %d", reader.MaxLimit)
		}
		return nil
	})
	least := func(to *time.Duration, least time.Duration) func(string) error {
		return func(s string) (err error) {
			if *to, err = time.ParseDuration(s); err != nil || *to < least {
				return usagef("give a duration of at least %v, say 2s", least)
			}
			return nil
		}
	}
	fs.Func("interval", "", least(&interval, 10*time.Millisecond))
	fs.Func("lookback", "", least(&lookback, 0))
	return func(ctx context.Context, operands []string) error {
		if err := noOperands("tail", operands); err != nil {
			return err
		}
		return c.withLog(ctx, func() error {
			err := c.follow(ctx, &follower{log: c.log, filter: f, lookback: lookback, known: map[string]reader.Change{}}, last, interval)
			if ctx.Err() == nil {
				return err
			}
			return nil // to be interrupted is how following ends
		})
	}
}

func (c *cli) follow(ctx context.Context, f *follower, last int, interval time.Duration) error {
	runs, err := f.begin(ctx, last)
	if err != nil {
		return err
	}
	if !c.json {
		if err := c.printChange("TIME", "STATUS", "DURATION", "PIPELINE", "RUN", "ERROR"); err != nil {
			return err
		}
	}
	tick, stop := c.ticker(interval)
	defer stop()
	for {
		for _, r := range runs {
			if err := c.printRun(r); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick:
		}
		if runs, err = f.poll(ctx); err != nil {
			return err
		}
	}
}

func (c *cli) printRun(r reader.Record) error {
	if c.json {
		return c.printJSON(r)
	}
	at := ""
	if t := r.Time("updated_at"); !t.IsZero() {
		at = t.In(c.zone).Format(time.TimeOnly)
	}
	return c.printChange(at, clean(r.Text("status")), durationOf(r, "duration_ms"), clean(r.Text("pipeline_name")), clean(r.Text("run_id")), errorText(r))
}

// printChange writes a line in fixed columns: what comes later is not known yet.
func (c *cli) printChange(at, status, duration, pipeline, run, err string) error {
	const idWidth, leastError = 36, 20
	runWidth := idWidth
	left := c.width - (8 + 9 + 8 + 16 + 5*gap)
	if c.width > 0 && left < idWidth+leastError {
		runWidth = 13
	}
	line := []string{pad(at, 8, false), pad(status, 9, false), pad(duration, 8, true), pad(pipeline, 16, false)}
	text := strings.Join([]string{line[2], line[3], pad(run, runWidth, false), err}, "  ")
	if c.width > 0 {
		text = cut(text, c.width-8-9-2*gap)
	}
	_, e := fmt.Fprintln(c.out, strings.TrimRight(line[0]+"  "+c.theme.paint(statusPaint(status), line[1])+"  "+text, " "))
	return e
}

// follower finds what is new in a log: each run once per change of its status.
type follower struct {
	log      *reader.Reader
	filter   reader.Filter
	lookback time.Duration
	// known are the runs that changed within the lookback, and those that go on.
	known map[string]reader.Change
	// newest is the latest event time seen. The log's clock counts, not this machine's.
	newest time.Time
}

// begin takes what is in the log as known, and returns the last runs, oldest first.
func (f *follower) begin(ctx context.Context, last int) ([]reader.Record, error) {
	const enough = 100 // among the last runs to begin is the latest event, but for the lookback
	latest, err := f.log.Runs(ctx, reader.Filter{Limit: enough})
	if err != nil {
		return nil, err
	}
	for _, r := range latest {
		f.see(reader.Change{RunID: r.Text("run_id"), Status: r.Text("status"), UpdatedAt: r.Time("updated_at")})
	}
	if len(latest) > 0 {
		if _, err := f.changes(ctx); err != nil {
			return nil, err
		}
	}
	if last == 0 {
		return nil, nil
	}
	filter := f.filter
	filter.Limit = last
	runs, err := f.log.Runs(ctx, filter)
	for _, r := range runs {
		f.see(reader.Change{RunID: r.Text("run_id"), Status: r.Text("status"), UpdatedAt: r.Time("updated_at")})
	}
	slices.Reverse(runs)
	return runs, err
}

// see notes a run's state and tells whether it is new.
func (f *follower) see(c reader.Change) bool {
	before, known := f.known[c.RunID]
	f.known[c.RunID] = c
	if c.UpdatedAt.After(f.newest) {
		f.newest = c.UpdatedAt
	}
	return !known || before.Status != c.Status
}

// changes notes what was told of runs within the lookback, or of those that went on, and returns the ids of
// those whose status is new, in order of time.
func (f *follower) changes(ctx context.Context) (ids []string, err error) {
	news, looked := []reader.Change{}, map[string]bool{}
	note := func(changes []reader.Change) {
		for _, c := range changes {
			looked[c.RunID] = true
			if f.see(c) {
				news = append(news, c)
			}
		}
	}
	after := reader.Change{UpdatedAt: f.newest}
	if !f.newest.IsZero() {
		after.UpdatedAt = f.newest.Add(-f.lookback)
	}
	for {
		changes, err := f.log.Changed(ctx, after)
		if err != nil {
			return nil, err
		}
		note(changes)
		if len(changes) < reader.MaxLimit {
			break
		}
		after = changes[len(changes)-1]
	}
	states, err := f.log.States(ctx, f.running(looked))
	if err != nil {
		return nil, err
	}
	note(states)
	f.forget()
	slices.SortStableFunc(news, func(a, b reader.Change) int { return a.UpdatedAt.Compare(b.UpdatedAt) })
	for _, c := range news {
		ids = append(ids, c.RunID)
	}
	return ids, nil
}

// running are runs known to go on that were not looked at. Memory and queries are bounded: of too many, those
// silent for longest are given up.
func (f *follower) running(looked map[string]bool) (ids []string) {
	var going []reader.Change
	for id, c := range f.known {
		if c.Status == string(semconv.StatusRunning) && !looked[id] {
			going = append(going, c)
		}
	}
	slices.SortFunc(going, func(a, b reader.Change) int {
		return cmp.Or(b.UpdatedAt.Compare(a.UpdatedAt), cmp.Compare(a.RunID, b.RunID))
	})
	for i, c := range going {
		if i < reader.MaxLimit {
			ids = append(ids, c.RunID)
		} else {
			delete(f.known, c.RunID)
		}
	}
	return ids
}

// forget drops ended runs that no look back will find again.
func (f *follower) forget() {
	oldest := f.newest.Add(-f.lookback)
	for id, c := range f.known {
		if c.Status != string(semconv.StatusRunning) && c.UpdatedAt.Before(oldest) {
			delete(f.known, id)
		}
	}
}

// poll returns the runs whose status is new and that the filter chooses.
func (f *follower) poll(ctx context.Context) (runs []reader.Record, err error) {
	ids, err := f.changes(ctx)
	if err != nil {
		return nil, err
	}
	const atOnce = 500
	for part := range slices.Chunk(ids, atOnce) {
		filter := f.filter
		filter.RunIDs, filter.Limit = part, atOnce
		found, err := f.log.Runs(ctx, filter)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(found, func(a, b reader.Record) int {
			return cmp.Compare(slices.Index(part, a.Text("run_id")), slices.Index(part, b.Text("run_id")))
		})
		runs = append(runs, found...)
	}
	return runs, nil
}

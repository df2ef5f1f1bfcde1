// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"time"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
)

func (c *cli) list(fs *flag.FlagSet) action {
	var f reader.Filter
	c.filterFlags(fs, &f)
	limitFlag(fs, &f, reader.MaxLimit)
	return func(ctx context.Context, operands []string) error {
		if err := noOperands("list", operands); err != nil {
			return err
		}
		return c.answer(ctx, "no runs match", f, (*reader.Reader).Runs, func(runs []reader.Record) *table {
			return runTable(runs, shortIDs(runs), c.now(), c.zone)
		})
	}
}

// answer asks the log, and shows what it found as a table or as JSON.
func (c *cli) answer(ctx context.Context, nothing string, f reader.Filter,
	ask func(*reader.Reader, context.Context, reader.Filter) ([]reader.Record, error), layout func([]reader.Record) *table,
) error {
	return c.withLog(ctx, func() error {
		found, err := ask(c.log, ctx, f)
		if err != nil {
			return err
		}
		if c.json {
			for i := range found {
				if err := c.printJSON(found[i]); err != nil {
					return err
				}
			}
			return nil
		}
		if len(found) == 0 {
			c.note(nothing)
			return nil
		}
		return layout(found).write(c.out, c.width, c.theme)
	})
}

func statusPaint(status string) paint { return statusPaints[status] }

func runTable(runs []reader.Record, ids []string, now time.Time, zone *time.Location) *table {
	t := &table{columns: []column{
		{title: "RUN", least: 8},
		{title: "STARTED"},
		{title: "STATUS", paint: statusPaint},
		{title: "DURATION", right: true},
		{title: "PIPELINE", least: 8},
		{title: "STAGE", least: 5},
		{title: "ERROR", least: 10},
	}}
	for i, r := range runs {
		t.rows = append(t.rows, []string{
			ids[i], started(r, now, zone), clean(r.Text("status")), durationOf(r, "duration_ms"), clean(r.Text("pipeline_name")),
			clean(r.Text("failed_stage")), errorText(r),
		})
	}
	return t
}

// started is how long ago a run began.
func started(r reader.Record, now time.Time, zone *time.Location) string {
	t := r.Time("started_at")
	if !t.IsZero() && now.Sub(t) > 365*24*time.Hour {
		return t.In(zone).Format("2006-01-02")
	}
	return ago(now, t)
}

// shortIDs cuts run ids to what tells them apart from each other, so that one can be typed after `show`.
func shortIDs(runs []reader.Record) []string {
	ids := make([]string, len(runs))
	for i, r := range runs {
		ids[i] = r.Text("run_id")
	}
	short := make([]string, len(ids))
	for n := 8; ; n++ {
		seen, clash, longer := map[string]bool{}, false, false
		for i, id := range ids {
			short[i] = firstRunes(id, n)
			longer = longer || len(short[i]) < len(id)
			clash = clash || seen[short[i]]
			seen[short[i]] = true
		}
		if !clash || !longer {
			break
		}
	}
	for i := range short {
		short[i] = clean(short[i])
	}
	return short
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"time"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
)

// recently is what summaries count when nothing is said: a sum over all time hides what goes on.
const recently = 24 * time.Hour

func (c *cli) failures(fs *flag.FlagSet) action {
	var f reader.Filter
	c.filterFlags(fs, &f)
	limitFlag(fs, &f, reader.MaxLimit)
	return func(ctx context.Context, operands []string) error {
		if err := noOperands("failures", operands); err != nil {
			return err
		}
		c.recent(&f)
		return c.answer(ctx, "nothing failed", f, (*reader.Reader).Failures, c.failureTable)
	}
}

func (c *cli) recent(f *reader.Filter) {
	if f.Since.IsZero() && f.Until.IsZero() {
		f.Since = c.now().Add(-recently)
	}
}

func (c *cli) failureTable(found []reader.Record) *table {
	t := &table{columns: []column{
		{title: "RUNS", right: true},
		{title: "PIPELINE", least: 8},
		{title: "STAGE", least: 5},
		{title: "CODE", least: 8, paint: func(string) paint { return red }},
		{title: "RETRY"},
		{title: "LAST"},
		{title: "RUN", least: 8},
		{title: "MESSAGE", least: 10},
	}}
	ids := shortIDs(found)
	for i, r := range found {
		t.rows = append(t.rows, []string{
			number(r.Int("runs")), clean(r.Text("pipeline_name")), clean(r.Text("failed_stage")), clean(r.Text("error_code")), retryable(r),
			started(reader.NewRecord([]string{"started_at"}, []any{r.Value("last_started_at")}), c.now(), c.zone), ids[i], clean(r.Text("error_message")),
		})
	}
	return t
}

func retryable(r reader.Record) string {
	switch yes, known := r.Bool("error_retryable"); {
	case !known:
		return ""
	case yes:
		return "yes"
	}
	return "no"
}

func (c *cli) providers(fs *flag.FlagSet) action {
	var f reader.Filter
	c.timeFlags(fs, &f)
	fs.StringVar(&f.Provider, "provider", "", "")
	limitFlag(fs, &f, reader.MaxLimit)
	return func(ctx context.Context, operands []string) error {
		if err := noOperands("providers", operands); err != nil {
			return err
		}
		c.recent(&f)
		return c.answer(ctx, "no calls", f, (*reader.Reader).Providers, c.providerTable)
	}
}

func (c *cli) providerTable(found []reader.Record) *table {
	t := &table{columns: []column{
		{title: "PROVIDER", least: 16},
		{title: "OPERATION"},
		{title: "CALLS", right: true},
		{title: "FAILED", right: true},
		{title: "P50", right: true},
		{title: "P95", right: true},
		{title: "BREAKER", paint: breakerPaint},
		{title: "LAST ERROR", least: 12},
		{title: "TOK IN", right: true},
		{title: "TOK OUT", right: true},
		{title: "COST", right: true},
	}}
	for _, r := range found {
		tokens := func(column string) string {
			if r.Value(column) == nil {
				return ""
			}
			return number(r.Int(column))
		}
		cost := ""
		if usd, ok := r.Float("cost_usd"); ok {
			cost = dollars(usd)
		}
		t.rows = append(t.rows, []string{
			clean(r.Text("provider")), clean(r.Text("operation")), number(r.Int("calls")), number(r.Int("failed")),
			durationOf(r, "p50_ms"), durationOf(r, "p95_ms"), clean(r.Text("breaker_state")), clean(r.Text("last_error_code")),
			tokens("input_tokens"), tokens("output_tokens"), cost,
		})
	}
	return t
}

// breakerPaint warns of breakers that are not closed.
func breakerPaint(state string) paint {
	switch state {
	case "", "closed", "forced_closed":
		return noPaint
	case "half_open":
		return yellow
	}
	return red
}

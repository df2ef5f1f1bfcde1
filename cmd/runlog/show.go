// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
)

// plainWidth is for pictures without a terminal.
const plainWidth = 100

func (c *cli) show(*flag.FlagSet) action {
	return func(ctx context.Context, operands []string) error {
		if len(operands) != 1 {
			return usagef("name one run: `runlog show RUN`; `runlog list` has their ids")
		}
		return c.withLog(ctx, func() error {
			d, err := c.detail(ctx, operands[0])
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(d)
			}
			width := c.width
			if width == 0 {
				width = plainWidth
			}
			return c.print(strings.Join(picture(d, width, c.theme, c.now(), c.zone), "\n") + "\n")
		})
	}
}

func (c *cli) detail(ctx context.Context, prefix string) (*reader.Detail, error) {
	id, err := c.log.Find(ctx, prefix)
	var ambiguous *reader.AmbiguousError
	switch {
	case errors.Is(err, reader.ErrNotFound):
		return nil, fmt.Errorf("the log has no run %q: `runlog list` has the last ones", prefix)
	case errors.As(err, &ambiguous):
		return nil, fmt.Errorf("%w: give more of the id", err)
	case err != nil:
		return nil, err
	}
	return c.log.Run(ctx, id)
}

// picture is a run as lines of a terminal.
func picture(d *reader.Detail, width int, theme theme, now time.Time, zone *time.Location) []string {
	lines := header(d, width, theme, now, zone)
	if drawn := draw(timeline(d), axisOf(d), width, theme); len(drawn) > 0 {
		lines = append(append(lines, ""), drawn...)
	}
	if len(d.BreakerTransitions) > 0 {
		lines = append(lines, "", theme.paint(faint, "BREAKERS"))
		for _, t := range d.BreakerTransitions {
			lines = append(lines, transition(t, d.Run.Time("started_at"), width, theme))
		}
	}
	if len(d.Children) > 0 {
		var b strings.Builder
		// A builder takes everything.
		_ = runTable(d.Children, shortIDs(d.Children), now, zone).write(&b, max(width-2, 1), theme)
		lines = append(lines, "", theme.paint(faint, "CHILDREN"))
		for _, line := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") {
			lines = append(lines, "  "+line)
		}
	}
	if d.Truncated {
		lines = append(lines, "", cut("There is more than is shown here: ask the log with SQL.", width))
	}
	return lines
}

func header(d *reader.Detail, width int, theme theme, now time.Time, zone *time.Location) []string {
	run := d.Run
	status := clean(run.Text("status"))
	title := clean(run.Text("run_id"))
	state := strings.Join(words(mark(status), status, durationOf(run, "duration_ms")), " ")
	lines := []string{theme.paint(bold, cut(title, width))}
	if len(lines[0]) > 0 && width-2-lenOf(title, width) >= lenOf(state, width) {
		lines[0] += "  " + theme.paint(statusPaint(status), state)
	} else {
		lines = append(lines, theme.paint(statusPaint(status), cut(state, width)))
	}

	const indent = 12
	field := func(name string, p paint, texts ...string) {
		text := strings.Join(words(texts...), " · ")
		if text == "" {
			return
		}
		for i, line := range wrap(text, max(width-indent, 1)) {
			label := pad("", indent, false)
			if i == 0 {
				label = theme.paint(faint, pad("  "+name, indent, false))
			}
			if width <= indent {
				label = ""
			}
			lines = append(lines, label+theme.paint(p, cut(line, max(width-indent, width/2+1))))
		}
	}
	labelled := func(label, column string) string {
		if text := clean(run.Text(column)); text != "" {
			return label + " " + text
		}
		return ""
	}
	field("pipeline", noPaint, clean(run.Text("pipeline_name")), clean(run.Text("topology")), clean(run.Text("execution_mode")), labelled("service", "service"))
	if t := run.Time("started_at"); !t.IsZero() {
		field("started", noPaint, t.In(zone).Format("2006-01-02 15:04:05.000 MST")+", "+ago(now, t))
	}
	if kind := clean(run.Text("end_kind")); kind != "" && kind != "none" && kind != "explicit" {
		field("end", noPaint, endKinds[kind])
	}
	field("user", noPaint, clean(run.Text("user_id")), labelled("session", "session_id"), labelled("org", "org_id"))
	field("request", noPaint, clean(run.Text("request_id")), labelled("correlation", "correlation_id"))
	field("trace", noPaint, clean(run.Text("trace_id")))
	field("parent", noPaint, clean(run.Text("parent_run_id")), labelled("stage", "parent_stage"))
	if errorText(run) != "" {
		where := ""
		if stage := clean(run.Text("failed_stage")); stage != "" {
			where = "in " + stage
		}
		field("error", red, clean(run.Text("error_code")), where, mayRetry(run), clean(run.Text("error_type")))
		field("", noPaint, clean(run.Text("error_message")))
	}
	field("breakers", yellow, strings.Join(notClosed(run), ", "))
	field("usage", noPaint, usage(d)...)
	return lines
}

func lenOf(s string, limit int) int { return width(cut(s, limit)) }

// endKinds explain how the end is known; an explicit end needs no word.
var endKinds = map[string]string{
	"abandoned": "abandoned: nothing was heard with something still open",
	"inferred":  "inferred: nothing was heard, and nothing was open",
	"requested": "requested: a cancel was asked for",
	"parent":    "told by the parent run",
}

func mayRetry(r reader.Record) string {
	switch yes, known := r.Bool("error_retryable"); {
	case !known:
		return ""
	case yes:
		return "retryable"
	}
	return "not retryable"
}

// notClosed are the breakers that were not closed in the run.
func notClosed(run reader.Record) (list []string) {
	var states []struct{ Key, State string }
	text := run.Text("breakers")
	if text == "" {
		return nil
	}
	if json.Unmarshal([]byte(text), &states) != nil {
		return []string{clean(text)}
	}
	for _, s := range states {
		list = append(list, clean(s.Key)+" "+clean(s.State))
	}
	return list
}

// usage sums up what the run's calls took.
func usage(d *reader.Detail) []string {
	if len(d.ProviderCalls) == 0 && len(d.ToolCalls) == 0 {
		return nil
	}
	var failed, in, out int64
	cost, priced := 0.0, false
	for _, call := range d.ProviderCalls {
		if ok, known := call.Bool("success"); known && !ok {
			failed++
		}
		in += call.Int("input_tokens")
		out += call.Int("output_tokens")
		if usd, known := call.Float("cost_usd"); known {
			cost, priced = cost+usd, true
		}
	}
	texts := []string{count(len(d.ProviderCalls), "provider call")}
	if failed > 0 {
		texts[0] += fmt.Sprintf(" (%d failed)", failed)
	}
	if n := len(d.ToolCalls); n > 0 {
		texts = append(texts, count(n, "tool call"))
	}
	if in+out > 0 {
		texts = append(texts, fmt.Sprintf("%d tokens in, %d out", in, out))
	}
	if priced {
		texts = append(texts, dollars(cost))
	}
	return texts
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func words(texts ...string) (some []string) {
	for _, t := range texts {
		if t != "" && t != " " {
			some = append(some, t)
		}
	}
	return some
}

// transition is a line: when into the run, which breaker, from what to what, why.
func transition(t reader.Record, start time.Time, width int, theme theme) string {
	when := ""
	if at := t.Time("at"); !at.IsZero() && !start.IsZero() {
		when = duration(float64(at.UnixMicro()-start.UnixMicro()) / 1000)
	}
	to := clean(t.Text("to_state"))
	text := fmt.Sprintf("  %s  %s %s → %s", pad(when, 8, true), clean(t.Text("key")), clean(t.Text("from_state")), to)
	if reason := clean(t.Text("reason")); reason != "" {
		text += ": " + reason
	}
	return theme.paint(breakerPaint(to), cut(text, width))
}

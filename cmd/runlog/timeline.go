// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// The bars' glyphs tell the kinds apart without colours.
const (
	stageGlyph = "█"
	callGlyph  = "▓"
	toolGlyph  = "▒"
	noTime     = "│"
)

// item is a stage attempt, a provider call or a tool call on the timeline.
type item struct {
	label, status, glyph string
	// start and end are microseconds since 1970; placed tells that both are known, or that it goes on.
	start, end float64
	placed     bool
	duration   string
	errorText  string
	note       string
	below      []*item
}

// longest is a century in milliseconds; what took longer is damage.
const longest = 100 * 365 * 24 * 3600 * 1000

// newItem reads the times of a record; of start, end and duration any two give the third.
func newItem(r reader.Record, durationColumn string) *item {
	i := &item{status: clean(r.Text("status")), duration: durationOf(r, durationColumn), errorText: errorText(r)}
	if i.errorText != "" {
		code, message := clean(r.Text("error_code")), clean(r.Text("error_message"))
		i.note = strings.Join(words(strings.Join(words(code, parenthesised(mayRetry(r))), " "), message), ": ")
	}
	start, end := r.Time("started_at"), r.Time("ended_at")
	ms, known := r.Float(durationColumn)
	if known = known && ms >= 0 && ms <= longest; !known {
		i.duration = ""
	}
	i.start, i.end = float64(start.UnixMicro()), float64(end.UnixMicro())
	switch {
	case start.IsZero() && end.IsZero():
		return i
	case start.IsZero():
		i.start = i.end
		if known {
			i.start -= ms * 1000
		}
	case end.IsZero():
		i.end = i.start
		if known {
			i.end += ms * 1000
		}
	}
	if !known && !start.IsZero() && !end.IsZero() {
		i.duration = duration((i.end - i.start) / 1000)
	}
	i.placed, i.end = true, max(i.start, i.end)
	return i
}

func parenthesised(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// timeline puts provider and tool calls under the stage attempts that made them, all in order of time.
func timeline(d *reader.Detail) []*item {
	attempts := map[string]int{}
	for _, s := range d.Stages {
		attempts[s.Text("name")]++
	}
	var top []*item
	stages := map[string][]*item{}
	var all []*item
	for _, s := range d.Stages {
		i := newItem(s, "duration_ms")
		name := s.Text("name")
		i.label, i.glyph = clean(name), stageGlyph
		if attempts[name] > 1 || s.Int("attempt") > 1 {
			i.label += fmt.Sprintf(" #%d", s.Int("attempt"))
		}
		if i.note == "" {
			i.note = clean(s.Text("reason"))
		}
		stages[name] = append(stages[name], i)
		all, top = append(all, i), append(top, i)
	}
	put := func(i *item, stage string) {
		candidates := stages[stage]
		if candidates == nil {
			candidates = all // the record does not say, but its time may
		}
		if owner := ownerOf(i, candidates, stages[stage] != nil); owner != nil {
			owner.below = append(owner.below, i)
			return
		}
		top = append(top, i)
	}
	for _, c := range d.ProviderCalls {
		i := newItem(c, "latency_ms")
		i.glyph, i.status = callGlyph, string(semconv.StatusRunning)
		if ok, known := c.Bool("success"); known && ok {
			i.status = string(semconv.StatusCompleted)
		} else if known {
			i.status = string(semconv.StatusFailed)
		}
		i.label = strings.Join(words(clean(c.Text("provider")), clean(c.Text("model_id")), clean(c.Text("operation"))), " ")
		if i.label == "" {
			i.label = "call " + clean(c.Text("call_id"))
		}
		put(i, c.Text("stage"))
	}
	for _, c := range d.ToolCalls {
		i := newItem(c, "duration_ms")
		i.glyph = toolGlyph
		i.label = "tool " + clean(c.Text("tool_name"))
		put(i, c.Text("stage"))
	}
	byStart(top)
	for _, s := range all {
		byStart(s.below)
		s.hideRepeatedError()
	}
	return top
}

// ownerOf is the attempt during which an item began: the last one begun by then. When it is known that one of
// the attempts made it, the first is taken rather than none.
func ownerOf(i *item, attempts []*item, certain bool) (owner *item) {
	for _, a := range attempts {
		if !i.placed || !a.placed || a.start > i.start || !certain && a.end < i.start {
			continue
		}
		if owner == nil || a.start >= owner.start {
			owner = a
		}
	}
	if owner == nil && certain {
		return attempts[0]
	}
	return owner
}

func byStart(items []*item) {
	slices.SortStableFunc(items, func(a, b *item) int {
		switch {
		case a.placed != b.placed:
			if a.placed {
				return -1
			}
			return 1
		case !a.placed || a.start == b.start:
			return 0
		case a.start < b.start:
			return -1
		}
		return 1
	})
}

// hideRepeatedError leaves a stage's error to the call below that had it.
func (i *item) hideRepeatedError() {
	for _, b := range i.below {
		if i.errorText != "" && b.errorText == i.errorText {
			i.note = ""
		}
	}
}

// axis is the time that the bars share, in microseconds.
type axis struct{ from, to float64 }

// axisOf is from the first to the last time that is known of a run.
func axisOf(d *reader.Detail) axis {
	var a axis
	known := false
	add := func(from, to float64) {
		if !known {
			a, known = axis{from, to}, true
		}
		a.from, a.to = min(a.from, from), max(a.to, to)
	}
	records := func(list []reader.Record, column string) {
		for _, r := range list {
			if i := newItem(r, column); i.placed {
				add(i.start, i.end)
			}
		}
	}
	records([]reader.Record{d.Run}, "duration_ms")
	records(d.Stages, "duration_ms")
	records(d.ProviderCalls, "latency_ms")
	records(d.ToolCalls, "duration_ms")
	if t := d.Run.Time("updated_at"); known && !t.IsZero() && d.Run.Text("status") == string(semconv.StatusRunning) {
		add(a.from, float64(t.UnixMicro()))
	}
	return a
}

// columns are the widths of a timeline's parts; bars is 0 where there is no room for them.
type columns struct{ total, label, bars int }

const durationWidth = 8

func columnsFor(items []*item, width int) columns {
	label := len("TIMELINE")
	for _, i := range items {
		label = max(label, 2+lenOf(i.label, width))
		for _, b := range i.below {
			label = max(label, 4+lenOf(b.label, width))
		}
	}
	c := columns{total: width, label: min(label, max(12, width*2/5))}
	// A gap, a mark, a gap, the duration, two gaps.
	const between = 1 + 1 + 1 + durationWidth + 2
	const leastBars = 8
	if c.bars = width - c.label - between; c.bars < leastBars {
		c.label, c.bars = max(0, min(c.label, width-2-between)), 0
	}
	return c
}

// draw is the timeline as lines, none wider than width.
func draw(items []*item, a axis, width int, theme theme) (lines []string) {
	if len(items) == 0 {
		return nil
	}
	c := columnsFor(items, width)
	lines = append(lines, theme.paint(faint, c.scale(a)))
	for _, i := range items {
		lines = append(lines, c.line(i, 1, a, theme)...)
		for _, b := range i.below {
			lines = append(lines, c.line(b, 2, a, theme)...)
		}
	}
	return lines
}

// scale is the head of the timeline: its title, and where the time stands.
func (c columns) scale(a axis) string {
	title := pad("TIMELINE", c.label, false) + strings.Repeat(" ", 1+1+1+durationWidth+2)
	if c.bars == 0 {
		return cut(strings.TrimRight(title, " "), c.total)
	}
	// As many ticks as have room.
	const perTick = 14
	ticks := min(4, max(1, c.bars/perTick))
	text := ""
	for n := range ticks {
		at := n * c.bars / ticks
		text = pad(text, at, false) + duration((a.to-a.from)/1000*float64(n)/float64(ticks))
	}
	end := duration((a.to - a.from) / 1000)
	return cut(title+pad(text, c.bars-lenOf(end, c.bars), false)+cut(end, c.bars), c.total)
}

// line is an item, and what is to be said of it below.
func (c columns) line(i *item, depth int, a axis, theme theme) []string {
	p := statusPaints[i.status]
	label := pad(strings.Repeat("  ", depth)+i.label, c.label, false)
	tail := pad(i.duration, durationWidth, true)
	if c.bars > 0 {
		before, bar := c.bar(i, a)
		tail += "  " + before + theme.paint(p, bar)
	}
	head := label + " "
	lines := []string{strings.TrimRight(head+theme.paint(p, mark(i.status))+" "+tail, " ")}
	if width(head)+2+durationWidth > c.total {
		lines[0] = cut(mark(i.status)+" "+strings.TrimSpace(label), c.total)
	}
	if i.note != "" {
		notePaint := p
		if i.errorText == "" {
			notePaint = faint
		}
		lines = append(lines, theme.paint(notePaint, cut(strings.Repeat("  ", depth)+"╰ "+i.note, c.total)))
	}
	return lines
}

// bar is where an item lies on the axis: the cells before it, and its own. What takes no time is a stroke; what
// takes any has a cell at least; what goes on reaches the end.
func (c columns) bar(i *item, a axis) (before, bar string) {
	if !i.placed {
		return "", ""
	}
	at := func(t float64) float64 {
		if a.to <= a.from {
			return 0
		}
		return min(max((t-a.from)/(a.to-a.from), 0), 1) * float64(c.bars)
	}
	end := i.end
	open := i.status == string(semconv.StatusRunning)
	if open {
		end = a.to
	}
	from := max(min(int(at(i.start)), c.bars-1), 0)
	to := int(at(end))
	if float64(to) < at(end) {
		to++
	}
	to = min(max(to, from+1), c.bars)
	before = strings.Repeat(" ", from)
	switch {
	case open:
		return before, strings.Repeat(i.glyph, to-from-1) + "▶"
	case end <= i.start:
		return before, noTime
	}
	return before, strings.Repeat(i.glyph, to-from)
}

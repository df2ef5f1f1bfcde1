// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"
)

// ConsoleOption is a setting of [NewConsoleExporter].
type ConsoleOption func(*ConsoleExporter)

// WithoutColor writes plain text. So does a NO_COLOR in the environment that is not empty.
func WithoutColor() ConsoleOption { return func(c *ConsoleExporter) { c.color = false } }

// WithVerbose writes the data of events too. Default: it is left out.
func WithVerbose() ConsoleOption { return func(c *ConsoleExporter) { c.verbose = true } }

// ConsoleExporter writes events for people to read, while developing:
//
//	[12:00:00.000] stage.llm.completed
//	  stage: llm
//	  duration: 340.0ms
//	  data: {"tokens":500}
//
// Times are in UTC. The first line is red for types that contain "error" or "fail", green for "complete" or
// "success", blue for "start", else cyan. Control characters become U+FFFD, so that no event can move the cursor.
type ConsoleExporter struct {
	color, verbose bool
	now            func() time.Time

	mu sync.Mutex
	w  io.Writer
}

var _ Exporter = (*ConsoleExporter)(nil)

// NewConsoleExporter writes to w, nil meaning standard output, in one Write for each event or batch.
func NewConsoleExporter(w io.Writer, opts ...ConsoleOption) *ConsoleExporter {
	if w == nil {
		w = os.Stdout
	}
	c := &ConsoleExporter{color: os.Getenv("NO_COLOR") == "", now: time.Now, w: w}
	for _, opt := range opts {
		opt(c)
	}
	return c
}

// Export writes the event. The error is the writer's.
func (c *ConsoleExporter) Export(ctx context.Context, event AnalyticsEvent) error {
	return c.ExportBatch(ctx, []AnalyticsEvent{event})
}

// ExportBatch is described at Export.
func (c *ConsoleExporter) ExportBatch(_ context.Context, events []AnalyticsEvent) error {
	var out strings.Builder
	for _, e := range events {
		c.write(&out, e.at(c.now))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := io.WriteString(c.w, out.String())
	return err
}

// Close does nothing: the writer stays the caller's.
func (*ConsoleExporter) Close(context.Context) error { return nil }

func (c *ConsoleExporter) write(out *strings.Builder, e AnalyticsEvent) {
	color, reset := "", ""
	if c.color {
		color, reset = colorOf(e.EventType), "\x1b[0m"
	}
	fmt.Fprintf(out, "%s[%s] %s%s\n", color, e.Timestamp.UTC().Format("15:04:05.000"), uncontrolled(e.EventType), reset)
	if e.StageName != "" {
		fmt.Fprintf(out, "  stage: %s\n", uncontrolled(e.StageName))
	}
	if e.Duration != nil {
		fmt.Fprintf(out, "  duration: %.1fms\n", milliseconds(*e.Duration))
	}
	if c.verbose && len(e.Data) > 0 {
		fmt.Fprintf(out, "  data: %s\n", uncontrolled(jsonObject(e.Data)))
	}
}

func colorOf(eventType string) string {
	has := func(part string) bool { return strings.Contains(eventType, part) }
	switch {
	case has("error"), has("fail"):
		return "\x1b[91m"
	case has("complete"), has("success"):
		return "\x1b[92m"
	case has("start"):
		return "\x1b[94m"
	}
	return "\x1b[96m"
}

func uncontrolled(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

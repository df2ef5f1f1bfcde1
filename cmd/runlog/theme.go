// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

// theme tells whether to use colours.
type theme bool

// paint is the escape sequence of a colour.
type paint string

const (
	noPaint paint = ""
	red     paint = "31"
	green   paint = "32"
	yellow  paint = "33"
	magenta paint = "35"
	cyan    paint = "36"
	bold    paint = "1"
	faint   paint = "2"
)

func (t theme) paint(p paint, s string) string {
	if !t || p == noPaint || s == "" {
		return s
	}
	return "\x1b[" + string(p) + "m" + s + "\x1b[0m"
}

// statusPaints are the colours of statuses; words and marks say the same without them.
var statusPaints = map[string]paint{
	"running": cyan, "completed": green, "failed": red, "cancelled": yellow, "skipped": faint, "retried": yellow, "abandoned": magenta,
}

var statusMarks = map[string]string{
	"running": "…", "completed": "✓", "failed": "✗", "cancelled": "⊘", "skipped": "⊘", "retried": "↻", "abandoned": "?",
}

func mark(status string) string {
	if m, ok := statusMarks[status]; ok {
		return m
	}
	return " "
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"strings"
)

// column of a table.
type column struct {
	title string
	right bool
	// least is the fewest cells to which the column may be cut when the terminal is narrow; 0: it is never cut.
	least int
	paint func(cell string) paint
}

// table is rows of clean cells under titles. Columns without any cell are left out.
type table struct {
	columns []column
	rows    [][]string
}

const gap = 2

// write lays the table out in width cells; 0 is as many as it takes.
func (t *table) write(out io.Writer, width int, theme theme) error {
	widths := t.layout(width)
	var b strings.Builder
	line := func(cell func(i int) (string, paint)) {
		begin, blank := b.Len(), 0
		for i, w := range widths {
			if w == 0 {
				continue
			}
			if b.Len() > begin || blank > 0 {
				blank += gap
			}
			text, p := cell(i)
			padded := pad(text, w, t.columns[i].right)
			trimmed := strings.TrimRight(padded, " ")
			if trimmed != "" {
				b.WriteString(strings.Repeat(" ", blank))
				blank = 0
				b.WriteString(theme.paint(p, trimmed))
			}
			blank += len(padded) - len(trimmed)
		}
		b.WriteByte('\n')
	}
	line(func(i int) (string, paint) { return t.columns[i].title, faint })
	for _, row := range t.rows {
		line(func(i int) (string, paint) {
			if t.columns[i].paint == nil {
				return row[i], noPaint
			}
			return row[i], t.columns[i].paint(row[i])
		})
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// layout is the columns' widths; 0 leaves a column out.
func (t *table) layout(limit int) []int {
	widths := make([]int, len(t.columns))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], width(cell))
		}
	}
	total := -gap
	for i, w := range widths {
		if w > 0 {
			widths[i] = max(w, width(t.columns[i].title))
			total += widths[i] + gap
		}
	}
	if limit <= 0 {
		return widths
	}
	// The last columns give way first, then are left out; the first one always stays.
	for i := len(widths) - 1; i >= 0 && total > limit; i-- {
		if least := t.columns[i].least; least > 0 && widths[i] > least {
			cut := min(total-limit, widths[i]-least)
			widths[i] -= cut
			total -= cut
		}
	}
	for i := len(widths) - 1; i > 0 && total > limit; i-- {
		if widths[i] > 0 {
			total -= widths[i] + gap
			widths[i] = 0
		}
	}
	widths[0] = min(widths[0], limit)
	return widths
}

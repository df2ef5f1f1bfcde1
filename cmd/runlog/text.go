// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"unicode"
)

// clean makes text of a run log safe for a terminal: one line, no control characters (an escape sequence could
// recolour, overwrite or retitle the terminal), nothing invisible or that turns the direction of what follows.
func clean(s string) string {
	var b strings.Builder
	marks, rtl := 0, false
	for _, r := range s {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029':
			r, marks = ' ', 0
		case r < ' ':
			r, marks = '\u2400'+r, 0 // its picture
		case r == 0x7f:
			r, marks = '\u2421', 0
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r):
			// Letters take a mark or two; towers of them grow over other lines.
			if marks++; marks > 2 {
				continue
			}
		case unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Co, r):
			continue
		case !unicode.IsGraphic(r):
			r, marks = unicode.ReplacementChar, 0
		default:
			marks = 0
			rtl = rtl || rightToLeft(r)
		}
		b.WriteRune(r)
	}
	s = strings.TrimSpace(b.String())
	if rtl {
		// Isolated, so that it does not turn the bars and numbers beside it.
		return "\u2068" + s + "\u2069"
	}
	return s
}

// rightToLeft are Hebrew, Arabic and their neighbours.
func rightToLeft(r rune) bool {
	return r >= 0x590 && r <= 0x8ff || r >= 0xfb1d && r <= 0xfdff || r >= 0xfe70 && r <= 0xfeff || r >= 0x10800 && r <= 0x10fff || r >= 0x1e800 && r <= 0x1efff
}

// wide are the characters that take two cells: East Asian ones and emoji.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x1100, 0x115f, 1}, {0x231a, 0x231b, 1}, {0x23e9, 0x23ec, 1}, {0x25fd, 0x25fe, 1}, {0x2614, 0x2615, 1}, {0x2648, 0x2653, 1},
		{0x26a1, 0x26a1, 1}, {0x26aa, 0x26ab, 1}, {0x26bd, 0x26be, 1}, {0x26c4, 0x26c5, 1}, {0x26d4, 0x26d4, 1}, {0x2705, 0x2705, 1},
		{0x270a, 0x270b, 1}, {0x2728, 0x2728, 1}, {0x274c, 0x274c, 1}, {0x2753, 0x2757, 1}, {0x2795, 0x2797, 1}, {0x2b1b, 0x2b1c, 1},
		{0x2b50, 0x2b50, 1}, {0x2e80, 0x303e, 1}, {0x3041, 0xa4cf, 1}, {0xa960, 0xa97c, 1}, {0xac00, 0xd7a3, 1}, {0xf900, 0xfaff, 1},
		{0xfe30, 0xfe6f, 1}, {0xff00, 0xff60, 1}, {0xffe0, 0xffe6, 1},
	},
	R32: []unicode.Range32{
		{0x16fe0, 0x18aff, 1}, {0x1b000, 0x1b2ff, 1}, {0x1f004, 0x1f004, 1}, {0x1f0cf, 0x1f0cf, 1}, {0x1f18e, 0x1f19a, 1},
		{0x1f200, 0x1f320, 1}, {0x1f32d, 0x1f5ff, 1}, {0x1f600, 0x1f64f, 1}, {0x1f680, 0x1f6ff, 1}, {0x1f7e0, 0x1f7eb, 1},
		{0x1f90c, 0x1f9ff, 1}, {0x1fa70, 0x1faff, 1}, {0x20000, 0x3fffd, 1},
	},
}

// cells is how many cells of the terminal a character takes.
func cells(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.Is(unicode.Mn, r), unicode.Is(unicode.Me, r), unicode.Is(unicode.Cf, r):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// width is how many cells a clean text takes.
func width(s string) (n int) {
	for _, r := range s {
		n += cells(r)
	}
	return n
}

// cut shortens a clean text to n cells.
func cut(s string, n int) string {
	if width(s) <= n {
		return s
	}
	if n <= 0 {
		return ""
	}
	used, tail := 0, "…"
	if strings.HasPrefix(s, "\u2068") {
		tail += "\u2069"
	}
	for i, r := range s {
		if used += cells(r); used > n-1 {
			return strings.TrimRight(s[:i], " ") + tail
		}
	}
	return s
}

// pad makes a text exactly n cells wide.
func pad(s string, n int, right bool) string {
	s = cut(s, n)
	fill := strings.Repeat(" ", max(0, n-width(s)))
	if right {
		return fill + s
	}
	return s + fill
}

// wrap breaks a clean text into lines of n cells, between words where that is possible.
func wrap(s string, n int) (lines []string) {
	if n <= 0 {
		return []string{s}
	}
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && width(line)+1+width(word) <= n {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for width(word) > n {
			head := take(word, n)
			lines, word = append(lines, head), word[len(head):]
		}
		line = word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// take is the beginning of a text that fits into n cells, a character at least.
func take(s string, n int) string {
	used := 0
	for i, r := range s {
		if used += cells(r); used > n && i > 0 {
			return s[:i]
		}
	}
	return s
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"strings"
	"sync"
)

// findings is what one pass over a text, or a few, found: the best row of each rank, and statuses.
type findings struct {
	best       [rankCount]finding
	http, grpc int
}

type finding struct {
	rule    int // counted from 1; 0 is none
	segment int
}

// scanner is what a pass needs beside the text. Scanners are reused, so nothing is cleared: what an earlier line
// left behind has another stamp.
type scanner struct {
	stamp    uint64
	progress []progress
	// plainGo: the failure is an error of Go that is nothing but its text.
	plainGo bool
	// steps counts the bytes looked at, for the tests.
	steps int
}

// progress is how far a pattern of several parts has come on this line.
type progress struct {
	stamp uint64
	parts uint8
	end   int
}

var scanners = sync.Pool{New: func() any {
	t := compiled()
	return &scanner{progress: make([]progress, max(len(t.texts.patterns), len(t.types.patterns)))}
}}

// kelvin is the sign whose lower case is k, as Python has it.
const kelvin = "\u212a"

// scan adds to f what a finds in text. In a text with segments ("a: b: c") a row found further right is better;
// otherwise the earlier row is.
func (s *scanner) scan(a *automaton, text string, segments bool, f *findings) {
	s.steps += len(text)
	s.stamp++
	state, segment := 0, 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		class := a.class[c]
		if special[c] {
			switch {
			case c == '\n':
				s.stamp++
			case c == '{':
				segments = false // from here on it is data
			case c == ' ' && segments && i > 0 && text[i-1] == ':':
				// What gRPC says of itself is one piece: its description does not outrank its code.
				if segments = !hasSuffixFold(text[:i-1], "rpc error"); segments {
					segment++
				}
			case c == kelvin[0] && len(text)-i >= 3 && text[i:i+3] == kelvin:
				class = a.class['k']
				i += 2
			}
		}
		state = int(a.next[state*a.width+int(class)])
		from, to := a.ends[state], a.ends[state+1]
		if from == to {
			continue // as for nearly every byte
		}
		for _, n := range a.literals[from:to] {
			for p := range a.partsOf[n] {
				s.meet(a, &a.partsOf[n][p], text, i+1, segment, f)
			}
		}
	}
}

// special are the bytes that mean something to a scan beside the patterns.
var special = [256]bool{'\n': true, '{': true, ' ': true, 0xe2: true} // the last is kelvin's first

// meet is called when a part's literal ends before end.
func (s *scanner) meet(a *automaton, p *part, text string, end, segment int, f *findings) {
	start := end - p.length
	switch {
	case start < 0, // the Kelvin sign is longer than k, so this cannot be; but never panic
		p.atStart && start != 0,
		p.atEnd && !atEnd(text[end:]),
		p.wordBefore && start > 0 && alnum(text[start-1]),
		p.wordAfter && end < len(text) && alnum(text[end]):
		return
	}
	if !p.last || p.index > 0 {
		g := &s.progress[p.pattern]
		if g.stamp != s.stamp {
			*g = progress{stamp: s.stamp}
		}
		if g.parts != p.index || start < g.end {
			return
		}
		g.parts, g.end = g.parts+1, end
		if !p.last {
			return
		}
		g.parts-- // the last part may come again, further right
	}
	what := a.patterns[p.pattern]
	switch what.kind {
	case foundHTTP:
		if f.http == 0 {
			f.http = httpStatusAt(text[end:])
		}
		return
	case foundGRPC:
		if f.grpc == 0 {
			f.grpc = grpcStatusAt(text[end:])
		}
		return
	case foundGo:
		if !s.plainGo {
			return
		}
	case foundName:
		if !capital(text, start) {
			return
		}
	}
	f.note(what.rank, finding{what.rule + 1, segment})
}

func (f *findings) note(r rank, new finding) {
	if old := f.best[r]; old.rule == 0 || new.segment > old.segment ||
		new.segment == old.segment && new.rule < old.rule {
		f.best[r] = new
	}
}

// atEnd: full stops and spaces may follow what ends a text.
func atEnd(rest string) bool {
	for i := range min(len(rest), 4) {
		if c := rest[i]; c != '.' && c != ' ' && c != '\n' && c != '\r' {
			return false
		}
	}
	return len(rest) <= 4
}

// capital tells whether the word that holds start begins with a capital letter and start is not its only
// humble end: ConnectTimeout is a type, connectTimeout a setting, and Timeout a word.
func capital(text string, start int) bool {
	const longest = 60 // no type's name is longer
	i := start
	for i > 0 && start-i < longest && alnum(text[i-1]) {
		i--
	}
	return 'A' <= text[i] && text[i] <= 'Z' && (i < start || !beginsFold(text[start:], "timeout"))
}

// beginsFold tells whether s begins with lower, in any case.
func beginsFold(s, lower string) bool {
	return len(s) >= len(lower) && strings.EqualFold(s[:len(lower)], lower)
}

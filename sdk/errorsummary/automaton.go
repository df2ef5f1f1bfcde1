// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import "strings"

// automaton finds all patterns of a table in one pass over a text (Aho-Corasick): each byte is one step, however
// many patterns there are. Upper and lower case are one, and so are space, _ and -: a code reads like the
// sentence that explains it.
type automaton struct {
	class    [256]uint8 // bytes that no pattern tells apart share a column
	width    int
	next     []uint16 // state*width + class → state
	ends     []uint32 // state → where its literals begin in literals; one more than there are states
	literals []uint16 // numbers of parts, those of one literal are neighbours in partsOf
	partsOf  [][]part
	patterns []found
}

// part is one of the literals that a pattern asks for, in order and on one line.
type part struct {
	pattern int
	index   uint8
	last    bool
	length  int
	// What must stand before and behind it.
	atStart, atEnd, wordBefore, wordAfter bool
}

// found is what a pattern that fits means.
type found struct {
	kind foundKind
	rule int
	rank rank
}

type foundKind uint8

const (
	foundRule foundKind = iota
	foundName           // only if the word begins with a capital letter
	foundGo             // only in a plain error of Go
	foundHTTP           // a status may follow
	foundGRPC
)

// builder gathers patterns.
type builder struct {
	texts    []string // the literals
	partsOf  [][]part
	known    map[string]int
	patterns []found
}

// add takes a pattern: literals with * between them, ^ and $ for the ends of the text, < and > for those of a
// word.
func (b *builder) add(pattern string, f found) {
	if b.known == nil {
		b.known = map[string]int{}
	}
	pieces := strings.Split(pattern, "*")
	for i, text := range pieces {
		p := part{pattern: len(b.patterns), index: uint8(i), last: i == len(pieces)-1}
		if i > 0 {
			text = strings.TrimLeft(text, " ")
		}
		if !p.last {
			text = strings.TrimRight(text, " ")
		}
		text, p.atStart = strings.CutPrefix(text, "^")
		text, p.wordBefore = strings.CutPrefix(text, "<")
		text, p.atEnd = strings.CutSuffix(text, "$")
		text, p.wordAfter = strings.CutSuffix(text, ">")
		text = strings.Map(func(r rune) rune { return rune(fold(byte(r))) }, text)
		p.length = len(text)
		n, ok := b.known[text]
		if !ok {
			n = len(b.texts)
			b.known[text] = n
			b.texts = append(b.texts, text)
			b.partsOf = append(b.partsOf, nil)
		}
		b.partsOf[n] = append(b.partsOf[n], p)
	}
	b.patterns = append(b.patterns, f)
}

// fold makes one byte of those that are one to a pattern.
func fold(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case c == '_' || c == '-':
		return ' '
	}
	return c
}

func (b *builder) build() *automaton {
	a := &automaton{partsOf: b.partsOf, patterns: b.patterns, width: 1}
	for _, text := range b.texts {
		for _, c := range []byte(text) {
			if a.class[c] == 0 {
				a.class[c] = uint8(a.width)
				a.width++
			}
		}
	}
	for c := range a.class {
		a.class[c] = a.class[fold(byte(c))]
	}

	// The tree of all literals; 0 is the root and means "no edge" too.
	a.next = make([]uint16, a.width)
	own := []int{-1} // state → its literal
	for n, text := range b.texts {
		state := 0
		for _, c := range []byte(text) {
			edge := state*a.width + int(a.class[c])
			if a.next[edge] == 0 {
				a.next[edge] = uint16(len(own))
				own = append(own, -1)
				a.next = append(a.next, make([]uint16, a.width)...)
			}
			state = int(a.next[edge])
		}
		own[state] = n
	}
	if len(own) > 1<<16 {
		panic("errorsummary: too many rules for 16 bits") // a growth of rules.csv that every test finds
	}

	// Breadth first: where a state has no edge it goes on as its longest proper suffix would.
	fail := make([]int, len(own))
	queue := []int{}
	for c := range a.width {
		if s := a.next[c]; s != 0 {
			queue = append(queue, int(s))
		}
	}
	for i := 0; i < len(queue); i++ {
		s := queue[i]
		for c := range a.width {
			edge, onward := s*a.width+c, a.next[fail[s]*a.width+c]
			if a.next[edge] == 0 {
				a.next[edge] = onward
				continue
			}
			fail[a.next[edge]] = int(onward)
			queue = append(queue, int(a.next[edge]))
		}
	}
	a.ends = make([]uint32, 0, len(own)+1)
	for s := range own {
		a.ends = append(a.ends, uint32(len(a.literals)))
		for t := s; t != 0; t = fail[t] {
			if own[t] >= 0 {
				a.literals = append(a.literals, uint16(own[t]))
			}
		}
	}
	a.ends = append(a.ends, uint32(len(a.literals)))
	return a
}

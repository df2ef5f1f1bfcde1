// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import "strings"

// needle finds one literal in a text that is too long to be judged. Wherever the literal stands, one of every
// len(head) bytes is within its head: only that one is looked at, and what is around it if it is one of the head's.
type needle struct {
	rule int
	head string // folded, up to the first k
	// tails are what may follow: a k may be a Kelvin sign.
	tails []string
	// offsets has for every byte where it stands in the head.
	offsets [256][]int
}

func newNeedle(literal string, rule int) (n needle) {
	n.rule = rule
	n.head, n.tails = literal, []string{""}
	if i := strings.IndexByte(literal, 'k'); i > 0 {
		n.head, n.tails = literal[:i], []string{literal[i:], kelvin + literal[i+1:]}
	}
	for c := range n.offsets {
		for i := range len(n.head) {
			if folded[c] == n.head[i] {
				n.offsets[c] = append(n.offsets[c], i)
			}
		}
	}
	return n
}

// in tells whether the literal stands in text, and how many bytes were looked at to know.
func (n *needle) in(text string) (found bool, steps int) {
	for i := len(n.head) - 1; i < len(text); i += len(n.head) {
		steps++
		for _, offset := range n.offsets[text[i]] {
			begin := text[i-offset:]
			same := sameFolded(begin, n.head)
			steps += same
			if same < len(n.head) {
				continue
			}
			for _, tail := range n.tails {
				if sameFolded(begin[len(n.head):], tail) == len(tail) {
					return true, steps
				}
			}
		}
	}
	return false, steps
}

// sameFolded is how many bytes of s are those of lower.
func sameFolded(s, lower string) (n int) {
	for n < len(s) && n < len(lower) && folded[s[n]] == lower[n] {
		n++
	}
	return n
}

// folded is fold for every byte.
var folded = func() (t [256]byte) {
	for c := range t {
		t[c] = fold(byte(c))
	}
	return t
}()

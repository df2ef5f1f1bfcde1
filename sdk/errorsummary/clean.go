// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"strings"
	"unicode/utf8"
)

// MaxMessage is how many code points of a message are kept, as in the Python library.
const MaxMessage = 500

// clean cuts s at limit code points and puts U+FFFD for NUL and for every byte that is not UTF-8. It
// looks no further than the cut, and copies only what it must change.
func clean(s string, limit int) string {
	if len(s) <= limit && plainASCII(s) {
		return s
	}
	n, dirty := 0, false
	for i, r := range s {
		if n == limit {
			s = s[:i]
			break
		}
		n++
		dirty = dirty || r == 0 || r == utf8.RuneError
	}
	if !dirty {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 2*utf8.UTFMax)
	for _, r := range s {
		if r == 0 {
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	return b.String()
}

// plainASCII: most messages are, and then there is nothing to clean.
func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] == 0 || s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

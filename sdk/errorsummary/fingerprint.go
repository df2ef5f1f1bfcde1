// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// fingerprint is the same for failures that differ only in numbers, ids and quoted text: 16 hex digits.
func fingerprint(code, typeName, message string) string {
	buf := make([]byte, 0, 256)
	buf = append(buf, code...)
	buf = append(buf, 0)
	buf = append(buf, typeName...)
	buf = append(buf, 0)
	buf = appendTemplate(buf, message)
	sum := sha256.Sum256(buf)
	return hex.EncodeToString(sum[:8])
}

// appendTemplate writes message with what varies replaced: numbers, hex digests, UUIDs, long ids and paths by #,
// quoted text by ”. One pass; a quote that never closes is looked for once per kind of quote.
func appendTemplate(dst []byte, message string) []byte {
	var noMore [128]bool // quotes that do not close any more
	for i := 0; i < len(message); {
		c := message[i]
		switch {
		case c == '\'' || c == '"' || c == '`':
			if end := closingQuote(message, i, &noMore); end > 0 {
				dst = append(dst, '\'', '\'')
				i = end
				continue
			}
			dst = append(dst, c)
			i++
		case c == '/' && (i == 0 || !alnum(message[i-1]) && message[i-1] != '/' && message[i-1] != ':'):
			end := i + pathLen(message[i:])
			dst = append(dst, '/')
			if end > i+1 {
				dst = append(dst, '#')
			}
			i = end
		case digit(c) || letter(c):
			if n := windowsPathLen(message[i:]); n > 0 && (i == 0 || !alnum(message[i-1])) {
				dst = append(dst, "/#"...)
				i += n
				continue
			}
			end := i + wordLen(message[i:])
			dst = appendWord(dst, message[i:end])
			i = end
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst
}

// pathLen is the length of the absolute path that s, which begins with a slash, begins with: 1 where there is only a slash
// or one name behind it, which may be anything.
func pathLen(s string) int {
	n, slashes := 1, 1
	for n < len(s) && (alnum(s[n]) || s[n] >= 0x80 || strings.IndexByte("._-/@+~%=", s[n]) >= 0) {
		if s[n] == '/' {
			slashes++
		}
		n++
	}
	if slashes < 2 {
		return 1
	}
	// A full stop or a line's colon behind it is not of the path.
	return len(strings.TrimRight(s[:n], "."))
}

// windowsPathLen is the same for C:\dir\file, 0 where there is none.
func windowsPathLen(s string) int {
	if len(s) < 4 || !letter(s[0]) || s[1] != ':' || s[2] != '\\' {
		return 0
	}
	n := 3
	for n < len(s) && (alnum(s[n]) || s[n] >= 0x80 || strings.IndexByte("._-\\@+~%=", s[n]) >= 0) {
		n++
	}
	return len(strings.TrimRight(s[:n], "."))
}

// closingQuote returns where the text after the quotation at i goes on, 0 when there is none. A quote inside a
// word is an apostrophe.
func closingQuote(s string, i int, noMore *[128]bool) int {
	q := s[i]
	if noMore[q] || (i > 0 && alnum(s[i-1])) {
		return 0
	}
	for j := i + 1; ; j++ {
		n := strings.IndexByte(s[j:], q)
		if n < 0 {
			noMore[q] = true
			return 0
		}
		j += n
		if j+1 == len(s) || !alnum(s[j+1]) {
			return j + 1
		}
	}
}

func alnum(c byte) bool { return digit(c) || letter(c) }

// wordLen is the length of the run of letters and digits that s begins with, or of the UUID.
func wordLen(s string) int {
	const uuid = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(s) >= len(uuid) {
		n := 0
		for n < len(uuid) && (uuid[n] == s[n] && s[n] == '-' || uuid[n] == 'x' && hexDigit(s[n])) {
			n++
		}
		if n == len(uuid) {
			return n
		}
	}
	n := 1
	for n < len(s) && alnum(s[n]) {
		n++
	}
	return n
}

func hexDigit(c byte) bool { return digit(c) || ('a' <= c|0x20 && c|0x20 <= 'f') }

// Words from these lengths on that hold a digit are ids: a hash cut short, a request id.
const (
	minHexID = 8
	minID    = 16
)

// appendWord writes # for an id and for every number in a word.
func appendWord(dst []byte, w string) []byte {
	digits, hexa := 0, 0
	for _, c := range []byte(w) {
		if digit(c) {
			digits++
		}
		if hexDigit(c) {
			hexa++
		}
	}
	isUUID := strings.IndexByte(w, '-') >= 0
	isHex := len(w) > 2 && w[0] == '0' && w[1]|0x20 == 'x' && hexa == len(w)-1
	if digits > 0 && (isHex || (len(w) >= minHexID && hexa == len(w)) || len(w) >= minID) || isUUID {
		return append(dst, '#')
	}
	for i, c := range []byte(w) {
		switch {
		case !digit(c):
			dst = append(dst, c)
		case i == 0 || !digit(w[i-1]):
			dst = append(dst, '#')
		}
	}
	return dst
}

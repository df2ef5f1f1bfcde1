// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// parseDepth is how deep the JSON may nest that goes to the parser, which gives up at 300. It is more than
// MaxDepth, so that the converter alone decides what is kept nested.
const parseDepth = 8 * MaxDepth

// repair rewrites JSON as Python's json.dumps writes it into JSON that a parser takes: the bare words NaN,
// Infinity and -Infinity become strings, lone surrogates become \ufffd, and what is nested deeper than
// parseDepth becomes a string of its JSON text. Anything else stays as it is, malformed or not. n counts changes.
func repair(b []byte) (out []byte, n int) {
	out = make([]byte, 0, len(b)+16)
	depth := 0
	for i := 0; i < len(b); {
		switch c := b[i]; c {
		case '"':
			end := stringEnd(b, i)
			var fixed int
			out, fixed = appendString(out, b[i:end])
			n += fixed
			i = end
			continue
		case '{', '[':
			if depth == parseDepth {
				end := nestedEnd(b, i)
				inner, fixed := repairStrings(b[i:end])
				text, _ := json.Marshal(string(inner)) // a string never fails
				out = append(out, text...)
				n += fixed + 1
				i = end
				continue
			}
			depth++
		case '}', ']':
			depth--
		case 'N', 'I', '-':
			if word := bareWord(b[i:]); word != "" {
				out = append(append(append(out, '"'), word...), '"')
				n++
				i += len(word)
				continue
			}
		}
		out = append(out, b[i])
		i++
	}
	return out, n
}

func bareWord(b []byte) string {
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(b, []byte(word)) {
			return word
		}
	}
	return ""
}

// stringEnd is the index after the string that begins at b[i].
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// nestedEnd is the index after the object or array that begins at b[i].
func nestedEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = stringEnd(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return len(b)
}

// repairStrings mends the strings of a piece of JSON and leaves the rest.
func repairStrings(b []byte) (out []byte, n int) {
	for i := 0; i < len(b); {
		if b[i] != '"' {
			out = append(out, b[i])
			i++
			continue
		}
		end := stringEnd(b, i)
		var fixed int
		out, fixed = appendString(out, b[i:end])
		n += fixed
		i = end
	}
	return out, n
}

// appendString appends the JSON string s, quotes included, with lone surrogate escapes replaced.
func appendString(out, s []byte) ([]byte, int) {
	if !bytes.Contains(s, []byte(`\u`)) {
		return append(out, s...), 0
	}
	n := 0
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 >= len(s) {
			out = append(out, s[i])
			i++
			continue
		}
		first, ok := unitAt(s, i)
		switch {
		case !ok:
			out = append(out, s[i], s[i+1])
			i += 2
		case first < 0xD800 || first > 0xDFFF:
			out = append(out, s[i:i+6]...)
			i += 6
		default:
			if second, ok := unitAt(s, i+6); ok && first < 0xDC00 && second >= 0xDC00 && second <= 0xDFFF {
				out = append(out, s[i:i+12]...)
				i += 12
				continue
			}
			out = append(out, `\ufffd`...)
			n++
			i += 6
		}
	}
	return out, n
}

// unitAt reads the escape \uXXXX at s[i].
func unitAt(s []byte, i int) (uint64, bool) {
	if i+6 > len(s) || s[i] != '\\' || s[i+1] != 'u' {
		return 0, false
	}
	u, err := strconv.ParseUint(string(s[i+2:i+6]), 16, 16)
	return u, err == nil
}

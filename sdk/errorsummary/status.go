// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

// httpStatusAt reads the status that rest begins with, behind a few separators (`: 503`, `="429"`); 0 when there
// is none. What counts something ("500 items lost"), measures it (429ms) or goes on (5000) is no status.
func httpStatusAt(rest string) int {
	const separators = 5 // `": "(`
	for i := range min(len(rest), separators) {
		if !strings.ContainsRune(" :='\"([#", rune(rest[i])) {
			rest = rest[i:]
			break
		}
	}
	if len(rest) < 3 || (rest[0] != '4' && rest[0] != '5') || !digit(rest[1]) || !digit(rest[2]) {
		return 0
	}
	status := int(rest[0]-'0')*100 + int(rest[1]-'0')*10 + int(rest[2]-'0')
	rest = rest[3:]
	if rest == "" || isStatusPhrase(status, rest) {
		return status
	}
	return 0
}

// units are words that say what the number before them measures.
var units = []string{"gb", "kb", "mb", "min", "ms", "of", "out", "per", "percent", "s", "sec", "to", "x"}

// isStatusPhrase tells whether what follows a number fits a status.
func isStatusPhrase(status int, rest string) bool {
	switch c := rest[0]; {
	case alnum(c), c == '%', c == '_', c == '/', c == '+':
		return false
	case c == '.' || c == ',' || c == '-': // 500.5, 500,000, 500-600
		return len(rest) == 1 || !digit(rest[1])
	case c != ' ':
		return true
	}
	rest = rest[1:]
	if rest == "" || rest[0] < 'a' || rest[0] > 'z' {
		return true
	}
	word := rest
	for i := range min(len(rest), 16) {
		if !letter(rest[i]) {
			word = rest[:i]
			break
		}
	}
	if phrase := http.StatusText(status); phrase != "" && beginsFold(rest, phrase) {
		return true
	}
	_, unit := slices.BinarySearch(units, word)
	return !unit && !plural(word)
}

// plural: what there are 500 of. It is a guess, and "this" and "status" are no plurals.
func plural(word string) bool {
	return len(word) >= 4 && word[len(word)-1] == 's' && !strings.HasSuffix(word, "is") &&
		!strings.HasSuffix(word, "us") && !strings.HasSuffix(word, "ss")
}

// grpcStatusAt reads the name of a gRPC status that rest begins with, behind a few separators; 0 when there is
// none. A name begins with a capital letter, or has an underscore: prose has words like "internal".
func grpcStatusAt(rest string) int {
	rest = strings.TrimLeft(rest[:min(len(rest), 48)], " :='\"(.")
	n := 0
	for n < len(rest) && (letter(rest[n]) || rest[n] == '_') {
		n++
	}
	if n == 0 || (rest[0] < 'A' || rest[0] > 'Z') && strings.IndexByte(rest[:n], '_') < 0 {
		return 0
	}
	status, _ := ParseGRPCStatus(rest[:n])
	return status
}

// leadingStatus reads the statuses that a text begins with: "429 Too Many Requests", "14 UNAVAILABLE: ...",
// "UNAVAILABLE: io exception". Java's gRPC and grpc-js write theirs so.
func leadingStatus(text string) (httpStatus, grpcStatus int) {
	if text == "" {
		return 0, 0
	}
	if s := statusOfPhrase(text); s != 0 {
		return s, 0
	}
	if s := httpStatusAt(text); s != 0 && digit(text[0]) {
		httpStatus = s
		text = text[3:]
	}
	number := strings.TrimLeft(text[:min(len(text), 3)], "0123456789")
	name := strings.TrimPrefix(text[min(len(text), 3)-len(number):], " ")
	n := 0
	for n < len(name) && n < 24 && ('A' <= name[n] && name[n] <= 'Z' || name[n] == '_') {
		n++
	}
	if n > 3 && (n == len(name) || name[n] == ':' || name[n] == '.') {
		grpcStatus, _ = ParseGRPCStatus(name[:n])
	}
	return httpStatus, grpcStatus
}

// phrases are the reason phrases of HTTP's errors, in lower case.
var phrases = sync.OnceValue(func() map[string]int {
	m := map[string]int{}
	for status := 400; status < 600; status++ {
		if phrase := http.StatusText(status); phrase != "" {
			m[strings.ToLower(phrase)] = status
		}
	}
	return m
})

// statusOfPhrase knows a text that is a reason phrase and nothing else.
func statusOfPhrase(text string) int {
	const longest = len("network authentication required")
	text = strings.TrimRight(text[:min(len(text), longest+2)], ". \r\n")
	var lower [longest]byte
	if len(text) > len(lower) {
		return 0
	}
	for i, c := range []byte(text) {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return phrases()[string(lower[:len(text)])]
}

func digit(c byte) bool  { return '0' <= c && c <= '9' }
func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// grpcNames are the status names in both spellings, folded: letters only, lower case.
var grpcNames = map[string]int{
	"ok": 0, "canceled": 1, "cancelled": 1, "unknown": 2, "invalidargument": 3, "deadlineexceeded": 4,
	"notfound": 5, "alreadyexists": 6, "permissiondenied": 7, "resourceexhausted": 8, "failedprecondition": 9,
	"aborted": 10, "outofrange": 11, "unimplemented": 12, "internal": 13, "unavailable": 14, "dataloss": 15,
	"unauthenticated": 16,
}

// ParseGRPCStatus reads a gRPC status as conventions and libraries write it: "14", "UNAVAILABLE", "Unavailable",
// "StatusCode.UNAVAILABLE". ok is false for anything else.
func ParseGRPCStatus(s string) (status int, ok bool) {
	s = s[strings.LastIndexByte(s, '.')+1:]
	if len(s) > 24 { // longer than any name
		return 0, false
	}
	if len(s) > 0 && len(s) <= 2 && digit(s[0]) && digit(s[len(s)-1]) {
		for _, c := range []byte(s) {
			status = status*10 + int(c-'0')
		}
		return status, status <= 16
	}
	folded := make([]byte, 0, 24)
	for _, c := range []byte(s) {
		if letter(c) {
			folded = append(folded, c|0x20)
		} else if c != '_' {
			return 0, false
		}
	}
	status, ok = grpcNames[string(folded)]
	return status, ok
}

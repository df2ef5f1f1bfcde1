// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import "strings"

// maxWrappers bounds how many wrappers are taken off: a pipeline in a stage in a pipeline is already rare.
const maxWrappers = 8

// unwrap takes "Stage 'x' failed: " and "Stage x failed: " (the framework's two graphs) off the front of a
// message, so that what the stage itself said can be judged.
func unwrap(text string) string {
	for range maxWrappers {
		rest, ok := strings.CutPrefix(text, "Stage ")
		if !ok {
			return text
		}
		name, inner, ok := strings.Cut(rest, " failed: ")
		if !ok || strings.ContainsAny(name, "\r\n") {
			return text
		}
		text = inner
	}
	return text
}

// httpPrefixes stand before the status in the texts of clients: axios, httpx, urllib, openai, Go, plain.
var httpPrefixes = []string{
	"HTTP ", "HTTP/1.0 ", "HTTP/1.1 ", "HTTP/2 ", "HTTP/2.0 ", "HTTP Error ", "HTTP error ", "HTTP status ",
	"Error code: ", "Client error '", "Server error '", "Request failed with status code ",
	"unexpected status code: ", "unexpected status: ", "status code ", "status code: ",
	"",
}

// httpStatusInText reads the status that a message plainly begins with; 0 when it does not. "500 items lost"
// cannot be told from "500 upstream lost" and is taken for a status.
func httpStatusInText(text string) int {
	for _, prefix := range httpPrefixes {
		rest, ok := strings.CutPrefix(text, prefix)
		if !ok || len(rest) < 3 || (rest[0] != '4' && rest[0] != '5') || !digit(rest[1]) || !digit(rest[2]) {
			continue
		}
		if len(rest) > 3 && (digit(rest[3]) || letter(rest[3]) || rest[3] == '.' || rest[3] == '%' || rest[3] == '_') {
			continue // 5000, 429ms, 500.5, 404_000
		}
		return int(rest[0]-'0')*100 + int(rest[1]-'0')*10 + int(rest[2]-'0')
	}
	return 0
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

// grpcStatusInText reads the status out of the text that grpc-go gives its errors; 0 when there is none.
func grpcStatusInText(text string) int {
	_, rest, ok := strings.Cut(text, "rpc error: code = ")
	if !ok {
		return 0
	}
	name, _, _ := strings.Cut(rest, " ")
	status, _ := ParseGRPCStatus(name)
	return status
}

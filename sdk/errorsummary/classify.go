// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import "strings"

// decide reads the table from the top.
func decide(in Input, ev evidence) (code string, retry bool, name string) {
	text := unwrap(in.Message)
	typeName := in.Type[strings.LastIndexByte(in.Type, '.')+1:]
	grpc, http := in.GRPCStatus, in.HTTPStatus
	if grpc <= 0 {
		grpc = grpcStatusInText(text)
	}
	if http < 400 { // a stream that failed after its 200 says so in its text
		http = httpStatusInText(text)
	}
	for i := range rules {
		r := &rules[i]
		if r.fits(typeName, text, grpc, http, ev) {
			return r.code, Retryable(r.code) && !r.final, r.name
		}
	}
	return CodeUnknown, false, RuleNone
}

func (r *rule) fits(typeName, text string, grpc, http int, ev evidence) bool {
	switch {
	case r.grpc != 0:
		return grpc == r.grpc
	case r.httpTo != 0:
		return r.http <= http && http <= r.httpTo
	case r.http != 0:
		return http == r.http
	case r.timeout && ev.timeout, r.cancelled && ev.cancelled:
		return true
	}
	for _, end := range r.typeEnds {
		if hasSuffixFold(typeName, end) {
			return true
		}
	}
	for _, end := range r.textEnds {
		if hasSuffixFold(text, end) {
			return true
		}
	}
	for _, part := range r.text {
		if containsFold(text, part) {
			return true
		}
	}
	return false
}

// hasSuffixFold: ASCII suffixes only, so lengths in bytes compare.
func hasSuffixFold(s, lowerSuffix string) bool {
	return len(s) >= len(lowerSuffix) && strings.EqualFold(s[len(s)-len(lowerSuffix):], lowerSuffix)
}

// containsFold is strings.Contains(strings.ToLower(s), lowerPart) without the copy, for ASCII parts that begin
// with a letter. The Kelvin sign is a k in both.
func containsFold(s, lowerPart string) bool {
	first := lowerPart[0]
	for i := 0; i+len(lowerPart) <= len(s); i++ {
		if s[i]|0x20 == first && beginsFold(s[i:], lowerPart) {
			return true
		}
	}
	return false
}

func beginsFold(s, lowerPart string) bool {
	const kelvin = "\u212a"
	i := 0
	for j := range len(lowerPart) {
		if i >= len(s) {
			return false
		}
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		switch {
		case c == lowerPart[j]:
			i++
		case lowerPart[j] == 'k' && strings.HasPrefix(s[i:], kelvin):
			i += len(kelvin)
		default:
			return false
		}
	}
	return true
}

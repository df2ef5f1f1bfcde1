// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"strings"
	"unicode"
)

// Input is what is known of a failure. Every field may be empty.
type Input struct {
	// Type is the exception's or Go type's name as the application named it.
	Type string
	// Message is the failure's text, of any length and in any encoding.
	Message string
	// Stack is the printed stack of the exception (exception.stacktrace), with its causes. It is read when Message
	// tells of no cause.
	Stack string
	// Code came with the failure; it is kept.
	Code string
	// Retryable came with the failure; it is kept. Nil: the code decides.
	Retryable *bool
	// HTTPStatus is 0 when unknown.
	HTTPStatus int
	// GRPCStatus is 0 (OK) or negative when unknown.
	GRPCStatus int
}

// Summary is what went wrong.
type Summary struct {
	// Code is never empty.
	Code string
	// Type is the type's name as the application named it.
	Type string
	// Message is valid UTF-8 without NUL, of at most [MaxMessage] code points.
	Message string
	// Retryable says whether trying again may help.
	Retryable bool
	// Rule names the row of the table that gave the code.
	Rule string
	// Fingerprint is the same for failures that differ only in numbers, ids and quoted text.
	Fingerprint string
}

// Classify summarises a failure. The time it takes grows linearly with the message.
func Classify(in Input) Summary { return summarize(in, evidence{}) }

// evidence is what a Go error says of itself beside its text.
type evidence struct{ timeout, cancelled bool }

func summarize(in Input, ev evidence) Summary {
	s := Summary{Code: clean(in.Code), Type: clean(in.Type), Message: clean(outermost(in.Message)), Rule: RuleExisting}
	if s.Code == "" {
		s.Code, s.Retryable, s.Rule = decide(in, ev)
	} else {
		s.Retryable = Retryable(s.Code)
	}
	if in.Retryable != nil {
		s.Retryable = *in.Retryable
	}
	s.Fingerprint = fingerprint(s.Code, s.Type, s.Message)
	return s
}

// String is error_summary_to_string of the Python library, to the letter.
func (s Summary) String() string {
	code := s.Code
	if code == "" {
		code = CodeUnknown
	}
	return strings.TrimFunc(code+": "+s.Message, isPythonSpace)
}

// isPythonSpace: str.strip also takes the four separators U+001C to U+001F, which Go does not count as space.
func isPythonSpace(r rune) bool { return unicode.IsSpace(r) || (r >= 0x1c && r <= 0x1f) }

// StagesPatch is error_summary_to_stages_patch of the Python library: the summary as a patch of a run's stages.
func (s Summary) StagesPatch() map[string]any {
	return map[string]any{"failure": map[string]any{"error": map[string]any{
		"code":      s.Code,
		"type":      s.Type,
		"message":   s.Message,
		"retryable": s.Retryable,
	}}}
}

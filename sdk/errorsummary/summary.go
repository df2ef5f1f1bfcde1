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
	// Message is valid UTF-8 without NUL, its secrets masked, of at most [MaxMessage] code points or as many as
	// [Options] say.
	Message string
	// Retryable says whether trying again may help.
	Retryable bool
	// Rule names the row of the table that gave the code.
	Rule string
	// Fingerprint is the same for failures that differ only in numbers, ids and quoted text.
	Fingerprint string
	// Redacted is how many secrets were masked in the message.
	Redacted int
}

// Options say how messages are kept. The zero value keeps them as the Python library does: 500 code points, nothing
// masked.
type Options struct {
	// MessageLimit is how many code points of a message are kept; 0 is [MaxMessage].
	MessageLimit int
	// Redaction is what is masked in messages.
	Redaction Redaction
}

// DefaultOptions mask secrets and addresses.
func DefaultOptions() Options {
	return Options{MessageLimit: MaxMessage, Redaction: Redaction{Secrets: true, Emails: true}}
}

// Classify summarises a failure with the [DefaultOptions]. The time it takes grows linearly with the message.
func Classify(in Input) Summary { return DefaultOptions().Classify(in) }

// Classify summarises a failure. The time it takes grows linearly with the message.
func (o Options) Classify(in Input) Summary { return o.summarize(in, evidence{}) }

// evidence is what a Go error says of itself beside its text.
type evidence struct{ timeout, cancelled bool }

func (o Options) summarize(in Input, ev evidence) Summary {
	s := Summary{Code: clean(in.Code, MaxMessage), Type: clean(in.Type, MaxMessage), Rule: RuleExisting}
	s.Message, s.Redacted = o.message(outermost(in.Message))
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

// message is the text as it is kept. Secrets are masked before the cut, so that none is cut into something unknown.
func (o Options) message(text string) (kept string, redacted int) {
	limit := o.MessageLimit
	if limit == 0 {
		limit = MaxMessage
	}
	if o.Redaction != (Redaction{}) {
		text, redacted = o.Redaction.RedactCut(text, limit)
	}
	return clean(text, limit), redacted
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

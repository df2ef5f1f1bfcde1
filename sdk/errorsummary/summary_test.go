// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func ptr[T any](v T) *T { return &v }

func TestClassify(t *testing.T) {
	for name, tt := range map[string]struct {
		in    Input
		code  string
		retry bool
		rule  string
	}{
		"nothing known":               {Input{}, CodeUnknown, false, RuleNone},
		"the text None":               {Input{Type: "Exception", Message: "None"}, CodeUnknown, false, RuleNone},
		"existing code":               {Input{Code: "OUT_OF_CREDIT", Type: "TimeoutError"}, "OUT_OF_CREDIT", false, RuleExisting},
		"existing code, flag follows": {Input{Code: CodeRateLimited}, CodeRateLimited, true, RuleExisting},
		"existing code and flag":      {Input{Code: CodeRateLimited, Retryable: ptr(false)}, CodeRateLimited, false, RuleExisting},

		"TimeoutError":            {Input{Type: "TimeoutError"}, CodeTimeout, true, "timeout_type"},
		"asyncio.TimeoutError":    {Input{Type: "asyncio.TimeoutError"}, CodeTimeout, true, "timeout_type"},
		"futures TimeoutError":    {Input{Type: "concurrent.futures._base.TimeoutError"}, CodeTimeout, true, "timeout_type"},
		"httpx.ReadTimeout":       {Input{Type: "httpx.ReadTimeout"}, CodeTimeout, true, "timeout_type"},
		"Java":                    {Input{Type: "java.net.SocketTimeoutException"}, CodeTimeout, true, "timeout_type"},
		"Go":                      {Input{Type: "context.deadlineExceededError"}, CodeTimeout, true, "timeout_type"},
		"*url.Error says nothing": {Input{Type: "*url.Error", Message: "x"}, CodeUnknown, false, RuleNone},
		"timeout before breaker":  {Input{Type: "TimeoutError", Message: "circuit breaker"}, CodeTimeout, true, "timeout_type"},
		"timeout before status":   {Input{Type: "TimeoutError", HTTPStatus: 401}, CodeTimeout, true, "timeout_type"},

		"the framework's breaker":   {Input{Message: "Circuit breaker open for chat/openai"}, CodeCircuitOpen, true, "circuit_breaker_text"},
		"any case":                  {Input{Message: "the CIRCUIT BREAKER panel is in the basement"}, CodeCircuitOpen, true, "circuit_breaker_text"},
		"Kelvin sign, as Python":    {Input{Message: "circuit brea\u212aer"}, CodeCircuitOpen, true, "circuit_breaker_text"},
		"two spaces are not it":     {Input{Message: "circuit  breaker"}, CodeUnknown, false, RuleNone},
		"past the cut":              {Input{Message: strings.Repeat("é", 600) + "circuit breaker"}, CodeCircuitOpen, true, "circuit_breaker_text"},
		"breaker before status":     {Input{Message: "circuit breaker", HTTPStatus: 401, GRPCStatus: 16}, CodeCircuitOpen, true, "circuit_breaker_text"},
		"breaker before cancelled":  {Input{Message: "circuit breaker: context canceled"}, CodeCircuitOpen, true, "circuit_breaker_text"},
		"asyncio.CancelledError":    {Input{Type: "asyncio.exceptions.CancelledError"}, CodeCancelled, false, "cancelled_type"},
		"Get: context canceled":     {Input{Type: "*url.Error", Message: `Get "http://x": context canceled`}, CodeCancelled, false, "cancelled_context"},
		"interceptor's timeout":     {Input{Type: "RuntimeError", Message: "Stage timed out after 50ms"}, CodeTimeout, true, "timed_out_text"},
		"wrapped interceptor":       {Input{Message: "Stage 'llm' failed: Stage timed out after 50ms"}, CodeTimeout, true, "timed_out_text"},
		"status before timed out":   {Input{Message: "request timed out in queue", HTTPStatus: 429}, CodeRateLimited, true, "http_status"},
		"gRPC before HTTP":          {Input{GRPCStatus: 16, HTTPStatus: 503}, CodeUnauthorized, false, "grpc_status"},
		"already exists":            {Input{GRPCStatus: 6}, CodeConflict, false, "grpc_status"},
		"aborted":                   {Input{GRPCStatus: 10}, CodeConflict, true, "grpc_status"},
		"data loss":                 {Input{GRPCStatus: 15}, CodeServerError, false, "grpc_status"},
		"gRPC unknown, then HTTP":   {Input{GRPCStatus: 2, HTTPStatus: 503}, CodeUnavailable, true, "http_status"},
		"gRPC out of range":         {Input{GRPCStatus: 99}, CodeUnknown, false, RuleNone},
		"negative statuses":         {Input{GRPCStatus: -1, HTTPStatus: -5}, CodeUnknown, false, RuleNone},
		"gRPC by its text":          {Input{Message: "call: rpc error: code = Unavailable desc = down"}, CodeUnavailable, true, "grpc_status"},
		"other 4xx":                 {Input{HTTPStatus: 418}, CodeInvalidInput, false, "http_status_class"},
		"other 5xx":                 {Input{HTTPStatus: 599}, CodeServerError, true, "http_status_class"},
		"no error status":           {Input{HTTPStatus: 302}, CodeUnknown, false, RuleNone},
		"text after a 200":          {Input{HTTPStatus: 200, Message: "429 rate limited"}, CodeRateLimited, true, "rate_limit"},
		"text begins with status":   {Input{Message: "429 rate limited"}, CodeRateLimited, true, "rate_limit"},
		"HTTP status":               {Input{Message: "HTTP 503 from upstream"}, CodeUnavailable, true, "http_status"},
		"standard phrase":           {Input{Message: "503 Service Unavailable"}, CodeUnavailable, true, "http_status"},
		"wrapped, status":           {Input{Message: "Stage llm failed: 429 rate limited"}, CodeRateLimited, true, "rate_limit"},
		"a duration is no status":   {Input{Message: "429ms is too slow"}, CodeUnknown, false, RuleNone},
		"a larger number is none":   {Input{Message: "5000 lost"}, CodeUnknown, false, RuleNone},
		"status in the middle only": {Input{Message: "got 429 from upstream"}, CodeUnknown, false, RuleNone},
	} {
		t.Run(name, func(t *testing.T) {
			got := Classify(tt.in)
			assert.Equal(t, tt.code, got.Code)
			assert.Equal(t, tt.retry, got.Retryable)
			assert.Equal(t, tt.rule, got.Rule)
			assert.Equal(t, tt.in.Type, got.Type)
		})
	}
}

// The Python library keeps str(exc)[:500]: code points, nothing put behind them.
func TestMessageIsCutAsPythonCutsIt(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"empty":                   {"", ""},
		"short":                   {"boom", "boom"},
		"inner spaces":            {"a  b ", "a  b "},
		"exactly 500":             {strings.Repeat("é", 500), strings.Repeat("é", 500)},
		"501":                     {strings.Repeat("é", 501), strings.Repeat("é", 500)},
		"four bytes each":         {strings.Repeat("😀", 499) + "ab", strings.Repeat("😀", 499) + "a"},
		"a combining mark is cut": {strings.Repeat("x", 499) + "e\u0301", strings.Repeat("x", 499) + "e"},
		"NUL":                     {"a\x00b", "a\ufffdb"},
		"invalid bytes count":     {strings.Repeat("\xff", 501), strings.Repeat("\ufffd", 500)},
		"half a character":        {"\xc3", "\ufffd"},
		"lone surrogate":          {"a\xed\xa0\x80b", "a\ufffd\ufffd\ufffdb"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, Classify(Input{Message: tt.in}).Message)
		})
	}
}

func TestString(t *testing.T) {
	for name, tt := range map[string]struct {
		s    Summary
		want string
	}{
		"both":            {Summary{Code: CodeTimeout, Message: "Stage timed out after 50ms"}, "TIMEOUT: Stage timed out after 50ms"},
		"empty message":   {Summary{Code: CodeUnknown}, "UNKNOWN:"},
		"nothing":         {Summary{}, "UNKNOWN:"},
		"None":            {Summary{Message: "None"}, "UNKNOWN: None"},
		"inner spaces":    {Summary{Code: CodeUnknown, Message: "a  b"}, "UNKNOWN: a  b"},
		"leading space":   {Summary{Code: CodeUnknown, Message: "  a"}, "UNKNOWN:   a"},
		"trailing spaces": {Summary{Code: CodeUnknown, Message: "a \t\n\x1f\u00a0\u3000"}, "UNKNOWN: a"},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, tt.s.String()) })
	}
}

func TestStagesPatch(t *testing.T) {
	s := Classify(Input{Type: "TimeoutError", Message: "slow"})
	assert.Equal(t, map[string]any{"failure": map[string]any{"error": map[string]any{
		"code": "TIMEOUT", "type": "TimeoutError", "message": "slow", "retryable": true,
	}}}, s.StagesPatch())
}

type httpError struct{ status int }

func (e *httpError) Error() string   { return "upstream said no" }
func (e *httpError) StatusCode() int { return e.status }

type slowError struct{}

func (slowError) Error() string { return "too slow" }
func (slowError) Timeout() bool { return true }

// sdkError is an error as SDKs of providers have them.
type sdkError struct{ StatusCode int }

func (*sdkError) Error() string { return "x" }

type googleError struct{ Code int }

func (googleError) Error() string { return "x" }

type embeddedError struct{ *sdkError }

func (embeddedError) Error() string { return "x" }

// grpcError answers as errors of gRPC do.
type grpcError struct{ code uint32 }

type grpcStatus struct{ code uint32 }

func (grpcError) Error() string             { return "x" }
func (e grpcError) GRPCStatus() *grpcStatus { return &grpcStatus{e.code} }
func (s *grpcStatus) Code() uint32          { return s.code }

func TestFromError(t *testing.T) {
	for name, tt := range map[string]struct {
		err       error
		code, typ string
	}{
		"plain":             {errors.New("boom"), CodeUnknown, "*errors.errorString"},
		"wrapped plain":     {fmt.Errorf("a: %w", errors.New("boom")), CodeUnknown, "*errors.errorString"},
		"deadline":          {fmt.Errorf("a: %w", context.DeadlineExceeded), CodeTimeout, "context.deadlineExceededError"},
		"canceled":          {fmt.Errorf("a: %w", context.Canceled), CodeCancelled, "*errors.errorString"},
		"canceled in a URL": {&url.Error{Op: "Get", URL: "http://x", Err: context.Canceled}, CodeCancelled, "*url.Error"},
		"URL timeout":       {&url.Error{Op: "Get", URL: "http://x", Err: slowError{}}, CodeTimeout, "errorsummary.slowError"},
		"URL, no timeout":   {&url.Error{Op: "Get", URL: "http://x", Err: errors.New("EOF")}, CodeNetworkError, "*url.Error"},
		"status":            {fmt.Errorf("a: %w", &httpError{429}), CodeRateLimited, "*errorsummary.httpError"},
		"status without error": {
			&httpError{200}, CodeUnknown, "*errorsummary.httpError",
		},
		"field StatusCode":     {fmt.Errorf("a: %w", &sdkError{StatusCode: 503}), CodeUnavailable, "*errorsummary.sdkError"},
		"field Code":           {googleError{Code: 429}, CodeRateLimited, "errorsummary.googleError"},
		"a Code that is none":  {googleError{Code: 7}, CodeUnknown, "errorsummary.googleError"},
		"nil pointer":          {(*sdkError)(nil), CodeUnknown, "*errorsummary.sdkError"},
		"behind a nil pointer": {embeddedError{}, CodeUnknown, "errorsummary.embeddedError"},
		"gRPC by its method":   {fmt.Errorf("a: %w", grpcError{14}), CodeUnavailable, "errorsummary.grpcError"},
		"gRPC, OK":             {grpcError{0}, CodeUnknown, "errorsummary.grpcError"},

		"joined":        {errors.Join(errors.New("cleanup"), slowError{}), CodeTimeout, "*errors.errorString"},
		"joined, typed": {errors.Join(slowError{}, &fs.PathError{Op: "a", Path: "b", Err: fs.ErrClosed}), CodeTimeout, "errorsummary.slowError"},
		"breaker":       {errors.New("Circuit breaker open for chat/openai"), CodeCircuitOpen, "*errors.errorString"},
		"gRPC text":     {errors.New("rpc error: code = ResourceExhausted desc = x"), CodeRateLimited, "*errors.errorString"},
	} {
		t.Run(name, func(t *testing.T) {
			got := FromError(tt.err)
			assert.Equal(t, tt.code, got.Code)
			assert.Equal(t, tt.typ, got.Type)
			assert.Equal(t, tt.err.Error(), got.Message)
		})
	}
	assert.Zero(t, FromError(nil))
}

type loop struct{}

func (l loop) Error() string { return "loop" }
func (l loop) Unwrap() error { return l }

type tree struct{ depth int }

func (tr tree) Error() string { return "tree" }
func (tr tree) Unwrap() []error {
	return []error{tree{tr.depth + 1}, nil, tree{tr.depth + 1}}
}

// errors.Is would follow an endless chain for ever, so only what this package walks itself is tried.
func TestEndlessChainsAreCut(t *testing.T) {
	for _, err := range []error{loop{}, tree{}} {
		left := maxChain
		assert.Error(t, walk(err, &Input{}, &evidence{}, &left))
	}
}

func TestFingerprint(t *testing.T) {
	same := [][2]string{
		{"timed out after 50ms", "timed out after 1200ms"},
		{"request 7f3a9c21d4e5 failed", "request 00b1c2d3e4f5 failed"},
		{"run 3f2b8a10-aaaa-bbbb-cccc-0123456789ab", "run deadbeef-abcd-abcd-abcd-abcdefabcdef"},
		{"no model 'gpt-9'", `no model "llama"`},
		{"req_011CQabcdefghijkl denied", "req_99ZZabcdefghijkl0 denied"},
		{"object at 0x7f00", "object at 0xdeadbeef00"},
		{"open /var/lib/a/b.wav: no such file", "open /tmp/x-1/y_2.mp3: no such file"},
		{"cannot read /srv/models/llm.", "cannot read /opt/other/tts."},
		{`open C:\data\a.wav: denied`, `open D:\x\y\b.mp3: denied`},
	}
	for _, p := range same {
		assert.Equal(t, Classify(Input{Message: p[0]}).Fingerprint, Classify(Input{Message: p[1]}).Fingerprint, p)
	}
	different := [][2]Input{
		{{Message: "boom"}, {Message: "bang"}},
		{{Message: "boom", Type: "A"}, {Message: "boom", Type: "B"}},
		{{Message: "boom", Code: "A"}, {Message: "boom", Code: "B"}},
		{{Message: "can't connect and won't retry"}, {Message: "can't sleep and won't retry"}}, // apostrophes
		{{Message: "GET /users failed"}, {Message: "GET /orders failed"}},                      // one name is no path
		{{Message: "read/write error"}, {Message: "read/seek error"}},
		{{Message: "https://a.example/x/y refused"}, {Message: "https://b.example/x/y refused"}},
		{{Message: "an 'open quote one"}, {Message: "an 'open quote two"}},
	}
	for _, p := range different {
		assert.NotEqual(t, Classify(p[0]).Fingerprint, Classify(p[1]).Fingerprint, p)
	}
	assert.Regexp(t, "^[0-9a-f]{16}$", Classify(Input{}).Fingerprint)
}

func TestParseGRPCStatus(t *testing.T) {
	for in, want := range map[string]int{
		"14": 14, "0": 0, "UNAVAILABLE": 14, "Unavailable": 14, "StatusCode.DEADLINE_EXCEEDED": 4,
		"DeadlineExceeded": 4, "CANCELLED": 1, "Canceled": 1, "OK": 0, "UNKNOWN": 2,
	} {
		got, ok := ParseGRPCStatus(in)
		assert.True(t, ok, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{"", "17", "99", "1x", "-1", "nonsense", "503", strings.Repeat("a", 1000), "NOT FOUND"} {
		_, ok := ParseGRPCStatus(in)
		assert.False(t, ok, in)
	}
}

func FuzzClassify(f *testing.F) {
	for _, file := range corpora {
		for _, s := range samples(f, file) {
			f.Add(s.in.Type, s.in.Message, "", "", s.in.HTTPStatus, s.in.GRPCStatus)
		}
	}
	for _, text := range []string{pythonDirect, pythonDuring, pythonGroup, java, node, dotnet, rust} {
		f.Add("a.B", text, "", text, 0, 0)
	}
	f.Add("TimeoutError", "Stage 'x' failed: 429 'rate' limited", "", "", 0, 0)
	f.Add("", "\x00\xff'\"`", "X\xff", "", 503, -1)
	f.Add("", strings.Repeat("'a", 600), "", "", 0, 0)
	f.Add("", "circuit brea\u212aer \u212a rate li\u212a", "", "", 0, 0)
	f.Fuzz(func(t *testing.T, typ, message, code, stack string, http, grpc int) {
		in := Input{Type: typ, Message: message, Code: code, Stack: stack, HTTPStatus: http, GRPCStatus: grpc}
		s := Classify(in)
		for _, out := range []string{s.Message, s.Type, s.Code, s.String()} {
			if !utf8.ValidString(out) || strings.ContainsRune(out, 0) {
				t.Fatalf("not clean: %q", out)
			}
		}
		if n := utf8.RuneCountInString(s.Message); n > MaxMessage {
			t.Fatalf("%d code points", n)
		}
		if s.Code == "" || s.Rule == "" || len(s.Fingerprint) != 16 {
			t.Fatalf("incomplete: %+v", s)
		}
		if n := steps(in); n > 5*(len(typ)+len(message)+len(stack))+100 {
			t.Fatalf("%d bytes looked at", n)
		}
		// What Python's lower() finds is found. It makes two characters of the dotted capital I.
		lower := strings.ToLower(strings.ReplaceAll(message, "\u0130", ""))
		if code == "" && strings.Contains(lower, "circuit breaker") && !strings.Contains(message, "\u0130") &&
			s.Code != CodeCircuitOpen && s.Code != CodeTimeout {
			t.Fatalf("contradicts Python: %+v", s)
		}
		if s != Classify(in) {
			t.Fatal("not the same twice")
		}
	})
}

func BenchmarkClassify(b *testing.B) {
	frame := "  File \"/usr/lib/python3.12/site-packages/app/stage.py\", line 123, in run\n    return await self.call()\n"
	for name, in := range map[string]Input{
		"timeout":         {Type: "TimeoutError", Message: "Stage timed out after 50ms"},
		"unknown 200 B":   {Type: "RuntimeError", Message: strings.Repeat("something broke in a way nobody thought of ", 5)[:200]},
		"provider":        {Type: "openai.RateLimitError", Message: "Error code: 429 - {'error': {'message': 'You exceeded your current quota, please check your plan and billing details.', 'type': 'insufficient_quota', 'param': None, 'code': 'insufficient_quota'}}", HTTPStatus: 429},
		"traceback 10 kB": {Message: pythonHeader + "\n" + strings.Repeat(frame, 90) + pythonDirect[len(pythonHeader)+1:]},
		"long 200 kB":     {Type: "RuntimeError", Message: strings.Repeat("circuit ", 25_000)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Classify(in)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := compile(rulesCSV); err != nil {
			b.Fatal(err)
		}
	}
}

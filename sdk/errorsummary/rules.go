// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

// rule is one row of the table. It fits a failure when one of its conditions does; a row has one kind of them.
type rule struct {
	// name is what stageflow.error.rule shows.
	name string
	// code is what the failure gets.
	code string
	// final turns the code's own retryable flag off.
	final bool

	// typeEnds: the last part of the type's name ends so. Lower case; any case fits.
	typeEnds []string
	// text: the message holds this somewhere. Lower case; any case fits.
	text []string
	// textEnds: the message ends so. Lower case; any case fits.
	textEnds []string
	// timeout, cancelled: the Go error says it of itself.
	timeout, cancelled bool
	// grpc: the gRPC status.
	grpc int
	// http, httpTo: the HTTP status, or the first and last of a range.
	http, httpTo int
}

// The names of the two answers that no row gives.
const (
	// RuleExisting: the code came with the failure.
	RuleExisting = "existing_code"
	// RuleNone: no row fits, the code is UNKNOWN.
	RuleNone = "none"
)

// rules is read from the top; the first row that fits decides. A code that came with the failure stands before
// all of them. The first two blocks are the API's own rule and must stay first, in this order.
//
// The text that rows see is the whole message, not the 500 characters that are kept. "Stage 'x' failed: " is
// taken off the front first. Statuses come as numbers, or from a message that begins with one ("429 rate
// limited", "HTTP 503") or is a gRPC error's text ("rpc error: code = Unavailable ...").
var rules = []rule{
	// TimeoutError and its like. Python: TimeoutError, asyncio.TimeoutError, httpx.ReadTimeout; Java:
	// SocketTimeoutException; Go: context.deadlineExceededError, or an error whose Timeout() is true.
	{name: "timeout_type", code: CodeTimeout, timeout: true, typeEnds: []string{
		"timeouterror", "timeout", "timeoutexception", "deadlineexceeded", "deadlineexceedederror",
		"deadlineexceededexception",
	}},

	// The framework's own breaker says "Circuit breaker open for chat/openai".
	{name: "circuit_breaker_text", code: CodeCircuitOpen, text: []string{"circuit breaker"}},

	// Somebody gave up waiting; nothing is broken.
	{name: "cancelled_type", code: CodeCancelled, cancelled: true, typeEnds: []string{
		"cancelederror", "cancellederror", "cancellationexception",
	}},
	{name: "cancelled_text", code: CodeCancelled, textEnds: []string{"context canceled"}},

	// gRPC: google.golang.org/grpc/codes. OK (0) and Unknown (2) say nothing.
	{name: "grpc_status", grpc: 1, code: CodeCancelled},                 // Canceled
	{name: "grpc_status", grpc: 3, code: CodeInvalidInput},              // InvalidArgument
	{name: "grpc_status", grpc: 4, code: CodeTimeout},                   // DeadlineExceeded
	{name: "grpc_status", grpc: 5, code: CodeNotFound},                  // NotFound
	{name: "grpc_status", grpc: 6, code: CodeConflict, final: true},     // AlreadyExists: it will still exist
	{name: "grpc_status", grpc: 7, code: CodePermission},                // PermissionDenied
	{name: "grpc_status", grpc: 8, code: CodeRateLimited},               // ResourceExhausted
	{name: "grpc_status", grpc: 9, code: CodeInvalidInput},              // FailedPrecondition
	{name: "grpc_status", grpc: 10, code: CodeConflict},                 // Aborted
	{name: "grpc_status", grpc: 11, code: CodeInvalidInput},             // OutOfRange
	{name: "grpc_status", grpc: 12, code: CodeUnimplemented},            // Unimplemented
	{name: "grpc_status", grpc: 13, code: CodeServerError},              // Internal
	{name: "grpc_status", grpc: 14, code: CodeUnavailable},              // Unavailable
	{name: "grpc_status", grpc: 15, code: CodeServerError, final: true}, // DataLoss: unrecoverable by definition
	{name: "grpc_status", grpc: 16, code: CodeUnauthorized},             // Unauthenticated

	// HTTP: the statuses with a meaning of their own, then the two classes.
	{name: "http_status", http: 401, code: CodeUnauthorized},
	{name: "http_status", http: 402, code: CodeQuotaExceeded}, // payment required: how providers say "out of credit"
	{name: "http_status", http: 403, code: CodePermission},
	{name: "http_status", http: 404, code: CodeNotFound},
	{name: "http_status", http: 408, code: CodeTimeout},
	{name: "http_status", http: 409, code: CodeConflict},
	{name: "http_status", http: 413, code: CodePayloadTooLarge},
	{name: "http_status", http: 429, code: CodeRateLimited},
	{name: "http_status", http: 498, code: CodeOverloaded}, // groq: capacity of the flex tier exceeded
	{name: "http_status", http: 499, code: CodeCancelled},  // nginx: the client went away
	{name: "http_status", http: 501, code: CodeUnimplemented},
	{name: "http_status", http: 502, httpTo: 503, code: CodeUnavailable},
	{name: "http_status", http: 504, code: CodeTimeout},
	{name: "http_status", http: 529, code: CodeOverloaded}, // anthropic
	{name: "http_status_class", http: 400, httpTo: 499, code: CodeInvalidInput},
	{name: "http_status_class", http: 500, httpTo: 599, code: CodeServerError},

	// The interceptor's real timeout is a RuntimeError: "Stage timed out after 50ms".
	{name: "timed_out_text", code: CodeTimeout, text: []string{"timed out", "deadline exceeded"}},
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

// The codes that a failure can get. An application may use codes of its own beside them: they are kept.
const (
	CodeTimeout         = "TIMEOUT"
	CodeCircuitOpen     = "CIRCUIT_OPEN"
	CodeRateLimited     = "RATE_LIMITED"
	CodeOverloaded      = "OVERLOADED"
	CodeUnavailable     = "UNAVAILABLE"
	CodeServerError     = "SERVER_ERROR"
	CodeNetworkError    = "NETWORK_ERROR"
	CodeConflict        = "CONFLICT"
	CodeBackpressure    = "BACKPRESSURE"
	CodeInvalidOutput   = "INVALID_OUTPUT"
	CodeQuotaExceeded   = "QUOTA_EXCEEDED"
	CodeTLSError        = "TLS_ERROR"
	CodeExhausted       = "RESOURCE_EXHAUSTED"
	CodeUnauthorized    = "UNAUTHORIZED"
	CodePermission      = "PERMISSION_DENIED"
	CodeNotFound        = "NOT_FOUND"
	CodeInvalidInput    = "INVALID_INPUT"
	CodePayloadTooLarge = "PAYLOAD_TOO_LARGE"
	CodeContextLength   = "CONTEXT_LENGTH_EXCEEDED"
	CodeContentFiltered = "CONTENT_FILTERED"
	CodeUnimplemented   = "UNIMPLEMENTED"
	CodeCancelled       = "CANCELLED"
	CodeApplication     = "APPLICATION_ERROR"
	CodeAbandoned       = "ABANDONED"
	CodeUnknown         = "UNKNOWN"
)

// retryable says of every code above whether trying again may help.
var retryable = map[string]bool{
	CodeTimeout:       true,
	CodeCircuitOpen:   true,
	CodeRateLimited:   true,
	CodeOverloaded:    true,
	CodeUnavailable:   true,
	CodeServerError:   true,
	CodeNetworkError:  true,
	CodeConflict:      true,
	CodeBackpressure:  true,
	CodeInvalidOutput: true,

	CodeQuotaExceeded:   false,
	CodeTLSError:        false,
	CodeExhausted:       false,
	CodeUnauthorized:    false,
	CodePermission:      false,
	CodeNotFound:        false,
	CodeInvalidInput:    false,
	CodePayloadTooLarge: false,
	CodeContextLength:   false,
	CodeContentFiltered: false,
	CodeUnimplemented:   false,
	CodeCancelled:       false,
	CodeApplication:     false,
	CodeAbandoned:       false,
	CodeUnknown:         false,
}

// Retryable tells whether trying again may help after a failure of this code, when the failure itself does not.
// A code of an application's own is not retryable.
func Retryable(code string) bool { return retryable[code] }

// Known tells whether code is one of this package's. There are few of them, so a metric may carry a known code.
func Known(code string) bool {
	_, ok := retryable[code]
	return ok
}

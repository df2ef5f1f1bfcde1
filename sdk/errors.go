// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/errorsummary"
)

// ErrorSummary is what went wrong, in the fields of the framework's summary: code, type, message, retryable.
type ErrorSummary = errorsummary.Summary

// SummarizePipelineError summarises an error as the events of this package do (API: summarize_pipeline_error;
// its companions are the methods String and StagesPatch of the result). A nil error gives the zero summary.
func SummarizePipelineError(err error) (s ErrorSummary) {
	defer func() {
		// An Error method that panics must not take the pipeline with it.
		if r := recover(); r != nil {
			s = ErrorSummary{Code: errorsummary.CodeUnknown, Type: fmt.Sprintf("%T", err)}
		}
	}()
	return errorsummary.FromError(err)
}

// orZero is what f gives, or zero where it panics: the methods of errors are the application's, and must not take the
// pipeline with them.
func orZero[T any](f func() T) (v T) {
	defer func() {
		if recover() != nil {
			var zero T
			v = zero
		}
	}()
	return f()
}

// CircuitBreakerOpenError says that a circuit breaker kept a call from being made (API: CircuitBreakerOpenError).
// Find it with errors.As.
type CircuitBreakerOpenError struct {
	Operation string // e.g. "chat"
	Provider  string // e.g. "openai"
	// RetryAfter is how long the breaker stays open yet; 0 when it does not say.
	RetryAfter time.Duration
}

// Error is the framework's text, which its error summary knows as CIRCUIT_OPEN.
func (e *CircuitBreakerOpenError) Error() string {
	return "Circuit breaker open for " + e.Operation + "/" + e.Provider
}

// CancelledError ends a stage and its run as cancelled, which is no failure. [Cancel] makes it.
type CancelledError struct{ Reason string }

// Cancel is the error by which a stage or a run stops on purpose: a guard that refuses, a user who hung up.
// Return it, wrapped or not, from the function given to [Stage] or [Run].
func Cancel(reason string) error { return &CancelledError{Reason: reason} }

// Error is "cancelled: " and the reason.
func (e *CancelledError) Error() string {
	if e.Reason == "" {
		return "cancelled"
	}
	return "cancelled: " + e.Reason
}

// Is makes the error a context.Canceled to errors.Is.
func (e *CancelledError) Is(target error) bool { return target == context.Canceled }

// SkippedError ends a stage as skipped. [Skip] makes it.
type SkippedError struct{ Reason string }

// Skip is the error by which a stage says that there was nothing to do. [Stage] records it and returns nil, so the
// run goes on. Returned from [Run]'s own function it is an error like any other.
func Skip(reason string) error { return &SkippedError{Reason: reason} }

// Error is "skipped: " and the reason.
func (e *SkippedError) Error() string {
	if e.Reason == "" {
		return "skipped"
	}
	return "skipped: " + e.Reason
}

// skip finds a [SkippedError] in err. One that was joined with other errors does not count: something else happened.
func skip(err error) (*SkippedError, bool) {
	for ; err != nil; err = errors.Unwrap(err) {
		if s, ok := err.(*SkippedError); ok {
			return s, true
		}
	}
	return nil, false
}

// panicError is what a panic is recorded as, before it goes on.
type panicError struct{ value any }

func (e *panicError) Error() string { return "panic: " + safely(e.value) }

// Unwrap lets the error that was the panic's value be summarised as itself.
func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

// errGoexit is recorded when the function ended its goroutine (runtime.Goexit, testing's FailNow).
var errGoexit = errors.New("goroutine exited before the function returned")

// protect runs f and calls end with its outcome, on every way out: a panic is recorded and goes on as it was.
func protect(ctx context.Context, f func(context.Context) error, end func(error)) error {
	returned := false
	defer func() {
		if returned {
			return
		}
		r := recover()
		if r == nil {
			end(errGoexit)
			return
		}
		end(&panicError{r})
		panic(r)
	}()
	err := f(ctx)
	returned = true
	end(err)
	return err
}

// isCancelled tells cancellation from failure. ctx is the one that the failed function had.
func isCancelled(ctx context.Context, err error, s ErrorSummary) bool {
	return cancels(err) ||
		// A client that reports a cancelled context in words of its own, e.g. gRPC.
		(s.Code == errorsummary.CodeCancelled && errors.Is(ctx.Err(), context.Canceled))
}

var joined = reflect.TypeOf(errors.Join(errGoexit))

// cancels is errors.Is(err, context.Canceled), but of errors that were joined all must be cancellations: where one
// of several tasks failed, the others were cancelled because of it.
func cancels(err error) bool {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if reflect.TypeOf(e) != joined {
			continue
		}
		for _, each := range e.(interface{ Unwrap() []error }).Unwrap() {
			if !cancels(each) {
				return false
			}
		}
		return true
	}
	return errors.Is(err, context.Canceled)
}

// cancelReason is why: the reason given to [Cancel], else the cause of the context, else the error's text.
func cancelReason(ctx context.Context, err error) string {
	if c := (*CancelledError)(nil); errors.As(err, &c) {
		return c.Reason
	}
	if cause := context.Cause(ctx); cause != nil && cause != context.Canceled && errors.Is(ctx.Err(), context.Canceled) {
		return safely(cause)
	}
	return safely(err)
}

// sameError reports whether err is, or wraps, cause. Unlike errors.Is it compares identities only, and so cannot
// panic on errors that are not comparable.
func sameError(err, cause error) (same bool) {
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	if err == cause {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		inner := e.Unwrap()
		return inner != nil && sameError(inner, cause)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if inner != nil && sameError(inner, cause) {
				return true
			}
		}
	}
	return false
}

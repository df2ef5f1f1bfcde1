// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"context"
	"errors"
	"fmt"
)

// maxChain bounds how many errors of a chain or tree are looked at.
const maxChain = 100

// FromError summarises a Go error: the text of the outermost error, the type of the innermost that says
// something, and what the errors between say of themselves (Timeout, StatusCode). A nil error gives the zero
// Summary.
//
// Errors of gRPC and of the SDKs of providers are known by their methods and fields, none of which is imported here.
func FromError(err error) Summary {
	if err == nil {
		return Summary{}
	}
	in := Input{Message: err.Error()}
	ev := evidence{
		timeout:   errors.Is(err, context.DeadlineExceeded),
		cancelled: errors.Is(err, context.Canceled),
	}
	left := maxChain
	in.Type = fmt.Sprintf("%T", walk(err, &in, &ev, &left))
	return DefaultOptions().summarize(in, ev)
}

// walk looks at err and all that it wraps, and returns the innermost error on the first branch whose type says
// something; failing that, the innermost.
func walk(err error, in *Input, ev *evidence, left *int) (meant error) {
	*left--
	if t, ok := err.(interface{ Timeout() bool }); ok && t.Timeout() {
		ev.timeout = true
	}
	if status := httpStatusOf(err); status != 0 && in.HTTPStatus == 0 {
		in.HTTPStatus = status
	}
	if status := grpcStatusOf(err); status > 0 && in.GRPCStatus == 0 {
		in.GRPCStatus = status
	}
	meant = err
	switch u := err.(type) {
	case interface{ Unwrap() error }:
		if inner := u.Unwrap(); inner != nil && *left > 0 {
			meant = better(err, walk(inner, in, ev, left))
		}
	case interface{ Unwrap() []error }:
		first := true
		for _, inner := range u.Unwrap() {
			if inner == nil || *left <= 0 {
				continue
			}
			if m := walk(inner, in, ev, left); first {
				meant, first = better(err, m), false
			}
		}
	}
	return meant
}

// better prefers the inner error unless only the outer one's type says something.
func better(outer, inner error) error {
	if saysNothing(inner) && !saysNothing(outer) {
		return outer
	}
	return inner
}

// saysNothing: the types behind errors.New, errors.Join and fmt.Errorf are the same for every failure.
func saysNothing(err error) bool {
	switch fmt.Sprintf("%T", err) {
	case "*errors.errorString", "*errors.joinError", "*fmt.wrapError", "*fmt.wrapErrors":
		return true
	}
	return false
}

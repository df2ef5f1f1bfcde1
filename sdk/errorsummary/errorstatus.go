// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import "reflect"

// statusFields are the names under which the errors of providers' SDKs hold the status of the HTTP response: those of
// OpenAI, Anthropic, Cohere and Azure; of go-openai; of Google, whose errors call it code.
var statusFields = []string{"StatusCode", "HTTPStatusCode", "HTTPCode", "Code"}

// HTTPStatus is the status, 400 to 599, of the HTTP response that err or an error that it wraps tells of, the outermost
// first; 0 when there is none.
func HTTPStatus(err error) int {
	var in Input
	left := maxChain
	if err != nil {
		_ = walk(err, &in, &evidence{}, &left)
	}
	return in.HTTPStatus
}

// httpStatusOf asks this very error by the method names that HTTP clients use, then by the names of fields.
func httpStatusOf(err error) int {
	var status int
	switch e := err.(type) {
	case interface{ StatusCode() int }:
		status = e.StatusCode()
	case interface{ HTTPStatusCode() int }:
		status = e.HTTPStatusCode()
	case interface{ HTTPStatus() int }:
		status = e.HTTPStatus()
	default:
		status = statusField(err)
	}
	if status < 400 || status > 599 {
		return 0
	}
	return status
}

func statusField(err error) int {
	v := reflect.ValueOf(err)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return 0
	}
	for _, name := range statusFields {
		// A field of the struct itself: those of embedded ones may lie behind a nil pointer.
		if f, ok := v.Type().FieldByName(name); ok && len(f.Index) == 1 && v.Field(f.Index[0]).CanInt() {
			return int(v.Field(f.Index[0]).Int())
		}
	}
	return 0
}

// grpcStatusOf is the code of err's method GRPCStatus; 0 (OK) when it has none.
func grpcStatusOf(err error) int {
	v := reflect.ValueOf(err)
	method := v.MethodByName("GRPCStatus")
	if !method.IsValid() || method.Type().NumIn() != 0 || method.Type().NumOut() != 1 {
		return 0
	}
	status := method.Call(nil)[0]
	if status.Kind() == reflect.Pointer && status.IsNil() {
		return 0
	}
	code := status.MethodByName("Code")
	if !code.IsValid() || code.Type().NumIn() != 0 || code.Type().NumOut() != 1 || !code.Type().Out(0).ConvertibleTo(reflect.TypeFor[uint32]()) {
		return 0
	}
	if n := code.Call(nil)[0]; n.CanUint() && n.Uint() <= 16 {
		return int(n.Uint())
	}
	return 0
}

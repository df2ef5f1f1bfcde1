// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// retryAfter is what a sender is told that comes when we, or what is behind us, cannot take more: runs settle, queues
// empty and memory is freed within seconds. What is behind us may name a longer time.
const retryAfter = 2 * time.Second

// errBusy makes senders come again later: over gRPC ResourceExhausted with RetryInfo, over HTTP 429.
func errBusy(err error) error {
	return refusal{err, withRetryInfo(status.New(codes.ResourceExhausted, err.Error()))}
}

// errUnderWay answers a sender that sends again what it has sent in a request that is not answered yet.
var errUnderWay = errors.New("some of these events came in another request that is still under way: send them again")

// refusal is an error with what the sender is told of it. The servers for OTLP answer by its status; whoever else asks
// sees the error itself.
type refusal struct {
	error
	status *status.Status
}

func (r refusal) Unwrap() error { return r.error }

// GRPCStatus implements what [status.FromError] looks for.
func (r refusal) GRPCStatus() *status.Status { return r.status }

// refuse gives an error that comes from the intake or a pipeline the status by which its sender is answered.
func refuse(err error) error {
	if err == nil {
		return nil
	}
	return refusal{err, statusOf(err)}
}

// statusOf is what a sender is told: to come again, and when, or, of what a pipeline refuses for good, that the request
// is wrong. An error that tells its own status keeps it, as far as it agrees with being for good or not.
func statusOf(err error) *status.Status {
	st, told := status.FromError(err)
	var e *consumererror.Error
	if !told && errors.As(err, &e) {
		st, told = consumererror.ToGRPCStatus(err), true
	}
	told = told && st.Code() != codes.OK // that would tell the sender that all is well
	switch {
	case consumererror.IsPermanent(err) && (!told || isRetryable(st.Code())):
		return status.New(codes.InvalidArgument, err.Error())
	case !told:
		return withRetryInfo(status.New(codes.Unavailable, err.Error()))
	case isRetryable(st.Code()):
		return withRetryInfo(st)
	}
	return st
}

// isRetryable are the codes after which OTLP senders come again. Without a time to come again they take
// ResourceExhausted for an answer for good.
func isRetryable(code codes.Code) bool {
	switch code {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss, codes.ResourceExhausted:
		return true
	}
	return false
}

// withRetryInfo tells when to come again. Less than a second would be zero over HTTP, where only whole ones are told.
func withRetryInfo(st *status.Status) *status.Status {
	if retryDelay(st) >= time.Second {
		return st
	}
	with, err := status.New(st.Code(), st.Message()).WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
	if err != nil {
		return st
	}
	return with
}

// retryDelay is when to come again, 0 when the status does not tell.
func retryDelay(st *status.Status) time.Duration {
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// httpAnswer is the answer to a request that was understood but not taken: 429 when we are full, 503 when it is to be
// sent again, both with the seconds after which, and 400 when it will never be taken.
func httpAnswer(err error) (code int, retryAfter string) {
	st := statusOf(err)
	if !isRetryable(st.Code()) {
		return http.StatusBadRequest, ""
	}
	code = http.StatusServiceUnavailable
	if st.Code() == codes.ResourceExhausted {
		code = http.StatusTooManyRequests
	}
	return code, strconv.Itoa(int(math.Ceil(retryDelay(st).Seconds())))
}

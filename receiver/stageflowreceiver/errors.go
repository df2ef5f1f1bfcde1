// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"errors"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// retryAfter is what a sender is told that comes when we, or what is behind us, cannot take more.
const retryAfter = 2 * time.Second

// errBusy makes senders come again later: over gRPC ResourceExhausted with RetryInfo, over HTTP 429.
func errBusy(err error) error {
	st, detailErr := status.New(codes.ResourceExhausted, err.Error()).WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
	if detailErr != nil {
		return status.Error(codes.ResourceExhausted, err.Error())
	}
	return st.Err()
}

// errUnderWay answers a sender that sends again what it has sent in a request that is not answered yet.
var errUnderWay = errors.New("some of these events came in another request that is still under way: send them again")

// httpStatus is the answer to a request that was understood but not taken: 429 when we are full, 500 when it will
// never be taken, else 503.
func httpStatus(err error) int {
	if st, ok := status.FromError(err); ok && st.Code() == codes.ResourceExhausted {
		return http.StatusTooManyRequests
	}
	if consumererror.IsPermanent(err) {
		return http.StatusInternalServerError
	}
	return http.StatusServiceUnavailable
}

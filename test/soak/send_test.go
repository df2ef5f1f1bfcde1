// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/stageflow/otelcol-stageflow/internal/testbed"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"
)

// reply is what a sender learns of its request.
type reply struct {
	taken bool
	// code is that of HTTP or gRPC, after when to come again.
	code, text string
	after      time.Duration
}

// asExpected tells whether a refusal is one by which senders come again.
func (r reply) asExpected() bool {
	switch r.code {
	case "429", "503", codes.ResourceExhausted.String(), codes.Unavailable.String():
		return r.after >= time.Second && r.after <= time.Minute
	}
	return false
}

// httpSender posts events.
type httpSender struct {
	url    string
	client http.Client
}

func newHTTPSender(c *testbed.Collector) *httpSender {
	return &httpSender{url: "http://" + c.Events + stageflowreceiver.EventsPath, client: http.Client{
		Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: inFlightAtOnce},
	}}
}

func (s *httpSender) send(ctx context.Context, body []byte) reply {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return reply{text: err.Error()}
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := s.client.Do(req)
	if err != nil {
		return reply{text: err.Error()}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{text: err.Error()}
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // 0 when it is not there
	return reply{
		taken: resp.StatusCode == http.StatusOK && bytes.Contains(answer, []byte(`"rejected":[]`)),
		code:  strconv.Itoa(resp.StatusCode), text: string(answer), after: time.Duration(seconds) * time.Second,
	}
}

// grpcSender sends OTLP requests that are written already.
type grpcSender struct{ conn *grpc.ClientConn }

func newGRPCSender(t *testing.T, c *testbed.Collector) *grpcSender {
	t.Helper()
	conn, err := grpc.NewClient(c.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodec(encoded{})))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	return &grpcSender{conn}
}

func (s *grpcSender) send(ctx context.Context, message []byte) reply {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var answer []byte
	err := s.conn.Invoke(ctx, "/opentelemetry.proto.collector.logs.v1.LogsService/Export", &message, &answer)
	// All is taken when no partial success is told: none, or an empty one.
	all := len(answer) == 0 || bytes.Equal(answer, []byte{0x0a, 0x00})
	r := reply{taken: err == nil && all, code: status.Code(err).String(), text: status.Convert(err).Message()}
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			r.after = info.RetryDelay.AsDuration()
		}
	}
	return r
}

// encoded is the codec of messages that are protobuf already.
type encoded struct{}

func (encoded) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (encoded) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

func (encoded) Name() string { return "proto" }

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // to compress with
	"google.golang.org/grpc/status"
)

const (
	protobuf = "application/x-protobuf"
	jsonType = "application/json"
)

// request is one over HTTP.
type request struct {
	method, path, contentType, encoding string
	body                                []byte
}

// answer is all of a response that a sender goes by.
type answer struct {
	code                                           int
	contentType, encoding, retryAfter, allow, body string
}

// overHTTP sends a request to both and returns their one answer.
func (s sides) overHTTP(t *testing.T, r request) answer {
	t.Helper()
	want, got := r.send(t, s.stock.http), r.send(t, s.ours.http)
	assert.Equal(t, want, got)
	return got
}

func (r request) send(t *testing.T, url string) answer {
	t.Helper()
	method := r.method
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url+r.path, bytes.NewReader(r.body))
	require.NoError(t, err)
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if r.encoding != "" {
		req.Header.Set("Content-Encoding", r.encoding)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	h := resp.Header
	return answer{resp.StatusCode, h.Get("Content-Type"), h.Get("Content-Encoding"), h.Get("Retry-After"), h.Get("Allow"), string(body)}
}

// overGRPC sends a message, as it is, to both and compares their answers.
func (s sides) overGRPC(t *testing.T, method string, message []byte, opts ...grpc.CallOption) error {
	t.Helper()
	wantBody, want := call(t, s.stock.grpc, method, message, opts...)
	gotBody, got := call(t, s.ours.grpc, method, message, opts...)
	assert.Equal(t, fmt.Sprint(status.Convert(want).Proto()), fmt.Sprint(status.Convert(got).Proto()))
	assert.Equal(t, wantBody, gotBody)
	return got
}

func call(t *testing.T, address, method string, message []byte, opts ...grpc.CallOption) (reply []byte, err error) {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	err = conn.Invoke(t.Context(), method, &message, &reply, append(opts, grpc.ForceCodec(raw{}))...)
	return reply, err
}

// raw sends bytes as they are: a message need not be one that could be built.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

func (raw) Name() string { return "proto" }

func gzipped(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// methods are the services by the last part of the path over HTTP.
var methods = map[string]string{
	"logs":    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
	"traces":  "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
	"metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}

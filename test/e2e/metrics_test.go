// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/testbed"
)

// A call that hangs, tokens and dropped chunks are metrics, and so are the durations of spans; no id is on any of them.
func TestPrometheus(t *testing.T) {
	prometheus, err := os.ReadFile("../../config/prometheus.yaml")
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	c := start(t, t.TempDir(), strings.ReplaceAll(string(prometheus), "localhost:8889", address))

	events := []string{
		`{"type":"pipeline.started","data":{"pipeline_run_id":"r1","service":"voice","user_id":"somebody"}}`,
		`{"type":"provider_call.started","data":{"pipeline_run_id":"r1","call_id":"hangs","operation":"tts","provider":"slow","model_id":"m"}}`,
		`{"type":"stream.chunk_dropped","data":{"pipeline_run_id":"r1","queue_size":3,"max_size":4,"reason":"overflow"}}`,
		`{"type":"provider_call.started","data":{"pipeline_run_id":"r2","call_id":"ends","operation":"chat","provider":"openai","model_id":"gpt"}}`,
		`{"type":"provider_call.ended","data":{"call_id":"ends","success":true,"tokens_in":17,"service":"voice"}}`,
		`{"type":"pipeline.completed","data":{"pipeline_run_id":"r2","service":"voice"}}`,
	}
	code, answer, err := c.Post(t.Context(), []byte(strings.Join(events, "\n")))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, code, string(answer))

	want := []string{
		`stageflow_run_active{job="voice",service_name="voice"} 1`,
		`stageflow_provider_call_in_flight{gen_ai_operation_name="tts",gen_ai_provider_name="slow",job="voice",service_name="voice"} 1`,
		`stageflow_provider_call_oldest_age_seconds{gen_ai_operation_name="tts",gen_ai_provider_name="slow",job="voice",service_name="voice"}`,
		`stageflow_stream_dropped_total{job="voice",service_name="voice",stageflow_stream_drop_reason="overflow"} 1`,
		`stageflow_stream_queue_utilization_ratio{job="voice",service_name="voice"} 1`,
		`gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="gpt",gen_ai_token_type="input",job="voice",service_name="voice"} 17`,
		`stageflow_spans_calls_total{`,
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var page string
	err = testbed.Poll(ctx, func() (bool, error) {
		if page, err = scrape(ctx, "http://"+address+"/metrics"); err != nil {
			return false, nil //nolint:nilerr // it is not up yet
		}
		for _, line := range want {
			if !strings.Contains(page, line) {
				return false, nil
			}
		}
		return true, nil
	})
	require.NoError(t, err, "%s\n%s", missing(page, want), page)
	for _, id := range []string{"r1", "r2", "hangs", "ends", "somebody"} {
		require.NotContains(t, page, fmt.Sprintf("%q", id))
	}
	require.NoError(t, c.Stop())
}

func scrape(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	return string(page), err
}

func missing(page string, want []string) (out []string) {
	for _, line := range want {
		if !strings.Contains(page, line) {
			out = append(out, line)
		}
	}
	return out
}

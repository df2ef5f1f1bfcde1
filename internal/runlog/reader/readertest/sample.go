// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package readertest

import (
	"testing"
	"time"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// Now is the time at which the sample log is looked at.
var Now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// The runs of the sample log.
const (
	FailedRun    = "7b54dffe-1e4f-42ea-88ed-6bef6257e782"
	ChildRun     = "7b54e000-0000-4000-8000-000000000001"
	CompletedRun = "0a6f3a52-31b6-5f0e-9f0a-111111111111"
	RunningRun   = "c0ffee00-31b6-5f0e-9f0a-222222222222"
	CancelledRun = "ab000000-31b6-5f0e-9f0a-333333333333"
	AbandonedRun = "order 66/α"
)

// Sample is a small log with one of everything: a failed run with a retried stage, calls, a tool, a breaker that
// opened, and a child; a completed, a running, a cancelled and an abandoned run; a call of no run.
func Sample(t testing.TB) []*runlog.Row {
	var facts []*runlog.Row
	add := func(table *runlog.Table, cells Cells) {
		at := Now
		for _, column := range []string{"ended_at", "at", "started_at"} {
			if v, ok := cells[column].(time.Time); ok {
				at = v
				break
			}
		}
		facts = append(facts, Fact(t, table, at, cells))
	}
	ms := func(base time.Time, n int) time.Time { return base.Add(time.Duration(n) * time.Millisecond) }

	start := Now.Add(-3 * time.Minute)
	add(runlog.Runs, Cells{
		"run_id": FailedRun, "trace_id": "7b54dffe1e4f42ea88ed6bef6257e782", "pipeline_name": "chat", "topology": "chat_fast", "execution_mode": "practice",
		"service": "voice", "status": "failed", "end_kind": "explicit", "started_at": start, "ended_at": ms(start, 1240), "duration_ms": 1240.5,
		"failed_stage": "llm", "error_code": "RATE_LIMITED", "error_type": "openai.RateLimitError", "error_retryable": true,
		"error_message": "2 tries: openai: HTTP 429: Rate limit reached for gpt-4o-mini in organization org-x on tokens per min",
		"breakers":      `[{"key":"chat/openai","state":"open"}]`, "user_id": "ada", "session_id": "s-1", "org_id": "acme", "request_id": "req-9",
		"attributes": map[string]string{"priority": "high"},
	})
	add(runlog.Stages, Cells{
		"run_id": FailedRun, "name": "stt", "attempt": 1, "kind": "transform", "status": "completed",
		"started_at": ms(start, 5), "ended_at": ms(start, 250), "duration_ms": 245,
	})
	add(runlog.Stages, Cells{
		"run_id": FailedRun, "name": "llm", "attempt": 1, "kind": "agent", "status": "retried",
		"started_at": ms(start, 260), "ended_at": ms(start, 600), "duration_ms": 340,
		"error_code": "RATE_LIMITED", "error_retryable": true, "error_message": "openai: HTTP 429: Rate limit reached",
	})
	add(runlog.Stages, Cells{
		"run_id": FailedRun, "name": "llm", "attempt": 2, "kind": "agent", "status": "failed",
		"started_at": ms(start, 700), "ended_at": ms(start, 1230), "duration_ms": 530,
		"error_code": "RATE_LIMITED", "error_retryable": true, "error_message": "2 tries: openai: HTTP 429: Rate limit reached for gpt-4o-mini",
	})
	add(runlog.Stages, Cells{"run_id": FailedRun, "name": "tts", "attempt": 1, "kind": "transform", "status": "skipped", "reason": "llm failed"})
	add(runlog.ProviderCalls, Cells{
		"run_id": FailedRun, "call_id": "c1", "stage": "stt", "operation": "transcribe", "provider": "deepgram", "model_id": "nova-2",
		"status": "completed", "success": true, "started_at": ms(start, 10), "ended_at": ms(start, 245), "latency_ms": 235, "cost_usd": 0.0021,
	})
	for i, at := range []int{270, 710} {
		add(runlog.ProviderCalls, Cells{
			"run_id": FailedRun, "call_id": []string{"c2", "c3"}[i], "stage": "llm", "operation": "chat", "provider": "openai", "model_id": "gpt-4o-mini",
			"status": "failed", "success": false, "started_at": ms(start, at), "ended_at": ms(start, at+320), "latency_ms": 320,
			"input_tokens": 1200, "output_tokens": 0, "breaker_state": []string{"closed", "open"}[i],
			"error_code": "RATE_LIMITED", "error_retryable": true, "error_message": "openai: HTTP 429: Rate limit reached",
		})
	}
	add(runlog.ToolCalls, Cells{
		"run_id": FailedRun, "action_id": "a1", "tool_name": "search", "stage": "llm", "status": "completed",
		"started_at": ms(start, 1050), "ended_at": ms(start, 1150), "duration_ms": 100,
	})
	add(runlog.BreakerTransitions, Cells{
		"key": "chat/openai", "source": "collector-1", "generation": 1, "from_state": "closed", "to_state": "open", "at": ms(start, 590),
		"reason": "consecutive failures", "trace_id": "7b54dffe1e4f42ea88ed6bef6257e782",
	})
	add(runlog.Runs, Cells{
		"run_id": ChildRun, "parent_run_id": FailedRun, "parent_stage": "llm", "pipeline_name": "lookup", "service": "voice",
		"status": "completed", "end_kind": "parent", "started_at": ms(start, 1060), "ended_at": ms(start, 1140), "duration_ms": 80,
	})

	start = Now.Add(-2 * time.Hour)
	add(runlog.Runs, Cells{
		"run_id": CompletedRun, "pipeline_name": "chat", "service": "voice", "status": "completed", "end_kind": "explicit",
		"started_at": start, "ended_at": ms(start, 90), "duration_ms": 90, "user_id": "bob", "session_id": "s-2",
	})
	add(runlog.ProviderCalls, Cells{
		"run_id": CompletedRun, "call_id": "c1", "operation": "chat", "provider": "openai", "model_id": "gpt-4o", "status": "completed", "success": true,
		"started_at": ms(start, 1), "ended_at": ms(start, 81), "latency_ms": 80, "input_tokens": 10, "output_tokens": 20, "cost_usd": 0.5, "breaker_state": "closed",
	})
	add(runlog.Runs, Cells{"run_id": RunningRun, "pipeline_name": "chat", "started_at": Now.Add(-5 * time.Second), "user_id": "ada"})
	start = Now.Add(-26 * time.Hour)
	add(runlog.Runs, Cells{
		"run_id": CancelledRun, "pipeline_name": "语音助手", "status": "cancelled", "end_kind": "requested",
		"started_at": start, "ended_at": ms(start, 61_500), "duration_ms": 61_500,
	})
	start = Now.Add(-50 * time.Minute)
	add(runlog.Runs, Cells{
		"run_id": AbandonedRun, "pipeline_name": "batch", "status": "abandoned", "end_kind": "abandoned", "started_at": start, "ended_at": ms(start, 900_000),
		"duration_ms": 900_000, "error_code": "ABANDONED", "error_message": "nothing was heard for 15m0s", "error_retryable": false,
	})
	add(runlog.ProviderCalls, Cells{
		"run_id": "", "call_id": "foreign", "operation": "embeddings", "provider": "cohere", "status": "completed", "success": true,
		"started_at": start, "ended_at": ms(start, 12), "latency_ms": 12,
	})
	return facts
}

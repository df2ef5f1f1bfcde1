// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// end is a run's explicit end.
func end(id string, status semconv.Status, seconds int64) *runlog.Row {
	r := runlog.NewFact(runlog.Runs, at(seconds), true, runlog.KeyValue(id))
	r.Set(runlog.Runs.Column("status"), runlog.KeyValue(string(status)))
	r.Set(runlog.Runs.Column("end_kind"), runlog.KeyValue(string(semconv.EndExplicit)))
	return r
}

func tool(id, action string, seconds int64) *runlog.Row {
	r := runlog.NewFact(runlog.ToolCalls, at(seconds), true, runlog.KeyValue(id), runlog.KeyValue(action))
	r.Set(runlog.ToolCalls.Column("started_at"), runlog.TimeValue(at(seconds)))
	return r
}

func event(id string, seconds int64) *runlog.Row {
	r := runlog.NewFact(runlog.Events, at(seconds), false, runlog.KeyValue(id), runlog.KeyValue(runlog.EventHash("x", at(seconds), "")))
	r.Set(runlog.Events.Column("time"), runlog.TimeValue(at(seconds)))
	return r
}

func transition(generation, seconds int64) *runlog.Row {
	r := runlog.NewFact(runlog.BreakerTransitions, at(seconds), true,
		runlog.KeyValue("chat/openai"), runlog.KeyValue("collector"), runlog.IntValue(generation))
	r.Set(runlog.BreakerTransitions.Column("at"), runlog.TimeValue(at(seconds)))
	return r
}

// endedCall is a call that took a latency and, with an error code, failed.
func endedCall(id, callID string, endedAt int64, latency float64, code string) *runlog.Row {
	t := runlog.ProviderCalls
	r := runlog.NewFact(t, endedAt, true, runlog.KeyValue(id), runlog.KeyValue(callID))
	status := semconv.StatusCompleted
	if code != "" {
		status = semconv.StatusFailed
		r.Set(t.Column("error_code"), runlog.TextValue(code))
		r.Set(t.Column("error_message"), runlog.TextValue("message of "+callID))
	}
	r.Set(t.Column("status"), runlog.KeyValue(string(status)))
	r.Set(t.Column("success"), runlog.BoolValue(code == ""))
	r.Set(t.Column("ended_at"), runlog.TimeValue(endedAt))
	r.Set(t.Column("operation"), runlog.TextValue("chat"))
	r.Set(t.Column("provider"), runlog.TextValue("openai"))
	r.Set(t.Column("latency_ms"), runlog.FloatValue(latency))
	r.Set(t.Column("input_tokens"), runlog.IntValue(10))
	r.Set(t.Column("cost_usd"), runlog.FloatValue(0.5))
	return r
}

func failure(id, code, message string, seconds int64) *runlog.Row {
	r := end(id, semconv.StatusFailed, seconds)
	r.Set(runlog.Runs.Column("error_code"), runlog.TextValue(code))
	r.Set(runlog.Runs.Column("error_message"), runlog.TextValue(message))
	r.Set(runlog.Runs.Column("error_retryable"), runlog.BoolValue(true))
	return r
}

func TestViews(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runlog.db")
	s := open(t, path)
	defer s.Close()
	facts := []*runlog.Row{
		run("run-1", 0), failure("run-2", "TIMEOUT", "slow", 5), failure("run-3", "TIMEOUT", "slower", 7), failure("run-4", "RATE_LIMITED", "429", 6),
		tool("run-1", "act-1", 1), transition(1, 1), event("", 1), event("run-1", 2),
		endedCall("run-1", "no latency", at(1), 0, ""),
	}
	pipeline := end("run-5", semconv.StatusCompleted, 9)
	pipeline.Set(runlog.Runs.Column("pipeline_name"), runlog.TextValue("pipe"))
	facts = append(facts, pipeline)
	for i := range int64(100) {
		attempt := stage("run-5", "llm", i+1, true)
		attempt.Set(runlog.Stages.Column("duration_ms"), runlog.FloatValue(float64(i+1)))
		attempt.Set(runlog.Stages.Column("status"), runlog.KeyValue(string(semconv.StatusRetried)))
		code := ""
		if i%10 == 0 {
			code = fmt.Sprintf("CODE_%d", i)
		}
		facts = append(facts, attempt, endedCall("run-5", fmt.Sprint("call-", i), at(i), float64(i+1), code))
	}
	facts = append(facts, stage("run-5", "still running", 1, true))
	now := time.Now().UnixNano()
	facts = append(facts, endedCall("", "foreign", now, 7, ""), endedCall("run-now", "call-now", now, 9, "SOME"), endedCall("run-now", "old", at(0), 9, "OLD"))
	write(t, s, facts...)

	assert.Equal(t, [][]any{{int64(2), int64(99), int64(100), int64(10), int64(0), int64(1000), nil, 50.0}},
		query(t, path, "SELECT stages, retries, calls, failed_calls, tool_calls, input_tokens, output_tokens, cost_usd FROM run_summary WHERE run_id = 'run-5'"))
	assert.Equal(t, [][]any{
		{"TIMEOUT", nil, int64(1), int64(2), "2023-11-14T22:13:27.000000Z", "slower", "run-3"},
		{"RATE_LIMITED", nil, int64(1), int64(1), "2023-11-14T22:13:26.000000Z", "429", "run-4"},
	}, query(t, path, "SELECT * FROM failures_by_code ORDER BY failures DESC"))
	assert.Equal(t, [][]any{
		{"pipe", "llm", int64(100), int64(100), 50.0, 95.0, 99.0, 100.0},
	}, query(t, path, "SELECT * FROM stage_latency"))
	health := query(t, path, "SELECT operation, provider, model_id, calls, failures, round(failure_ratio, 3), p50_ms, p95_ms, p99_ms, input_tokens, last_error_code FROM provider_health")
	assert.Equal(t, [][]any{{"chat", "openai", nil, int64(104), int64(12), 0.115, 48.0, 95.0, 99.0, int64(1040), "SOME"}}, health)
	assert.Equal(t, [][]any{{int64(2), int64(1), 7.0, 9.0, "SOME", "message of call-now"}},
		query(t, path, "SELECT calls, failures, p50_ms, p99_ms, last_error_code, last_error_message FROM provider_health_last_hour"))
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog

// View is a view for people and dashboards over the tables. Each store makes it in its own SQL; what it is called and
// which columns it has is the same everywhere.
type View struct {
	Name    string
	Columns []string
}

// providerHealth is a row per operation, provider and model. Percentiles are latencies that occurred (percentile_disc)
// of calls that told one, last_error_* is of the failed call that ended last.
var providerHealth = []string{
	"operation", "provider", "model_id", "calls", "failures", "failure_ratio", "p50_ms", "p95_ms", "p99_ms",
	"input_tokens", "output_tokens", "cost_usd", "last_error_code", "last_error_message", "last_error_at",
}

// Views are all views beside the tables. Counts are never NULL; sums, ratios and percentiles of nothing are.
var Views = []View{
	// A row per run with what is below it. stages counts stages, retries the attempts after the first; failed_calls
	// are calls of providers with success = false.
	{"run_summary", []string{
		"run_id", "parent_run_id", "trace_id", "pipeline_name", "service", "user_id", "status", "end_kind",
		"started_at", "ended_at", "duration_ms", "stages", "retries", "calls", "failed_calls", "tool_calls",
		"input_tokens", "output_tokens", "cost_usd", "failed_stage",
		"error_code", "error_type", "error_message", "error_retryable", "updated_at",
	}},
	// A row per code, type and retryable of runs whose status is failed or abandoned. last_seen is their latest
	// updated_at, the examples are of that run.
	{"failures_by_code", []string{
		"error_code", "error_type", "error_retryable", "failures", "last_seen", "example_message", "example_run_id",
	}},
	// Calls that have ended (success is not NULL), over all time.
	{"provider_health", providerHealth},
	// The same of calls that ended within the last hour by the store's clock.
	{"provider_health_last_hour", providerHealth},
	// A row per pipeline and stage, over attempts that have ended (status is not running). failures are those failed,
	// retried or abandoned; percentiles as above, of attempts that told a duration.
	{"stage_latency", []string{
		"pipeline_name", "stage", "attempts", "failures", "p50_ms", "p95_ms", "p99_ms", "max_ms",
	}},
}

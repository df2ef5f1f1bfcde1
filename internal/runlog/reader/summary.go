// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader

import "context"

// Failures are the failed and abandoned runs that a filter chooses, counted by pipeline, error code and stage,
// the most frequent first: pipeline_name, failed_stage, error_code, runs, error_retryable, first_started_at,
// last_started_at, and of the last of them run_id, error_type and error_message.
func (r *Reader) Failures(ctx context.Context, f Filter) ([]Record, error) {
	return r.all(ctx, r.failures(f))
}

func (r *Reader) failures(f Filter) *query {
	q := r.query(`SELECT pipeline_name, failed_stage, error_code, runs, error_retryable, first_started_at, last_started_at, run_id, error_type, error_message
FROM (SELECT pipeline_name, failed_stage, error_code, error_retryable, started_at, run_id, error_type, error_message,
    count(*) OVER same AS runs,
    min(started_at) OVER same AS first_started_at,
    max(started_at) OVER same AS last_started_at,
    row_number() OVER (PARTITION BY pipeline_name, failed_stage, error_code ORDER BY started_at DESC NULLS LAST, run_id) AS nth
  FROM runs`)
	if len(f.Status) == 0 {
		// Text, not parameters: a store's index may hold such runs only.
		q.and("(status = 'failed' OR status = 'abandoned')")
	}
	return f.apply(q).add(` WINDOW same AS (PARTITION BY pipeline_name, failed_stage, error_code)) AS counted
WHERE nth = 1 ORDER BY runs DESC, last_started_at DESC NULLS LAST, run_id`).limit(f.limit())
}

// Providers are the calls that began within the filter's time, by operation and provider, as breakers tell them
// apart: operation, provider, calls, failed, running, p50_ms, p95_ms, max_ms, input_tokens, output_tokens, cost_usd, breaker_state,
// last_started_at, last_error_code. Of the other fields of the filter only Provider and Limit count.
func (r *Reader) Providers(ctx context.Context, f Filter) ([]Record, error) {
	return r.all(ctx, r.providers(f))
}

// providers finds percentiles without a division: whole numbers do not divide alike in all databases.
func (r *Reader) providers(f Filter) *query {
	q := r.query(`SELECT operation, provider,
  count(*) AS calls,
  count(*) FILTER (WHERE NOT success) AS failed,
  count(*) FILTER (WHERE ended_at IS NULL AND success IS NULL) AS running,
  min(latency_ms) FILTER (WHERE nth * 100 >= measured * 50) AS p50_ms,
  min(latency_ms) FILTER (WHERE nth * 100 >= measured * 95) AS p95_ms,
  max(latency_ms) AS max_ms,
  CAST(sum(input_tokens) AS bigint) AS input_tokens,
  CAST(sum(output_tokens) AS bigint) AS output_tokens,
  sum(cost_usd) AS cost_usd,
  max(breaker_state) FILTER (WHERE latest = 1) AS breaker_state,
  max(started_at) AS last_started_at,
  max(error_code) FILTER (WHERE latest_failure = 1) AS last_error_code
FROM (SELECT operation, provider, success, latency_ms, input_tokens, output_tokens, cost_usd, breaker_state, started_at, ended_at, error_code,
    count(latency_ms) OVER (PARTITION BY operation, provider) AS measured,
    row_number() OVER (PARTITION BY operation, provider ORDER BY latency_ms NULLS LAST) AS nth,
    row_number() OVER (PARTITION BY operation, provider ORDER BY started_at DESC NULLS LAST) AS latest,
    row_number() OVER (PARTITION BY operation, provider ORDER BY error_code IS NULL, started_at DESC NULLS LAST) AS latest_failure
  FROM provider_calls`)
	f.span(q)
	if !f.Since.IsZero() {
		// A call that began since belongs to a run that something was told of since, or to none; runs have an index for that.
		c := r.dialect.changed
		q.and("run_id IN (SELECT run_id FROM " + c.view + " WHERE " + c.at + " >= ").arg(c.time(f.Since)).add(" UNION ALL SELECT '')")
	}
	if f.Provider != "" {
		q.and("provider = ").arg(f.Provider)
	}
	return q.add(") AS ranked GROUP BY operation, provider ORDER BY calls DESC, operation, provider").limit(f.limit())
}

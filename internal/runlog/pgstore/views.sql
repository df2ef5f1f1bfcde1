-- The views for people, over the views of the tables; made anew after every migration.

CREATE VIEW run_summary AS
SELECT r.run_id, r.parent_run_id, r.trace_id, r.pipeline_name, r.service, r.user_id, r.status, r.end_kind,
  r.started_at, r.ended_at, r.duration_ms, s.stages, s.retries, c.calls, c.failed_calls, t.tool_calls,
  c.input_tokens, c.output_tokens, c.cost_usd, r.failed_stage,
  r.error_code, r.error_type, r.error_message, r.error_retryable, r.updated_at
FROM runs AS r
CROSS JOIN LATERAL (
  SELECT count(DISTINCT name) AS stages, count(*) - count(DISTINCT name) AS retries FROM stages WHERE run_id = r.run_id
) AS s
CROSS JOIN LATERAL (
  SELECT count(*) AS calls, count(*) FILTER (WHERE NOT success) AS failed_calls, sum(input_tokens)::bigint AS input_tokens,
    sum(output_tokens)::bigint AS output_tokens, sum(cost_usd) AS cost_usd
  FROM provider_calls WHERE run_id = r.run_id
) AS c
CROSS JOIN LATERAL (SELECT count(*) AS tool_calls FROM tool_calls WHERE run_id = r.run_id) AS t;

CREATE VIEW failures_by_code AS
SELECT error_code, error_type, error_retryable, count(*) AS failures, max(updated_at) AS last_seen,
  (array_agg(error_message ORDER BY updated_at DESC NULLS LAST, run_id))[1] AS example_message,
  (array_agg(run_id ORDER BY updated_at DESC NULLS LAST, run_id))[1] AS example_run_id
FROM runs
WHERE status = 'failed' OR status = 'abandoned'
GROUP BY error_code, error_type, error_retryable;

CREATE VIEW provider_health AS
WITH calls AS (SELECT * FROM provider_calls)
{{provider_health}};

-- No index on the end of calls is needed: a call that ended within the hour belongs to a run that was updated since.
CREATE VIEW provider_health_last_hour AS
WITH calls AS (
  SELECT c.* FROM runs_data AS r JOIN provider_calls_data AS c ON c.run_id = r.run_id
  WHERE coalesce(r.updated_at, '1970-01-01 00:00:00+00'::timestamptz) >= now() - interval '1 hour'
    AND c.ended_at >= now() - interval '1 hour'
  UNION ALL
  SELECT * FROM provider_calls_data
  WHERE run_id = '' AND coalesce(ended_at, started_at, '1970-01-01 00:00:00+00'::timestamptz) >= now() - interval '1 hour'
)
{{provider_health}};

CREATE VIEW stage_latency AS
SELECT r.pipeline_name, s.name AS stage, count(*) AS attempts,
  count(*) FILTER (WHERE s.status IN ('failed', 'retried', 'abandoned')) AS failures,
  percentile_disc(0.5) WITHIN GROUP (ORDER BY s.duration_ms) AS p50_ms,
  percentile_disc(0.95) WITHIN GROUP (ORDER BY s.duration_ms) AS p95_ms,
  percentile_disc(0.99) WITHIN GROUP (ORDER BY s.duration_ms) AS p99_ms,
  max(s.duration_ms) AS max_ms
FROM stages AS s JOIN runs AS r ON r.run_id = s.run_id
WHERE s.status <> 'running'
GROUP BY r.pipeline_name, s.name;

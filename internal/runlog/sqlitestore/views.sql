-- The views for people, over the tables of the newest version; made anew after every migration.
--
-- A percentile is the first value whose cume_dist() reaches it, which is percentile_disc of other databases.

CREATE VIEW run_summary AS
SELECT d.run_id AS run_id, d.parent_run_id AS parent_run_id, d.trace_id AS trace_id, d.pipeline_name AS pipeline_name,
  d.service AS service, d.user_id AS user_id, d.status AS status, d.end_kind AS end_kind,
  strftime('%Y-%m-%dT%H:%M:%S', d.started_at / 1000000, 'unixepoch') || printf('.%06dZ', d.started_at % 1000000) AS started_at,
  strftime('%Y-%m-%dT%H:%M:%S', d.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', d.ended_at % 1000000) AS ended_at,
  d.duration_ms AS duration_ms,
  (SELECT count(DISTINCT name) FROM stages_data WHERE run = d.id) AS stages,
  (SELECT count(*) - count(DISTINCT name) FROM stages_data WHERE run = d.id) AS retries,
  (SELECT count(*) FROM provider_calls_data WHERE run = d.id) AS calls,
  (SELECT count(*) FROM provider_calls_data WHERE run = d.id AND success = 0) AS failed_calls,
  (SELECT count(*) FROM tool_calls_data WHERE run = d.id) AS tool_calls,
  (SELECT sum(input_tokens) FROM provider_calls_data WHERE run = d.id) AS input_tokens,
  (SELECT sum(output_tokens) FROM provider_calls_data WHERE run = d.id) AS output_tokens,
  (SELECT sum(cost_usd) FROM provider_calls_data WHERE run = d.id) AS cost_usd,
  d.failed_stage AS failed_stage, d.error_code AS error_code, d.error_type AS error_type,
  d.error_message AS error_message, d.error_retryable AS error_retryable,
  strftime('%Y-%m-%dT%H:%M:%S', d.updated_at / 1000000, 'unixepoch') || printf('.%06dZ', d.updated_at % 1000000) AS updated_at
FROM runs_data d
WHERE d.id <> 0;

CREATE VIEW failures_by_code AS
WITH f AS (
  SELECT error_code, error_type, error_retryable, error_message, run_id, updated_at,
    count(*) OVER same AS failures,
    row_number() OVER (same ORDER BY updated_at DESC NULLS LAST, run_id) AS recent
  FROM runs_data
  WHERE status = 'failed' OR status = 'abandoned'
  WINDOW same AS (PARTITION BY error_code, error_type, error_retryable)
)
SELECT error_code, error_type, error_retryable, failures,
  strftime('%Y-%m-%dT%H:%M:%S', updated_at / 1000000, 'unixepoch') || printf('.%06dZ', updated_at % 1000000) AS last_seen,
  error_message AS example_message, run_id AS example_run_id
FROM f
WHERE recent = 1;

CREATE VIEW provider_health AS
WITH calls AS (SELECT * FROM provider_calls_data)
{{provider_health}};

-- No index on the end of calls is needed: a call that ended within the hour belongs to a run that was updated since.
CREATE VIEW provider_health_last_hour AS
WITH calls AS (
  SELECT c.* FROM runs_data r CROSS JOIN provider_calls_data c ON c.run = r.id
  WHERE r.id <> 0 AND coalesce(r.updated_at, 0) >= (unixepoch('now') - 3600) * 1000000
    AND c.ended_at >= (unixepoch('now') - 3600) * 1000000
  UNION ALL
  SELECT * FROM provider_calls_data INDEXED BY provider_calls_loose
  WHERE run = 0 AND coalesce(ended_at, started_at, 0) >= (unixepoch('now') - 3600) * 1000000
)
{{provider_health}};

CREATE VIEW stage_latency AS
WITH s AS (
  SELECT r.pipeline_name, s.name, s.status, s.duration_ms,
    cume_dist() OVER (PARTITION BY r.pipeline_name, s.name, s.duration_ms IS NULL ORDER BY s.duration_ms) AS part
  FROM stages_data s JOIN runs_data r ON r.id = s.run
  WHERE s.status <> 'running'
)
SELECT pipeline_name, name AS stage, count(*) AS attempts, sum(status IN ('failed', 'retried', 'abandoned')) AS failures,
  min(CASE WHEN part >= 0.5 THEN duration_ms END) AS p50_ms,
  min(CASE WHEN part >= 0.95 THEN duration_ms END) AS p95_ms,
  min(CASE WHEN part >= 0.99 THEN duration_ms END) AS p99_ms,
  max(duration_ms) AS max_ms
FROM s
GROUP BY pipeline_name, name;

-- For programs that follow the log.
CREATE VIEW runs_changed AS
SELECT run_id, status, coalesce(updated_at, 0) AS changed,
  strftime('%Y-%m-%dT%H:%M:%S', updated_at / 1000000, 'unixepoch') || printf('.%06dZ', updated_at % 1000000) AS updated_at
FROM runs_data
WHERE id <> 0;

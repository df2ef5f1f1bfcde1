CREATE INDEX breaker_transitions_at ON breaker_transitions_data (coalesce(at, 0));

CREATE INDEX breaker_transitions_trace ON breaker_transitions_data (trace_id) WHERE trace_id IS NOT NULL;

CREATE INDEX events_loose ON events_data (coalesce(time, 0)) WHERE run = 0;

CREATE INDEX provider_calls_loose ON provider_calls_data (coalesce(ended_at, started_at, 0)) WHERE run = 0;

CREATE INDEX runs_failed ON runs_data
  (strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000000, 'unixepoch') || printf('.%06dZ', started_at % 1000000))
  WHERE status = 'failed' OR status = 'abandoned';

CREATE INDEX runs_parent ON runs_data (parent_run_id) WHERE parent_run_id IS NOT NULL;

CREATE INDEX runs_started_at ON runs_data
  (strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000000, 'unixepoch') || printf('.%06dZ', started_at % 1000000));

CREATE INDEX runs_updated_at ON runs_data (coalesce(updated_at, 0));

CREATE INDEX runs_user ON runs_data (user_id) WHERE user_id IS NOT NULL;

CREATE INDEX tool_calls_loose ON tool_calls_data (coalesce(ended_at, started_at, 0)) WHERE run = 0;

CREATE TABLE breaker_transitions_data (
  key        TEXT NOT NULL,
  source     TEXT NOT NULL,
  generation INTEGER NOT NULL,
  from_state TEXT,
  to_state   TEXT,
  at         INTEGER,
  reason     TEXT,
  trace_id   TEXT,
  span_id    TEXT,
  merge      BLOB NOT NULL,
  PRIMARY KEY (key, source, generation)
) STRICT, WITHOUT ROWID;

CREATE TABLE events_data (
  run   INTEGER NOT NULL,
  hash  TEXT NOT NULL,
  type  TEXT,
  time  INTEGER,
  data  TEXT,
  merge BLOB NOT NULL,
  PRIMARY KEY (run, hash)
) STRICT;

CREATE TABLE provider_calls_data (
  run             INTEGER NOT NULL,
  call_id         TEXT NOT NULL,
  stage           TEXT,
  operation       TEXT,
  provider        TEXT,
  model_id        TEXT,
  success         INTEGER,
  latency_ms      REAL,
  input_tokens    INTEGER,
  output_tokens   INTEGER,
  cost_usd        REAL,
  error_code      TEXT,
  error_type      TEXT,
  error_message   TEXT,
  error_retryable INTEGER,
  breaker_state   TEXT,
  started_at      INTEGER,
  ended_at        INTEGER,
  attributes      TEXT,
  status          TEXT NOT NULL,
  merge           BLOB NOT NULL,
  PRIMARY KEY (run, call_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs_data (
  -- A short key for the rows below a run: writing them by the run's own id costs more than twice as much.
  id                INTEGER PRIMARY KEY,
  run_id            TEXT NOT NULL UNIQUE,
  trace_id          TEXT,
  parent_run_id     TEXT,
  parent_stage      TEXT,
  pipeline_name     TEXT,
  topology          TEXT,
  execution_mode    TEXT,
  service           TEXT,
  status            TEXT NOT NULL,
  end_kind          TEXT NOT NULL,
  started_at        INTEGER,
  ended_at          INTEGER,
  duration_ms       REAL,
  failed_stage      TEXT,
  error_code        TEXT,
  error_type        TEXT,
  error_message     TEXT,
  error_retryable   INTEGER,
  error_fingerprint TEXT,
  breakers          TEXT,
  user_id           TEXT,
  session_id        TEXT,
  org_id            TEXT,
  request_id        TEXT,
  correlation_id    TEXT,
  stage_results     TEXT,
  attributes        TEXT,
  updated_at        INTEGER,
  merge             BLOB NOT NULL
) STRICT;

CREATE TABLE stages_data (
  run             INTEGER NOT NULL,
  name            TEXT NOT NULL,
  attempt         INTEGER NOT NULL,
  span_id         TEXT,
  kind            TEXT,
  status          TEXT NOT NULL,
  reason          TEXT,
  started_at      INTEGER,
  ended_at        INTEGER,
  duration_ms     REAL,
  error_code      TEXT,
  error_type      TEXT,
  error_message   TEXT,
  error_retryable INTEGER,
  attributes      TEXT,
  merge           BLOB NOT NULL,
  PRIMARY KEY (run, name, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE tool_calls_data (
  run             INTEGER NOT NULL,
  action_id       TEXT NOT NULL,
  tool_name       TEXT,
  stage           TEXT,
  status          TEXT NOT NULL,
  started_at      INTEGER,
  ended_at        INTEGER,
  duration_ms     REAL,
  error_code      TEXT,
  error_type      TEXT,
  error_message   TEXT,
  error_retryable INTEGER,
  attributes      TEXT,
  merge           BLOB NOT NULL,
  PRIMARY KEY (run, action_id)
) STRICT, WITHOUT ROWID;

CREATE VIEW breaker_transitions AS
SELECT d.key AS key,
  d.source AS source,
  d.generation AS generation,
  d.from_state AS from_state,
  d.to_state AS to_state,
  strftime('%Y-%m-%dT%H:%M:%S', d.at / 1000000, 'unixepoch') || printf('.%06dZ', d.at % 1000000) AS at,
  d.reason AS reason,
  d.trace_id AS trace_id,
  d.span_id AS span_id
FROM breaker_transitions_data d;

CREATE VIEW events AS
SELECT r.run_id AS run_id,
  d.type AS type,
  strftime('%Y-%m-%dT%H:%M:%S', d.time / 1000000, 'unixepoch') || printf('.%06dZ', d.time % 1000000) AS time,
  d.data AS data
FROM events_data d
JOIN runs_data r ON r.id = d.run;

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

CREATE VIEW provider_calls AS
SELECT r.run_id AS run_id,
  d.call_id AS call_id,
  d.stage AS stage,
  d.operation AS operation,
  d.provider AS provider,
  d.model_id AS model_id,
  d.success AS success,
  d.latency_ms AS latency_ms,
  d.input_tokens AS input_tokens,
  d.output_tokens AS output_tokens,
  d.cost_usd AS cost_usd,
  d.error_code AS error_code,
  d.error_type AS error_type,
  d.error_message AS error_message,
  d.error_retryable AS error_retryable,
  d.breaker_state AS breaker_state,
  strftime('%Y-%m-%dT%H:%M:%S', d.started_at / 1000000, 'unixepoch') || printf('.%06dZ', d.started_at % 1000000) AS started_at,
  strftime('%Y-%m-%dT%H:%M:%S', d.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', d.ended_at % 1000000) AS ended_at,
  d.attributes AS attributes
FROM provider_calls_data d
JOIN runs_data r ON r.id = d.run;

CREATE VIEW provider_health AS
WITH calls AS (SELECT * FROM provider_calls_data)
-- What both views of provider health tell of their calls.
, c AS (
  SELECT operation, provider, model_id, success, latency_ms, input_tokens, output_tokens, cost_usd, error_code, error_message, ended_at,
    cume_dist() OVER (PARTITION BY operation, provider, model_id, latency_ms IS NULL ORDER BY latency_ms) AS part,
    row_number() OVER (PARTITION BY operation, provider, model_id, success ORDER BY ended_at DESC, run, call_id) AS recent
  FROM calls
  WHERE success IS NOT NULL
)
SELECT operation, provider, model_id, count(*) AS calls, sum(success = 0) AS failures, avg(success = 0) AS failure_ratio,
  min(CASE WHEN part >= 0.5 THEN latency_ms END) AS p50_ms,
  min(CASE WHEN part >= 0.95 THEN latency_ms END) AS p95_ms,
  min(CASE WHEN part >= 0.99 THEN latency_ms END) AS p99_ms,
  sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd,
  max(CASE WHEN success = 0 AND recent = 1 THEN error_code END) AS last_error_code,
  max(CASE WHEN success = 0 AND recent = 1 THEN error_message END) AS last_error_message,
  max(CASE WHEN success = 0 AND recent = 1
    THEN strftime('%Y-%m-%dT%H:%M:%S', ended_at / 1000000, 'unixepoch') || printf('.%06dZ', ended_at % 1000000) END) AS last_error_at
FROM c
GROUP BY operation, provider, model_id;

CREATE VIEW provider_health_last_hour AS
WITH calls AS (
  SELECT c.* FROM runs_data r CROSS JOIN provider_calls_data c ON c.run = r.id
  WHERE r.id <> 0 AND coalesce(r.updated_at, 0) >= (unixepoch('now') - 3600) * 1000000
    AND c.ended_at >= (unixepoch('now') - 3600) * 1000000
  UNION ALL
  SELECT * FROM provider_calls_data INDEXED BY provider_calls_loose
  WHERE run = 0 AND coalesce(ended_at, started_at, 0) >= (unixepoch('now') - 3600) * 1000000
)
-- What both views of provider health tell of their calls.
, c AS (
  SELECT operation, provider, model_id, success, latency_ms, input_tokens, output_tokens, cost_usd, error_code, error_message, ended_at,
    cume_dist() OVER (PARTITION BY operation, provider, model_id, latency_ms IS NULL ORDER BY latency_ms) AS part,
    row_number() OVER (PARTITION BY operation, provider, model_id, success ORDER BY ended_at DESC, run, call_id) AS recent
  FROM calls
  WHERE success IS NOT NULL
)
SELECT operation, provider, model_id, count(*) AS calls, sum(success = 0) AS failures, avg(success = 0) AS failure_ratio,
  min(CASE WHEN part >= 0.5 THEN latency_ms END) AS p50_ms,
  min(CASE WHEN part >= 0.95 THEN latency_ms END) AS p95_ms,
  min(CASE WHEN part >= 0.99 THEN latency_ms END) AS p99_ms,
  sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd,
  max(CASE WHEN success = 0 AND recent = 1 THEN error_code END) AS last_error_code,
  max(CASE WHEN success = 0 AND recent = 1 THEN error_message END) AS last_error_message,
  max(CASE WHEN success = 0 AND recent = 1
    THEN strftime('%Y-%m-%dT%H:%M:%S', ended_at / 1000000, 'unixepoch') || printf('.%06dZ', ended_at % 1000000) END) AS last_error_at
FROM c
GROUP BY operation, provider, model_id;

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

CREATE VIEW runs AS
SELECT d.run_id AS run_id,
  d.trace_id AS trace_id,
  d.parent_run_id AS parent_run_id,
  d.parent_stage AS parent_stage,
  d.pipeline_name AS pipeline_name,
  d.topology AS topology,
  d.execution_mode AS execution_mode,
  d.service AS service,
  d.status AS status,
  d.end_kind AS end_kind,
  strftime('%Y-%m-%dT%H:%M:%S', d.started_at / 1000000, 'unixepoch') || printf('.%06dZ', d.started_at % 1000000) AS started_at,
  strftime('%Y-%m-%dT%H:%M:%S', d.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', d.ended_at % 1000000) AS ended_at,
  d.duration_ms AS duration_ms,
  d.failed_stage AS failed_stage,
  d.error_code AS error_code,
  d.error_type AS error_type,
  d.error_message AS error_message,
  d.error_retryable AS error_retryable,
  d.error_fingerprint AS error_fingerprint,
  d.breakers AS breakers,
  d.user_id AS user_id,
  d.session_id AS session_id,
  d.org_id AS org_id,
  d.request_id AS request_id,
  d.correlation_id AS correlation_id,
  d.stage_results AS stage_results,
  d.attributes AS attributes,
  strftime('%Y-%m-%dT%H:%M:%S', d.updated_at / 1000000, 'unixepoch') || printf('.%06dZ', d.updated_at % 1000000) AS updated_at
FROM runs_data d
WHERE d.id <> 0;

CREATE VIEW runs_changed AS
SELECT run_id, status, coalesce(updated_at, 0) AS changed,
  strftime('%Y-%m-%dT%H:%M:%S', updated_at / 1000000, 'unixepoch') || printf('.%06dZ', updated_at % 1000000) AS updated_at
FROM runs_data
WHERE id <> 0;

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

CREATE VIEW stages AS
SELECT r.run_id AS run_id,
  d.name AS name,
  d.attempt AS attempt,
  d.span_id AS span_id,
  d.kind AS kind,
  d.status AS status,
  d.reason AS reason,
  strftime('%Y-%m-%dT%H:%M:%S', d.started_at / 1000000, 'unixepoch') || printf('.%06dZ', d.started_at % 1000000) AS started_at,
  strftime('%Y-%m-%dT%H:%M:%S', d.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', d.ended_at % 1000000) AS ended_at,
  d.duration_ms AS duration_ms,
  d.error_code AS error_code,
  d.error_type AS error_type,
  d.error_message AS error_message,
  d.error_retryable AS error_retryable,
  d.attributes AS attributes
FROM stages_data d
JOIN runs_data r ON r.id = d.run;

CREATE VIEW tool_calls AS
SELECT r.run_id AS run_id,
  d.action_id AS action_id,
  d.tool_name AS tool_name,
  d.stage AS stage,
  d.status AS status,
  strftime('%Y-%m-%dT%H:%M:%S', d.started_at / 1000000, 'unixepoch') || printf('.%06dZ', d.started_at % 1000000) AS started_at,
  strftime('%Y-%m-%dT%H:%M:%S', d.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', d.ended_at % 1000000) AS ended_at,
  d.duration_ms AS duration_ms,
  d.error_code AS error_code,
  d.error_type AS error_type,
  d.error_message AS error_message,
  d.error_retryable AS error_retryable,
  d.attributes AS attributes
FROM tool_calls_data d
JOIN runs_data r ON r.id = d.run;


CREATE INDEX runs_parent ON runs_data (parent_run_id) WHERE parent_run_id IS NOT NULL;

CREATE INDEX runs_started_at ON runs_data
  (strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000000, 'unixepoch') || printf('.%06dZ', started_at % 1000000));

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


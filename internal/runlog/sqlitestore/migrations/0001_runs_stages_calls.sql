-- Version 1: runs, stages and provider calls.
--
-- Readers see views of other names (runs, stages, provider_calls), which are made from the tables' columns
-- after the last migration. Times are microseconds since 1970, flags 0 or 1, JSON is canonical text; "merge" is
-- what a row must remember to be joined with later facts.

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

-- The run of calls that belong to none. It keeps the joins of the views plain, and is not shown in runs.
INSERT INTO runs_data (id, run_id, status, end_kind, merge) VALUES (0, '', 'running', 'none', x'');

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

-- "The last runs", in the very expression that the view shows, so that readers' ORDER BY and ranges use it.
CREATE INDEX runs_started_at ON runs_data
  (strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000000, 'unixepoch') || printf('.%06dZ', started_at % 1000000));

-- The children of a run.
CREATE INDEX runs_parent ON runs_data (parent_run_id) WHERE parent_run_id IS NOT NULL;

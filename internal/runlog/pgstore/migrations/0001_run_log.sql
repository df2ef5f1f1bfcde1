-- Version 1.
--
-- Readers see views of other names (runs, stages, ...), which are made from the tables' columns after the last
-- migration. JSON is canonical text here, jsonb in the views; that it can be is checked when it is written. The last
-- columns are the writers' own: what a row must remember to be joined with later facts, and the revision by which
-- writers see that a row was changed by another. Keys are ordered by their bytes, which is faster than any language's
-- order and the same everywhere; the run stands first in them, so that the tables can be divided by runs.

CREATE TABLE runs_data (
  run_id            text COLLATE "C" NOT NULL,
  trace_id          text,
  parent_run_id     text,
  parent_stage      text,
  pipeline_name     text,
  topology          text,
  execution_mode    text,
  service           text,
  status            text NOT NULL,
  end_kind          text NOT NULL,
  started_at        timestamptz,
  ended_at          timestamptz,
  duration_ms       double precision,
  failed_stage      text,
  error_code        text,
  error_type        text,
  error_message     text,
  error_retryable   boolean,
  error_fingerprint text,
  breakers          text CHECK (breakers IS NULL OR breakers::jsonb IS NOT NULL),
  user_id           text,
  session_id        text,
  org_id            text,
  request_id        text,
  correlation_id    text,
  stage_results     text CHECK (stage_results IS NULL OR stage_results::jsonb IS NOT NULL),
  attributes        text CHECK (attributes IS NULL OR attributes::jsonb IS NOT NULL),
  updated_at        timestamptz,
  merge             bytea NOT NULL,
  revision          bigint NOT NULL,
  expected          bigint,
  PRIMARY KEY (run_id)
);

CREATE TABLE stages_data (
  run_id            text COLLATE "C" NOT NULL,
  name              text COLLATE "C" NOT NULL,
  attempt           bigint NOT NULL,
  span_id           text,
  kind              text,
  status            text NOT NULL,
  reason            text,
  started_at        timestamptz,
  ended_at          timestamptz,
  duration_ms       double precision,
  error_code        text,
  error_type        text,
  error_message     text,
  error_retryable   boolean,
  attributes        text CHECK (attributes IS NULL OR attributes::jsonb IS NOT NULL),
  from_span         boolean NOT NULL,
  merge             bytea NOT NULL,
  revision          bigint NOT NULL,
  expected          bigint,
  PRIMARY KEY (run_id, name, attempt)
);

CREATE TABLE provider_calls_data (
  run_id            text COLLATE "C" NOT NULL,
  call_id           text COLLATE "C" NOT NULL,
  stage             text,
  operation         text,
  provider          text,
  model_id          text,
  success           boolean,
  latency_ms        double precision,
  input_tokens      bigint,
  output_tokens     bigint,
  cost_usd          double precision,
  error_code        text,
  error_type        text,
  error_message     text,
  error_retryable   boolean,
  breaker_state     text,
  started_at        timestamptz,
  ended_at          timestamptz,
  attributes        text CHECK (attributes IS NULL OR attributes::jsonb IS NOT NULL),
  status            text NOT NULL,
  from_span         boolean NOT NULL,
  merge             bytea NOT NULL,
  revision          bigint NOT NULL,
  expected          bigint,
  PRIMARY KEY (run_id, call_id)
);

CREATE TABLE tool_calls_data (
  run_id            text COLLATE "C" NOT NULL,
  action_id         text COLLATE "C" NOT NULL,
  tool_name         text,
  stage             text,
  status            text NOT NULL,
  started_at        timestamptz,
  ended_at          timestamptz,
  duration_ms       double precision,
  error_code        text,
  error_type        text,
  error_message     text,
  error_retryable   boolean,
  attributes        text CHECK (attributes IS NULL OR attributes::jsonb IS NOT NULL),
  from_span         boolean NOT NULL,
  merge             bytea NOT NULL,
  revision          bigint NOT NULL,
  expected          bigint,
  PRIMARY KEY (run_id, action_id)
);

CREATE TABLE breaker_transitions_data (
  key               text COLLATE "C" NOT NULL,
  source            text COLLATE "C" NOT NULL,
  generation        bigint NOT NULL,
  from_state        text,
  to_state          text,
  at                timestamptz,
  reason            text,
  trace_id          text,
  span_id           text,
  from_span         boolean NOT NULL,
  merge             bytea NOT NULL,
  revision          bigint NOT NULL,
  expected          bigint,
  PRIMARY KEY (key, source, generation)
);

CREATE TABLE events_data (
  run_id            text COLLATE "C" NOT NULL,
  hash              text COLLATE "C" NOT NULL,
  type              text,
  time              timestamptz,
  data              text CHECK (data IS NULL OR data::jsonb IS NOT NULL),
  from_span         boolean NOT NULL,
  merge             bytea NOT NULL,
  revision          bigint NOT NULL,
  expected          bigint,
  PRIMARY KEY (run_id, hash)
);

-- "The last runs", "what failed last".
CREATE INDEX runs_started_at ON runs_data (started_at);
CREATE INDEX runs_failed ON runs_data (started_at) WHERE status = 'failed' OR status = 'abandoned';

-- The children of a run.
CREATE INDEX runs_parent ON runs_data (parent_run_id) WHERE parent_run_id IS NOT NULL;

-- "What is oldest", "what changed since". Records without a time are the oldest.
CREATE INDEX runs_updated_at ON runs_data (coalesce(updated_at, '1970-01-01 00:00:00+00'::timestamptz));

-- The same of what belongs to no run.
CREATE INDEX provider_calls_loose ON provider_calls_data
  (coalesce(ended_at, started_at, '1970-01-01 00:00:00+00'::timestamptz)) WHERE run_id = '';
CREATE INDEX tool_calls_loose ON tool_calls_data
  (coalesce(ended_at, started_at, '1970-01-01 00:00:00+00'::timestamptz)) WHERE run_id = '';
CREATE INDEX events_loose ON events_data (coalesce("time", '1970-01-01 00:00:00+00'::timestamptz)) WHERE run_id = '';
CREATE INDEX breaker_transitions_at ON breaker_transitions_data
  (coalesce("at", '1970-01-01 00:00:00+00'::timestamptz));

-- The runs of a user, the transitions of breakers within a trace.
CREATE INDEX runs_user ON runs_data (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX breaker_transitions_trace ON breaker_transitions_data (trace_id) WHERE trace_id IS NOT NULL;

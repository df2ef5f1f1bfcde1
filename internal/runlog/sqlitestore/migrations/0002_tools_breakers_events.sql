-- Version 2: tool calls, transitions of breakers, events; indexes for failures and for retention.

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

-- Events can be large; a table without rowid would keep them in the inner pages of its tree.
CREATE TABLE events_data (
  run   INTEGER NOT NULL,
  hash  TEXT NOT NULL,
  type  TEXT,
  time  INTEGER,
  data  TEXT,
  merge BLOB NOT NULL,
  PRIMARY KEY (run, hash)
) STRICT;

-- "What failed last", in the expression that the view shows (see version 1).
CREATE INDEX runs_failed ON runs_data
  (strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000000, 'unixepoch') || printf('.%06dZ', started_at % 1000000))
  WHERE status = 'failed' OR status = 'abandoned';

-- "What is oldest", "what changed since". Records without a time are the oldest.
CREATE INDEX runs_updated_at ON runs_data (coalesce(updated_at, 0));

-- The same of what belongs to no run.
CREATE INDEX provider_calls_loose ON provider_calls_data (coalesce(ended_at, started_at, 0)) WHERE run = 0;
CREATE INDEX tool_calls_loose ON tool_calls_data (coalesce(ended_at, started_at, 0)) WHERE run = 0;
CREATE INDEX events_loose ON events_data (coalesce(time, 0)) WHERE run = 0;
CREATE INDEX breaker_transitions_at ON breaker_transitions_data (coalesce(at, 0));

-- The runs of a user, the transitions of a run's trace.
CREATE INDEX runs_user ON runs_data (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX breaker_transitions_trace ON breaker_transitions_data (trace_id) WHERE trace_id IS NOT NULL;

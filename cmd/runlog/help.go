// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

const helpText = `runlog shows the run log: every pipeline run, what it did, what failed and why.

  runlog list                 the last runs
  runlog show RUN             one run: timeline, errors, breakers, tokens, cost
  runlog tail                 runs as they begin and end
  runlog export               runs with everything under them, as JSON lines
  runlog failures             failed runs, counted by pipeline, stage and error code
  runlog providers            provider calls: failures, latency, tokens, cost

` + "`runlog help COMMAND`" + ` explains a command with examples.
` + commonHelp

const commonHelp = `
Everywhere:
  --log LOG    the log: a SQLite file or a postgres:// URL
               (default: $STAGEFLOW_RUNLOG, else ./data/runlog.db)
  --json       JSON lines with the columns of the log instead of text

Exit codes: 0 done, 1 error, 2 wrong use. NO_COLOR and COLUMNS are honoured.
`

const filterHelp = `
Which runs:
  --status S      running, completed, failed, cancelled, abandoned; several with commas
  --pipeline P    of this pipeline
  --since T       begun since: how long ago (90s, 1h30m, 7d, 2w) or when
                  (2006-01-02, 2006-01-02T15:04, 2006-01-02T15:04:05Z; local time)
  --until T       begun before
  --code C        that ended with this error code, say RATE_LIMITED
  --user U, --session S
  --provider P    that called this provider
`

const listHelp = `runlog list [flags]: the last runs, the newest first

  runlog list
  runlog list --status failed,abandoned --since 1h
  runlog list --pipeline chat --user ada --limit 5
  runlog list --since 2026-11-01 --json | jq -r .run_id
` + filterHelp + `  --limit N       at most so many (default 50, at most 10000)
`

const showHelp = `runlog show RUN: one run with its stages, calls, tools, breakers and children

  runlog show 7b54dffe               the beginning of an id is enough if no other run begins so
  runlog show 7b54dffe --json | jq .stages

Bars stand on one axis of time: █ stages, ▓ provider calls, ▒ tools; │ took no time.
Marks: ✓ completed  ✗ failed  ↻ failed and tried again  ⊘ cancelled or skipped  … running  ? abandoned
`

const tailHelp = `runlog tail [flags]: runs as they begin and end, a line per change of status, until Ctrl-C

  runlog tail
  runlog tail --status failed --pipeline chat
  runlog tail --last 0 --json | jq 'select(.duration_ms > 1000)'
` + filterHelp + `  --last N         begin with the last N runs (default 10)
  --interval D     how often to look (default 1s)
  --lookback D     how late news may come to be seen (default 1m); news of runs known to be going on
                   is seen however late
`

const exportHelp = `runlog export [flags]: runs with everything under them, a JSON object per line, the oldest first

  runlog export > runs.ndjson
  runlog export --since 1d --status failed | jq -r '.stages[] | select(.status == "failed") | .error_message'
  runlog export --code TIMEOUT | jq -c '[.run_id, (.provider_calls | length)]'

A line has the run's columns and the lists stages, provider_calls, tool_calls, breaker_transitions and, where the
log keeps them, events. It is written as it is read: the log may be larger than memory.
` + filterHelp + `  --limit N       at most so many (default all)
`

const failuresHelp = `runlog failures [flags]: failed and abandoned runs, counted by pipeline, stage and error code

  runlog failures --since 1h
  runlog failures --pipeline chat --since 2026-11-01 --until 2026-11-08
  runlog failures --since 1h --json | jq 'select(.error_retryable)'

Without --since it counts the last 24 hours. RUN is the last of its kind, for ` + "`runlog show`" + `.
` + filterHelp + `  --limit N       at most so many lines (default 50)
`

const providersHelp = `runlog providers [flags]: provider calls by operation and provider, as breakers tell them apart

  runlog providers --since 1h
  runlog providers --provider openai --since 7d
  runlog providers --json | jq 'select(.failed > 0)'

Without --since it counts the last 24 hours. P50 and P95 are of the calls' latency; BREAKER is as the last call saw it.

Which calls:
  --since T, --until T    begun since, before: how long ago (1h30m, 7d) or when (2006-01-02T15:04)
  --provider P            of this provider
  --limit N               at most so many lines (default 50)
`

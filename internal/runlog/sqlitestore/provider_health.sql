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
GROUP BY operation, provider, model_id

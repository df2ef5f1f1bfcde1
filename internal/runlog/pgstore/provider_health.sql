-- What both views of provider health tell of their calls.
SELECT operation, provider, model_id, count(*) AS calls, count(*) FILTER (WHERE NOT success) AS failures,
  count(*) FILTER (WHERE NOT success)::double precision / count(*)::double precision AS failure_ratio,
  percentile_disc(0.5) WITHIN GROUP (ORDER BY latency_ms) AS p50_ms,
  percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms) AS p95_ms,
  percentile_disc(0.99) WITHIN GROUP (ORDER BY latency_ms) AS p99_ms,
  sum(input_tokens)::bigint AS input_tokens, sum(output_tokens)::bigint AS output_tokens, sum(cost_usd) AS cost_usd,
  (array_agg(error_code ORDER BY ended_at DESC NULLS LAST, run_id, call_id) FILTER (WHERE NOT success))[1] AS last_error_code,
  (array_agg(error_message ORDER BY ended_at DESC NULLS LAST, run_id, call_id) FILTER (WHERE NOT success))[1] AS last_error_message,
  (array_agg(ended_at ORDER BY ended_at DESC NULLS LAST, run_id, call_id) FILTER (WHERE NOT success))[1] AS last_error_at
FROM calls
WHERE success IS NOT NULL
GROUP BY operation, provider, model_id

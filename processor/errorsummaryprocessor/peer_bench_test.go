// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/transformprocessor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/stageflow/otelcol-stageflow/processor/errorsummaryprocessor/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// tenCodes is what somebody without this processor would write for ten codes of the table, as OTTL patterns of the text.
var tenCodes = []struct {
	code      string
	retryable bool
	pattern   string
}{
	{"TIMEOUT", true, "(?i)timed? ?out|deadline exceeded"},
	{"CIRCUIT_OPEN", true, "(?i)circuit breaker"},
	{"RATE_LIMITED", true, "(?i)rate limit|too many requests"},
	{"QUOTA_EXCEEDED", false, "(?i)insufficient_quota|exceeded your current quota"},
	{"CONTEXT_LENGTH_EXCEEDED", false, "(?i)maximum context length|context_length_exceeded"},
	{"CONTENT_FILTERED", false, "(?i)content_filter|content management policy"},
	{"UNAUTHORIZED", false, "(?i)invalid api key|incorrect api key|unauthori[sz]ed"},
	{"OVERLOADED", true, "(?i)overloaded"},
	{"NETWORK_ERROR", true, "(?i)connection (refused|reset)|broken pipe|no such host"},
	{"UNAVAILABLE", true, "(?i)service unavailable|bad gateway"},
}

// tenTexts are one for each code.
var tenTexts = []string{
	"Stage 'llm' failed: Request timed out.",
	"Circuit breaker open for chat/openai",
	"Error code: 429 - {'error': {'message': 'Rate limit reached for gpt-4o in organization org-1 on tokens per min'}}",
	"Error code: 429 - {'error': {'message': 'You exceeded your current quota, please check your plan and billing details.', 'code': 'insufficient_quota'}}",
	"Error code: 400 - {'error': {'message': \"This model's maximum context length is 128000 tokens.\", 'code': 'context_length_exceeded'}}",
	"Error code: 400 - {'error': {'code': 'content_filter', 'message': \"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.\"}}",
	"Error code: 401 - {'error': {'message': 'Incorrect API key provided: sk-***.'}}",
	"Error code: 529 - {'type': 'error', 'error': {'type': 'overloaded_error', 'message': 'Overloaded'}}",
	"dial tcp 10.0.0.1:443: connect: connection refused",
	"upstream connect error or disconnect/reset before headers: 503 Service Unavailable",
}

// transform is contrib's processor with the least statements that give code, flag, message and summary.
func transform(t testing.TB, next consumer.Traces) processor.Traces {
	const code = `span.attributes["stageflow.error.code"]`
	var statements, retryable []any
	for _, c := range tenCodes {
		statements = append(statements, fmt.Sprintf(`set(%s, "%s") where span.status.code == STATUS_CODE_ERROR and %[1]s == nil and IsMatch(span.status.message, "%[3]s")`,
			code, c.code, c.pattern))
		if c.retryable {
			retryable = append(retryable, fmt.Sprintf(`set(span.attributes["stageflow.error.retryable"], true) where %s == "%s"`, code, c.code))
		}
	}
	statements = append(append(statements, retryable...),
		fmt.Sprintf(`set(span.attributes["stageflow.error.retryable"], false) where %s != nil and span.attributes["stageflow.error.retryable"] == nil`, code),
		fmt.Sprintf(`set(span.attributes["stageflow.error.message"], span.status.message) where %s != nil`, code),
		fmt.Sprintf(`set(span.attributes["stageflow.error.summary"], Concat([%s, span.status.message], ": ")) where %[1]s != nil`, code),
	)
	f := transformprocessor.NewFactory()
	cfg := f.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"trace_statements": statements}).Unmarshal(cfg))
	p, err := f.CreateTraces(t.Context(), processortest.NewNopSettings(f.Type()), cfg, next)
	require.NoError(t, err)
	return p
}

// ranging looks at every span's status and does nothing.
func ranging(b *testing.B) processor.Traces {
	p, err := processorhelper.NewTraces(b.Context(), processortest.NewNopSettings(metadata.Type), createDefaultConfig(), consumertest.NewNop(),
		func(_ context.Context, td ptrace.Traces) (ptrace.Traces, error) {
			for _, rs := range td.ResourceSpans().All() {
				for _, ss := range rs.ScopeSpans().All() {
					for _, span := range ss.Spans().All() {
						if span.Status().Code() == ptrace.StatusCodeError {
							seen++
						}
					}
				}
			}
			return td, nil
		}, processorhelper.WithCapabilities(consumer.Capabilities{}))
	require.NoError(b, err)
	return p
}

var seen int

// BenchmarkPeers puts the same batches through this processor and a peer by turns: spans without an error through one
// that only ranges over them, failed ones through contrib's transform processor with statements for ten codes.
func BenchmarkPeers(b *testing.B) {
	ours, err := NewFactory().CreateTraces(b.Context(), processortest.NewNopSettings(metadata.Type), createDefaultConfig(), consumertest.NewNop())
	require.NoError(b, err)
	healthy, failing := make([]span, perBatch), make([]span, perBatch)
	for i := range perBatch {
		healthy[i] = span{id: 1, ok: true, attrs: callSpan()}
		failing[i] = span{id: 1, message: tenTexts[i%len(tenTexts)], attrs: callSpan()}
	}
	for _, bench := range []struct {
		name  string
		peer  processor.Traces
		spans []span
	}{
		{"healthy spans, ranging", ranging(b), healthy},
		{"failing spans, transform", transform(b, consumertest.NewNop()), failing},
	} {
		b.Run(bench.name, func(b *testing.B) {
			require.NoError(b, bench.peer.Start(b.Context(), componenttest.NewNopHost()))
			source := batch(b, bench.spans...)
			var took [2]time.Duration
			n := 0
			for b.Loop() {
				for turn := range 2 { // neither always comes second
					which := (n + turn) % 2
					td := ptrace.NewTraces()
					source.CopyTo(td)
					begin := time.Now()
					err := []processor.Traces{ours, bench.peer}[which].ConsumeTraces(b.Context(), td)
					took[which] += time.Since(begin)
					require.NoError(b, err)
				}
				n++
			}
			per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(n*perBatch) }
			b.ReportMetric(per(took[0]), "ns/span")
			b.ReportMetric(per(took[1]), "peer-ns/span")
			b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "times-faster")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// What is measured is the same answer.
func TestThePeerOfTheBenchmarkGivesTheSame(t *testing.T) {
	sink := &consumertest.TracesSink{}
	peer := transform(t, sink)
	require.NoError(t, peer.Start(t.Context(), componenttest.NewNopHost()))
	for i, text := range tenTexts {
		got := run(t, batch(t, span{id: 1, message: text}))[1]
		require.NoError(t, peer.ConsumeTraces(t.Context(), batch(t, span{id: 1, message: text})))
		peers := sink.AllTraces()[i].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().AsRaw()
		for _, key := range []string{semconv.ErrorCodeKey, semconv.ErrorRetryableKey, semconv.ErrorTextKey, semconv.ErrorSummaryKey} {
			assert.Equal(t, got[key], peers[key], "%s %s", key, text)
		}
		assert.Equal(t, tenCodes[i].code, got[semconv.ErrorCodeKey])
	}
}

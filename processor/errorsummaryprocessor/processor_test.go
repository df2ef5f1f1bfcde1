// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/stageflow/otelcol-stageflow/processor/errorsummaryprocessor/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/processor/errorsummaryprocessor/internal/metadatatest"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// span describes a span of a test's batch.
type span struct {
	id, parent byte
	end        int // seconds
	ok         bool
	kind       ptrace.SpanKind
	message    string // of the status
	attrs      map[string]any
	events     []map[string]any // exceptions
}

func batch(t testing.TB, spans ...span) ptrace.Traces {
	td := ptrace.NewTraces()
	for i, s := range spans {
		var to ptrace.Span
		if i%2 == 0 { // in several resources, as merged batches are
			to = td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		} else {
			rs := td.ResourceSpans()
			to = rs.At(rs.Len() - 1).ScopeSpans().At(0).Spans().AppendEmpty()
		}
		to.SetTraceID([16]byte{1})
		to.SetSpanID([8]byte{s.id})
		to.SetParentSpanID([8]byte{s.parent})
		to.SetKind(s.kind)
		to.SetEndTimestamp(pcommon.Timestamp(s.end) * 1e9)
		if !s.ok {
			to.Status().SetCode(ptrace.StatusCodeError)
			to.Status().SetMessage(s.message)
		}
		require.NoError(t, to.Attributes().FromRaw(s.attrs))
		for _, e := range s.events {
			event := to.Events().AppendEmpty()
			event.SetName(semconv.ExceptionEventName)
			require.NoError(t, event.Attributes().FromRaw(e))
		}
	}
	return td
}

// run puts td through a processor and returns the attributes of its spans by span id.
func run(t *testing.T, td ptrace.Traces) map[byte]map[string]any {
	return runWith(t, createDefaultConfig().(*Config), td)
}

func runWith(t *testing.T, cfg *Config, td ptrace.Traces) map[byte]map[string]any {
	sink := &consumertest.TracesSink{}
	p, err := NewFactory().CreateTraces(t.Context(), processortest.NewNopSettings(metadata.Type), cfg, sink)
	require.NoError(t, err)
	assert.Equal(t, slices.Contains(cfg.Signals, SignalTraces), p.Capabilities().MutatesData)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, p.Shutdown(t.Context())) }()
	require.NoError(t, p.ConsumeTraces(t.Context(), td))
	require.Len(t, sink.AllTraces(), 1)
	out := map[byte]map[string]any{}
	for _, rs := range sink.AllTraces()[0].ResourceSpans().All() {
		for _, s := range rs.ScopeSpans().At(0).Spans().All() {
			out[s.SpanID()[0]] = s.Attributes().AsRaw()
		}
	}
	return out
}

func exception(typ, message string) map[string]any {
	return map[string]any{semconv.ExceptionTypeKey: typ, semconv.ExceptionMessageKey: message}
}

func TestEverySpanWithAnErrorGetsASummary(t *testing.T) {
	for name, tt := range map[string]struct {
		span                     span
		code, typ, message, rule string
		retryable                bool
	}{
		"status message": {span{message: "Stage timed out after 50ms"}, "TIMEOUT", "", "Stage timed out after 50ms", "timed_out_text", true},
		"nothing at all": {span{}, "UNKNOWN", "", "", "none", false},
		"last exception event wins": {
			span{message: "status", attrs: exception("A", "attribute"), events: []map[string]any{exception("B", "first"), exception("TimeoutError", "last")}},
			"TIMEOUT", "TimeoutError", "last", "timeout_type", true,
		},
		"exception without error status": {span{ok: true, events: []map[string]any{exception("TimeoutError", "x")}}, "TIMEOUT", "TimeoutError", "x", "timeout_type", true},
		"empty exception, attributes":    {span{attrs: exception("A", "attribute"), events: []map[string]any{{}}}, "UNKNOWN", "A", "attribute", "none", false},
		"attributes before status":       {span{message: "status", attrs: exception("A", "attribute")}, "UNKNOWN", "A", "attribute", "none", false},
		"error.message last":             {span{attrs: map[string]any{semconv.ErrorMessageKey: "circuit breaker open", semconv.ErrorTypeKey: "B"}}, "CIRCUIT_OPEN", "B", "circuit breaker open", "circuit_breaker_text", true},
		"error.type _OTHER":              {span{attrs: map[string]any{semconv.ErrorTypeKey: "_OTHER"}}, "UNKNOWN", "", "", "none", false},
		"error.type is an HTTP status":   {span{attrs: map[string]any{semconv.ErrorTypeKey: "503"}}, "UNAVAILABLE", "503", "", "http_status", true},
		"http.response.status_code":      {span{attrs: map[string]any{semconv.HTTPStatusCodeKey: 429}}, "RATE_LIMITED", "", "", "http_status", true},
		"http.status_code as text":       {span{attrs: map[string]any{semconv.HTTPStatusCodeOldKey: "404"}}, "NOT_FOUND", "", "", "http_status", false},
		"http.status_code as a double":   {span{attrs: map[string]any{semconv.HTTPStatusCodeOldKey: 404.0}}, "NOT_FOUND", "", "", "http_status", false},
		"a status that is none":          {span{attrs: map[string]any{semconv.HTTPStatusCodeKey: []any{1}}}, "UNKNOWN", "", "", "none", false},
		"rpc.grpc.status_code":           {span{attrs: map[string]any{semconv.RPCGRPCStatusCodeKey: 14}}, "UNAVAILABLE", "", "", "grpc_status", true},
		"rpc.response.status_code":       {span{attrs: map[string]any{semconv.RPCResponseStatusKey: "RESOURCE_EXHAUSTED"}}, "RATE_LIMITED", "", "", "grpc_status", true},
		"rpc.status_code":                {span{attrs: map[string]any{semconv.RPCStatusCodeKey: "14"}}, "UNAVAILABLE", "", "", "grpc_status", true},
		"a code that is there":           {span{message: "circuit breaker", attrs: map[string]any{semconv.ErrorCodeKey: "MINE"}}, "MINE", "", "circuit breaker", "existing_code", false},
		"a flag that is there":           {span{attrs: map[string]any{semconv.ErrorCodeKey: "MINE", semconv.ErrorRetryableKey: true}}, "MINE", "", "", "existing_code", true},
		"a flag as text":                 {span{attrs: map[string]any{semconv.ErrorCodeKey: "TIMEOUT", semconv.ErrorRetryableKey: "false"}}, "TIMEOUT", "", "", "existing_code", false},
	} {
		t.Run(name, func(t *testing.T) {
			tt.span.id = 1
			got := run(t, batch(t, tt.span))[1]
			assert.Equal(t, tt.code, got[semconv.ErrorCodeKey])
			assert.Equal(t, tt.typ, got[semconv.ErrorSummaryTypeKey])
			assert.Equal(t, tt.message, got[semconv.ErrorTextKey])
			assert.Equal(t, tt.rule, got[semconv.ErrorRuleKey])
			assert.Equal(t, tt.retryable, got[semconv.ErrorRetryableKey])
			assert.Len(t, got[semconv.ErrorFingerprintKey], 16)
			if tt.message == "" {
				assert.Equal(t, tt.code+":", got[semconv.ErrorSummaryKey])
			} else {
				assert.Equal(t, tt.code+": "+tt.message, got[semconv.ErrorSummaryKey])
			}
		})
	}
}

func TestSpansWithoutAnErrorStayAsTheyAre(t *testing.T) {
	attrs := map[string]any{semconv.HTTPStatusCodeKey: int64(404), semconv.ErrorMessageKey: "x"}
	assert.Equal(t, attrs, run(t, batch(t, span{id: 1, ok: true, attrs: attrs}))[1])
}

func runSpan(attrs map[string]any) map[string]any {
	out := map[string]any{semconv.RunIDKey: "r1", semconv.RunStatusKey: "failed"}
	for k, v := range attrs {
		out[k] = v
	}
	return out
}

func stageSpan(name, status string) map[string]any {
	return map[string]any{semconv.RunIDKey: "r1", semconv.StageNameKey: name, semconv.StageStatusKey: status}
}

func callSpan() map[string]any {
	return map[string]any{semconv.RunIDKey: "r1", semconv.StageNameKey: "llm", semconv.CallIDKey: "c1", semconv.CallStatusKey: "failed"}
}

func TestRootCauses(t *testing.T) {
	t.Run("call to stage to run", func(t *testing.T) {
		got := run(t, batch(t,
			span{id: 1, end: 9, attrs: runSpan(nil)},
			span{id: 2, parent: 1, end: 8, message: "boom", attrs: stageSpan("llm", "failed")},
			span{id: 3, parent: 2, end: 3, message: "503 down", attrs: callSpan()},
			span{id: 4, parent: 2, end: 5, message: "429 slow down", attrs: callSpan()},
			span{id: 5, parent: 9, end: 7, message: "400 other stage's", attrs: callSpan()},
		))
		assert.Equal(t, "RATE_LIMITED", got[2][semconv.ErrorCodeKey], "of the last call under it")
		assert.Equal(t, "failed_call", got[2][semconv.ErrorRuleKey])
		assert.Equal(t, "RATE_LIMITED", got[1][semconv.ErrorCodeKey])
		assert.Equal(t, "429 slow down", got[1][semconv.ErrorTextKey])
		assert.Equal(t, true, got[1][semconv.ErrorRetryableKey])
		assert.Equal(t, "failed_stage", got[1][semconv.ErrorRuleKey])
		assert.Equal(t, "llm", got[1][semconv.ErrorStageKey])
		assert.Equal(t, "llm", got[2][semconv.ErrorStageKey])
		assert.NotContains(t, got[4], semconv.ErrorStageKey)
	})
	t.Run("a call under the application's own span", func(t *testing.T) {
		got := run(t, batch(t,
			span{id: 2, parent: 1, end: 8, message: "boom", attrs: stageSpan("llm", "failed")},
			span{id: 3, parent: 2, end: 7, message: "boom"},
			span{id: 4, parent: 3, end: 5, message: "503 down", attrs: callSpan()},
		))
		assert.Equal(t, "UNAVAILABLE", got[2][semconv.ErrorCodeKey])
		assert.Equal(t, "UNKNOWN", got[3][semconv.ErrorCodeKey])
	})
	t.Run("a child run under a stage", func(t *testing.T) {
		childRun := map[string]any{semconv.RunIDKey: "r2", semconv.RunStatusKey: "failed"}
		childStage := map[string]any{semconv.RunIDKey: "r2", semconv.StageNameKey: "search", semconv.StageStatusKey: "failed"}
		got := run(t, batch(t,
			span{id: 1, end: 9, attrs: runSpan(nil)},
			span{id: 2, parent: 1, end: 8, message: "boom", attrs: stageSpan("spawn", "failed")},
			span{id: 3, parent: 2, end: 7, attrs: childRun},
			span{id: 4, parent: 3, end: 6, message: "429 slow down", attrs: childStage},
		))
		for id, stage := range map[byte]string{1: "spawn", 2: "search", 3: "search", 4: "search"} {
			assert.Equal(t, "RATE_LIMITED", got[id][semconv.ErrorCodeKey], id)
			assert.Equal(t, stage, got[id][semconv.ErrorStageKey], id)
		}
	})
	t.Run("spans that are each other's parents", func(t *testing.T) {
		got := run(t, batch(t,
			span{id: 1, parent: 2, end: 9, attrs: runSpan(nil)},
			span{id: 2, parent: 1, end: 8, attrs: stageSpan("a", "failed")},
			span{id: 3, parent: 4, end: 8, attrs: callSpan()},
			span{id: 4, parent: 3, end: 8, attrs: callSpan()},
			span{id: 5, parent: 5, end: 8, attrs: stageSpan("b", "failed")},
		))
		assert.Equal(t, "a", got[1][semconv.ErrorStageKey])
	})
	t.Run("a call that another instrumentation saw", func(t *testing.T) {
		foreign := map[string]any{semconv.GenAIProviderNameKey: "openai"}
		got := run(t, batch(t,
			span{id: 2, parent: 1, end: 8, message: "boom", attrs: stageSpan("llm", "failed")},
			span{id: 3, parent: 2, end: 3, message: "503 down", kind: ptrace.SpanKindClient, attrs: foreign},
			span{id: 4, parent: 2, end: 4, message: "429 no call", attrs: foreign},
		))
		assert.Equal(t, "UNAVAILABLE", got[2][semconv.ErrorCodeKey])
	})
	t.Run("the first stage that failed for good", func(t *testing.T) {
		got := run(t, batch(t,
			span{id: 2, parent: 1, end: 2, message: "429 first attempt", attrs: stageSpan("a", "retried")},
			span{id: 4, parent: 1, end: 6, message: "500 later", attrs: stageSpan("c", "failed")},
			span{id: 3, parent: 1, end: 5, message: "404 gone", attrs: stageSpan("b", "failed")},
			span{id: 1, end: 9, attrs: runSpan(nil)},
		))
		assert.Equal(t, "b", got[1][semconv.ErrorStageKey])
		assert.Equal(t, "NOT_FOUND", got[1][semconv.ErrorCodeKey])
	})
	t.Run("the stage that the run names", func(t *testing.T) {
		got := run(t, batch(t,
			span{id: 1, end: 9, attrs: runSpan(map[string]any{semconv.RunFailedStageKey: "c"})},
			span{id: 2, parent: 1, end: 2, message: "429", attrs: stageSpan("a", "failed")},
			span{id: 3, parent: 1, end: 3, message: "404", attrs: stageSpan("c", "failed")},
		))
		assert.Equal(t, "c", got[1][semconv.ErrorStageKey])
		assert.Equal(t, "NOT_FOUND", got[1][semconv.ErrorCodeKey])
	})
	t.Run("a named stage that is not in the batch", func(t *testing.T) {
		got := run(t, batch(t,
			span{id: 1, end: 9, message: "boom", attrs: runSpan(map[string]any{semconv.RunFailedStageKey: "gone"})},
			span{id: 2, parent: 1, end: 2, message: "429", attrs: stageSpan("a", "failed")},
		))
		assert.Equal(t, "gone", got[1][semconv.ErrorStageKey])
		assert.Equal(t, "UNKNOWN", got[1][semconv.ErrorCodeKey])
		assert.Equal(t, "boom", got[1][semconv.ErrorTextKey])
	})
	t.Run("what the run says itself stays", func(t *testing.T) {
		got := run(t, batch(t,
			span{id: 1, end: 9, message: "Stage timed out after 50ms", attrs: runSpan(nil)},
			span{id: 2, parent: 1, end: 2, message: "429", attrs: stageSpan("a", "failed")},
		))
		assert.Equal(t, "TIMEOUT", got[1][semconv.ErrorCodeKey])
		assert.Equal(t, "a", got[1][semconv.ErrorStageKey])
	})
	t.Run("a code that came with the run stays", func(t *testing.T) {
		got := run(t, batch(t,
			span{id: 1, end: 9, attrs: runSpan(map[string]any{semconv.ErrorCodeKey: "MINE"})},
			span{id: 2, parent: 1, end: 2, message: "429", attrs: stageSpan("a", "failed")},
		))
		assert.Equal(t, "MINE", got[1][semconv.ErrorCodeKey])
		assert.Equal(t, "a", got[1][semconv.ErrorStageKey])
	})
	t.Run("other runs and stages that did not fail blame nobody", func(t *testing.T) {
		other := stageSpan("a", "failed")
		other[semconv.RunIDKey] = "r2"
		caught := stageSpan("b", "completed")
		got := run(t, batch(t,
			span{id: 1, end: 9, attrs: runSpan(nil)},
			span{id: 2, end: 2, message: "429", attrs: other},
			span{id: 3, parent: 1, end: 2, ok: true, attrs: caught, events: []map[string]any{exception("TimeoutError", "")}},
		))
		assert.NotContains(t, got[1], semconv.ErrorStageKey)
		assert.Equal(t, "UNKNOWN", got[1][semconv.ErrorCodeKey])
	})
}

func TestASecondHopChangesNothing(t *testing.T) {
	td := batch(t,
		span{id: 1, end: 9, message: "boom", attrs: runSpan(nil)},
		span{id: 2, parent: 1, end: 8, attrs: stageSpan("llm", "failed")},
		span{id: 3, parent: 2, end: 3, message: "503 down", attrs: callSpan()},
	)
	once := run(t, td)
	again := ptrace.NewTraces()
	td.CopyTo(again)
	assert.Equal(t, once, run(t, again))

	alone := ptrace.NewTraces() // the run span comes to the gateway without its stages
	td.ResourceSpans().At(0).CopyTo(alone.ResourceSpans().AppendEmpty())
	assert.Equal(t, once[1], run(t, alone)[1])
}

func records(t testing.TB, attrs ...map[string]any) plog.Logs {
	ld := plog.NewLogs()
	to := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, a := range attrs {
		require.NoError(t, to.AppendEmpty().Attributes().FromRaw(a))
	}
	return ld
}

func TestLogRecords(t *testing.T) {
	for name, tt := range map[string]struct {
		attrs map[string]any
		code  any
	}{
		"nothing":              {map[string]any{"a": "b", semconv.HTTPStatusCodeKey: 500}, nil},
		"exception type":       {map[string]any{semconv.ExceptionTypeKey: "TimeoutError"}, "TIMEOUT"},
		"exception message":    {map[string]any{semconv.ExceptionMessageKey: "circuit breaker"}, "CIRCUIT_OPEN"},
		"error.message":        {map[string]any{semconv.ErrorMessageKey: "boom", semconv.HTTPStatusCodeKey: 500}, "SERVER_ERROR"},
		"existing code":        {map[string]any{semconv.ErrorCodeKey: "MINE"}, "MINE"},
		"an empty code":        {map[string]any{semconv.ErrorCodeKey: ""}, ""},
		"failed run":           {map[string]any{semconv.RunStatusKey: "failed"}, "UNKNOWN"},
		"failed stage":         {map[string]any{semconv.StageStatusKey: "fail"}, "UNKNOWN"},
		"failed call":          {map[string]any{semconv.CallStatusKey: "failed", semconv.HTTPStatusCodeKey: 429}, "RATE_LIMITED"},
		"completed":            {map[string]any{semconv.CallStatusKey: "completed"}, nil},
		"cancelled is no fail": {map[string]any{semconv.RunStatusKey: "cancelled"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			sink := &consumertest.LogsSink{}
			p, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), createDefaultConfig(), sink)
			require.NoError(t, err)
			require.NoError(t, p.ConsumeLogs(t.Context(), records(t, tt.attrs)))
			got := sink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().AsRaw()
			assert.Equal(t, tt.code, got[semconv.ErrorCodeKey])
			assert.NotContains(t, got, semconv.ErrorStageKey)
		})
	}
}

func TestBodiesOfLogRecords(t *testing.T) {
	trace := "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\nConnectionRefusedError: [Errno 111] Connection refused"
	for name, tt := range map[string]struct {
		severity plog.SeverityNumber
		body     any
		attrs    map[string]any
		code     any
		message  any
	}{
		"an error's text":            {plog.SeverityNumberError, "circuit breaker open", nil, "CIRCUIT_OPEN", "circuit breaker open"},
		"a traceback":                {plog.SeverityNumberFatal, trace, nil, "NETWORK_ERROR", "ConnectionRefusedError: [Errno 111] Connection refused"},
		"a warning":                  {plog.SeverityNumberWarn, "circuit breaker open", nil, nil, nil},
		"no severity":                {plog.SeverityNumberUnspecified, "circuit breaker open", nil, nil, nil},
		"an error without a text":    {plog.SeverityNumberError, nil, nil, nil, nil},
		"an error that is no text":   {plog.SeverityNumberError, map[string]any{"a": "b"}, nil, nil, nil},
		"a type, the text elsewhere": {plog.SeverityNumberInfo, "circuit breaker open", map[string]any{semconv.ExceptionTypeKey: "A"}, "CIRCUIT_OPEN", "circuit breaker open"},
		"attributes say more":        {plog.SeverityNumberError, "oh", exception("A", "circuit breaker open"), "CIRCUIT_OPEN", "circuit breaker open"},
	} {
		t.Run(name, func(t *testing.T) {
			ld := records(t, tt.attrs)
			record := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
			record.SetSeverityNumber(tt.severity)
			require.NoError(t, record.Body().FromRaw(tt.body))
			p, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), createDefaultConfig(), consumertest.NewNop())
			require.NoError(t, err)
			require.NoError(t, p.ConsumeLogs(t.Context(), ld))
			got := record.Attributes().AsRaw()
			assert.Equal(t, tt.code, got[semconv.ErrorCodeKey])
			assert.Equal(t, tt.message, got[semconv.ErrorTextKey])
		})
	}
}

func TestTelemetry(t *testing.T) {
	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(t.Context())) }()
	set := metadatatest.NewSettings(tel)
	p, err := NewFactory().CreateLogs(t.Context(), set, createDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, p.ConsumeLogs(t.Context(), records(t,
		map[string]any{semconv.ErrorCodeKey: "MINE_1"},
		map[string]any{semconv.ErrorCodeKey: "MINE_2"},
		map[string]any{semconv.ExceptionTypeKey: "TimeoutError"},
		map[string]any{semconv.CallStatusKey: "completed"},
	)))
	point := func(code string, retryable bool, n int64) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{
			Attributes: attribute.NewSet(attribute.String("code", code), attribute.Bool("retryable", retryable)), Value: n,
		}
	}
	metadatatest.AssertEqualProcessorErrorsummaryErrors(t, tel, []metricdata.DataPoint[int64]{
		point("_OTHER", false, 2), point("TIMEOUT", true, 1),
	}, metricdatatest.IgnoreTimestamp())
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// The test's clock: second n, as a timestamp and as the microseconds of a row.
func ts(n int) pcommon.Timestamp { return pcommon.Timestamp(n * 1_000_000_000) }

type attrs = map[string]any

// logOf is one log record of a service "svc" in trace 01.
func logOf(t *testing.T, name semconv.EventName, at int, a attrs) plog.Logs {
	t.Helper()
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr(semconv.ServiceNameKey, "svc")
	r := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	r.SetEventName(string(name))
	r.SetTimestamp(ts(at))
	r.SetTraceID(pcommon.TraceID{15: 1})
	require.NoError(t, r.Attributes().FromRaw(a))
	return logs
}

// spanOf is one span of a service "svc", from second 2 to second 5.
func spanOf(t *testing.T, a attrs, more ...func(ptrace.Span)) ptrace.Traces {
	t.Helper()
	traces := ptrace.NewTraces()
	rs := traces.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr(semconv.ServiceNameKey, "svc")
	s := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	s.SetTraceID(pcommon.TraceID{15: 1})
	s.SetSpanID(pcommon.SpanID{7: 2})
	s.SetStartTimestamp(ts(2))
	s.SetEndTimestamp(ts(5))
	require.NoError(t, s.Attributes().FromRaw(a))
	for _, f := range more {
		f(s)
	}
	return traces
}

func failed(message string) func(ptrace.Span) {
	return func(s ptrace.Span) {
		s.Status().SetCode(ptrace.StatusCodeError)
		s.Status().SetMessage(message)
	}
}

// show writes out a batch: a line per row, with what is known. Times are in microseconds.
func show(b *runlog.Batch) string {
	var out []string
	line := func(r *runlog.Row) {
		l := []string{r.Table().Name}
		for i, c := range r.Table().Columns {
			switch v := r.Value(i); v.Kind() {
			case runlog.Int:
				l = append(l, fmt.Sprintf("%s=%d", c.Name, v.Int()))
			case runlog.Float:
				l = append(l, fmt.Sprintf("%s=%v", c.Name, v.Float()))
			case runlog.String:
				l = append(l, fmt.Sprintf("%s=%s", c.Name, v.Text()))
			}
		}
		out = append(out, strings.Join(l, " "))
	}
	for _, run := range b.Runs {
		if run.Row != nil {
			line(run.Row)
		}
		for _, g := range run.Groups {
			for _, r := range g.Rows {
				line(r)
			}
		}
	}
	return strings.Join(out, "\n")
}

// Every record tells of its run; runLine is what most of them say.
const runLine = "runs run_id=r1 trace_id=00000000000000000000000000000001 service=svc status=running end_kind=none updated_at=3000000"

// runBegan is runLine where the record tells that something in the run began at a time, so the run had begun, too.
func runBegan(at string) string {
	return strings.Replace(runLine, "end_kind=none", "end_kind=none started_at="+at, 1)
}

func TestLogs(t *testing.T) {
	for name, tt := range map[string]struct {
		event semconv.EventName
		attrs attrs
		want  []string
	}{
		"no event of ours":   {"http.request", attrs{semconv.RunIDKey: "r1"}, nil},
		"an event of no run": {semconv.EventOther, attrs{}, nil},
		"any other event":    {semconv.EventOther, attrs{semconv.RunIDKey: "r1", semconv.DataPrefix + "x": 1}, []string{runLine}},
		"a run starts": {semconv.EventRunStarted, attrs{
			semconv.RunIDKey: "r1", semconv.GenAIWorkflowNameKey: "pipe", semconv.RunTopologyKey: "dag", semconv.RunExecutionModeKey: "practice",
			semconv.UserIDKey: "u", semconv.SessionIDKey: "s", semconv.OrgIDKey: "o", semconv.RequestIDKey: 17, semconv.CorrelationIDKey: "c",
			semconv.RunParentIDKey: "r0", semconv.RunParentStageKey: "tools", semconv.DataPrefix + "b": []any{1.5, nil}, semconv.DataPrefix + "a": attrs{"y": true, "x": "1"},
		}, []string{"runs run_id=r1 trace_id=00000000000000000000000000000001 parent_run_id=r0 parent_stage=tools pipeline_name=pipe topology=dag " +
			"execution_mode=practice service=svc status=running end_kind=none started_at=3000000 user_id=u session_id=s org_id=o request_id=17 " +
			`correlation_id=c attributes={"a":{"x":"1","y":true},"b":[1.5,null]} updated_at=3000000`}},
		"a run ends": {semconv.EventRunEnded, attrs{
			semconv.RunIDKey: "r1", semconv.RunStatusKey: "failed", semconv.RunEndKey: "explicit", semconv.RunDurationKey: 1500,
			semconv.RunFailedStageKey: "llm", semconv.ErrorCodeKey: "TIMEOUT", semconv.ErrorSummaryTypeKey: "TimeoutError", semconv.ErrorTextKey: "too\x00 slow",
			semconv.ErrorRetryableKey: true, semconv.ErrorFingerprintKey: "f00", semconv.RunStageResultsKey: attrs{"llm": attrs{"status": "fail"}},
			semconv.StartTimeKey: "1970-01-01T00:00:01.5Z",
		}, []string{"runs run_id=r1 trace_id=00000000000000000000000000000001 service=svc status=failed end_kind=explicit started_at=1500000 " +
			"ended_at=3000000 duration_ms=1500 failed_stage=llm error_code=TIMEOUT error_type=TimeoutError error_message=too\uFFFD slow error_retryable=1 " +
			`error_fingerprint=f00 stage_results={"llm":{"status":"fail"}} updated_at=3000000`}},
		"an end that is none": {semconv.EventRunEnded, attrs{
			semconv.RunIDKey: "r1", semconv.RunStatusKey: "failed", semconv.RunEndKey: "none", semconv.ErrorCodeKey: "TIMEOUT",
		}, []string{runLine}},
		"a child's end": {semconv.EventChildEnded, attrs{
			semconv.RunIDKey: "r1", semconv.RunParentIDKey: "r0", semconv.RunStatusKey: "completed", semconv.RunEndKey: "parent", semconv.RunDurationKey: 2.5,
		}, []string{"runs run_id=r1 trace_id=00000000000000000000000000000001 parent_run_id=r0 service=svc status=completed end_kind=parent " +
			"ended_at=3000000 duration_ms=2.5 updated_at=3000000"}},
		"a stage starts": {semconv.EventStageStarted, attrs{
			semconv.RunIDKey: "r1", semconv.StageNameKey: "llm", semconv.StageKindKey: "transform", semconv.StageStatusKey: "running", semconv.DataPrefix + "x": 1,
		}, []string{runBegan("3000000"), `stages run_id=r1 name=llm attempt=1 kind=transform status=running started_at=3000000 attributes={"x":1}`}},
		"a stage ends": {semconv.EventStageEnded, attrs{
			semconv.RunIDKey: "r1", semconv.StageNameKey: "llm", semconv.StageStatusKey: "canceled", semconv.StageAttemptKey: 2, semconv.StageReasonKey: "no need",
			semconv.StageDurationKey: 12.5, semconv.ErrorCodeKey: "CANCELLED",
		}, []string{runLine, "stages run_id=r1 name=llm attempt=2 status=cancelled reason=no need ended_at=3000000 duration_ms=12.5 error_code=CANCELLED"}},
		"a wide stage": {semconv.EventWideStage, attrs{
			semconv.RunIDKey: "r1", semconv.StageNameKey: "llm", semconv.StageStatusKey: "completed", semconv.StartTimeKey: "1970-01-01T02:00:01+02:00",
		}, []string{runBegan("1000000"), "stages run_id=r1 name=llm attempt=1 status=completed started_at=1000000 ended_at=3000000"}},
		"a stage without a name": {semconv.EventStageStarted, attrs{semconv.RunIDKey: "r1"}, []string{runBegan("3000000")}},
		"a stage with the empty name": {semconv.EventStageStarted, attrs{semconv.RunIDKey: "r1", semconv.StageNameKey: ""},
			[]string{runBegan("3000000"), "stages run_id=r1 name= attempt=1 status=running started_at=3000000"}},
		"a call starts": {semconv.EventCallStarted, attrs{
			semconv.RunIDKey: "r1", semconv.CallIDKey: "c1", semconv.GenAIOperationNameKey: "chat", semconv.GenAIProviderNameKey: "openai",
			semconv.GenAIRequestModelKey: "gpt", semconv.StageNameKey: "llm",
		}, []string{runBegan("3000000"), "provider_calls run_id=r1 call_id=c1 stage=llm operation=chat provider=openai model_id=gpt started_at=3000000 status=running"}},
		"a call ends": {semconv.EventCallEnded, attrs{
			semconv.RunIDKey: "r1", semconv.CallIDKey: "c1", semconv.CallStatusKey: "completed", semconv.CallLatencyKey: 7, semconv.CallCostKey: "0.25",
			semconv.GenAIInputTokensKey: 1, semconv.GenAIOutputTokensKey: 2.0, semconv.BreakerStateKey: "half_open", semconv.DataPrefix + "x": "y",
		}, []string{runLine, "provider_calls run_id=r1 call_id=c1 success=1 latency_ms=7 input_tokens=1 output_tokens=2 cost_usd=0.25 breaker_state=half_open " +
			`ended_at=3000000 attributes={"x":"y"} status=completed`}},
		"a call fails": {semconv.EventCallEnded, attrs{
			semconv.RunIDKey: "r1", semconv.CallIDKey: "c1", semconv.CallStatusKey: "failed", semconv.ErrorCodeKey: "RATE_LIMITED", semconv.ErrorRetryableKey: true,
		}, []string{runLine, "provider_calls run_id=r1 call_id=c1 success=0 error_code=RATE_LIMITED error_retryable=1 ended_at=3000000 status=failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, strings.Join(tt.want, "\n"), show(logFacts(logOf(t, tt.event, 3, tt.attrs))))
		})
	}
}

func TestLogsWithoutATimeWereSeenWhenTheyCame(t *testing.T) {
	logs := logOf(t, semconv.EventOther, 0, attrs{semconv.RunIDKey: "r1"})
	logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).SetObservedTimestamp(ts(3))
	assert.Equal(t, runLine, show(logFacts(logs)))
}

func TestSpans(t *testing.T) {
	client := func(s ptrace.Span) { s.SetKind(ptrace.SpanKindClient) }
	const implied = "runs run_id=r1 status=running end_kind=none updated_at=5000000"
	for name, tt := range map[string]struct {
		traces ptrace.Traces
		want   []string
	}{
		"a user's own span": {spanOf(t, attrs{semconv.RunIDKey: "r1"}, client), nil},
		"a run": {spanOf(t, attrs{
			semconv.RunIDKey: "r1", semconv.RunStatusKey: "completed", semconv.RunEndKey: "explicit", semconv.GenAIWorkflowNameKey: "pipe",
			semconv.RunBreakersKey: []any{attrs{"state": "open", "key": "chat/openai"}}, semconv.DataPrefix + "x": 1,
		}), []string{"runs run_id=r1 trace_id=00000000000000000000000000000001 pipeline_name=pipe service=svc status=completed end_kind=explicit " +
			`started_at=2000000 ended_at=5000000 duration_ms=3000 breakers=[{"key":"chat/openai","state":"open"}] attributes={"x":1} updated_at=5000000`}},
		"a run that goes on": {spanOf(t, attrs{semconv.RunIDKey: "r1", semconv.RunStatusKey: "running", semconv.RunEndKey: "none"}),
			[]string{"runs run_id=r1 trace_id=00000000000000000000000000000001 service=svc status=running end_kind=none started_at=2000000 updated_at=5000000"}},
		"a run that failed": {spanOf(t, attrs{
			semconv.RunIDKey: "r1", semconv.RunStatusKey: "failed", semconv.RunEndKey: "abandoned", semconv.RunDurationKey: 2900.5,
			semconv.ErrorCodeKey: "TIMEOUT", semconv.ErrorStageKey: "llm", semconv.ErrorTypeKey: "T",
		}, failed("too slow")), []string{"runs run_id=r1 trace_id=00000000000000000000000000000001 service=svc status=failed end_kind=abandoned " +
			"started_at=2000000 ended_at=5000000 duration_ms=2900.5 failed_stage=llm error_code=TIMEOUT error_type=T error_message=too slow updated_at=5000000"}},
		"a run whose end nobody classed": {spanOf(t, attrs{semconv.RunIDKey: "r1", semconv.RunStatusKey: "completed"}),
			[]string{"runs run_id=r1 trace_id=00000000000000000000000000000001 service=svc status=completed end_kind=inferred " +
				"started_at=2000000 ended_at=5000000 duration_ms=3000 updated_at=5000000"}},
		"a run without an id": {spanOf(t, attrs{semconv.RunStatusKey: "completed"}), nil},
		"a stage": {spanOf(t, attrs{
			semconv.RunIDKey: "r1", semconv.StageNameKey: "llm", semconv.StageStatusKey: "skipped", semconv.StageAttemptKey: 3, semconv.StageKindKey: "guard",
			semconv.StageReasonKey: "cached", semconv.DataPrefix + "x": 1,
		}), []string{implied, "stages run_id=r1 name=llm attempt=3 span_id=0000000000000002 kind=guard status=skipped reason=cached started_at=2000000 " +
			`ended_at=5000000 duration_ms=3000 attributes={"x":1}`}},
		"a call": {spanOf(t, attrs{
			semconv.RunIDKey: "r1", semconv.CallIDKey: "c1", semconv.CallStatusKey: "failed", semconv.CallLatencyKey: 2999, semconv.GenAIOperationNameKey: "chat",
			semconv.GenAIProviderNameKey: "openai", semconv.ErrorSummaryTypeKey: "RateLimitError", semconv.ErrorTypeKey: "_OTHER",
		}, client, failed("429")), []string{implied, "provider_calls run_id=r1 call_id=c1 operation=chat provider=openai success=0 latency_ms=2999 " +
			"error_type=RateLimitError error_message=429 started_at=2000000 ended_at=5000000 status=failed"}},
		"a call that another instrumentation saw": {spanOf(t, attrs{
			semconv.GenAIOperationNameKey: "chat", semconv.GenAIProviderNameKey: "openai", semconv.GenAIRequestModelKey: "gpt",
		}, client), []string{"provider_calls run_id= call_id=00000000000000000000000000000001-0000000000000002 operation=chat provider=openai model_id=gpt " +
			"success=1 latency_ms=3000 started_at=2000000 ended_at=5000000 status=completed"}},
		"another instrumentation's call within a run": {spanOf(t, attrs{
			semconv.RunIDKey: "r1", semconv.GenAIOperationNameKey: "chat", semconv.GenAIProviderNameKey: "openai",
		}, client, failed("no")), []string{implied, "provider_calls run_id=r1 call_id=00000000000000000000000000000001-0000000000000002 operation=chat provider=openai " +
			"success=0 latency_ms=3000 error_message=no started_at=2000000 ended_at=5000000 status=failed"}},
		"a server's side of a call": {spanOf(t, attrs{semconv.GenAIOperationNameKey: "chat", semconv.GenAIProviderNameKey: "openai"}), nil},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, strings.Join(tt.want, "\n"), show(spanFacts(tt.traces)))
		})
	}
}

func TestCanonicalJSON(t *testing.T) {
	deep := pcommon.NewValueInt(1)
	for range maxDepth + 10 {
		outer := pcommon.NewValueSlice()
		deep.CopyTo(outer.Slice().AppendEmpty())
		deep = outer
	}
	assert.Equal(t, maxDepth+1, strings.Count(canonicalJSON(deep), "["))

	for want, raw := range map[string]any{
		`"a\"\\\u000a` + "\uFFFD" + `"`: "a\"\\\n\x00",
		`{"a":1,"b":[true,null,0.5]}`:   attrs{"b": []any{true, nil, 0.5}, "a": 1},
		`"AQI="`:                        []byte{1, 2},
		`1e+300`:                        1e300,
		`0`:                             0.0,
	} {
		v := pcommon.NewValueEmpty()
		require.NoError(t, v.FromRaw(raw))
		assert.Equal(t, want, canonicalJSON(v))
	}
	twice := pcommon.NewValueMap()
	twice.Map().PutStr("a\x00", "1")
	twice.Map().PutStr("a\uFFFD", "2")
	assert.JSONEq(t, "{\"a\uFFFD\":\"2\"}", canonicalJSON(twice), "a key stands once")
}

// Attributes of any type under any of our keys: nothing panics, and what comes out can be stored and read back.
func TestAnyAttributes(t *testing.T) {
	keys := []string{
		semconv.RunIDKey, semconv.RunStatusKey, semconv.RunEndKey, semconv.StageNameKey, semconv.StageStatusKey, semconv.StageAttemptKey,
		semconv.CallIDKey, semconv.CallStatusKey, semconv.StartTimeKey, semconv.DataPrefix, semconv.DataPrefix + "\xff",
	}
	for _, f := range []fields{runFields, stageFields, callFields} {
		for key := range f.columns {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	events := []semconv.EventName{
		semconv.EventRunStarted, semconv.EventRunEnded, semconv.EventWideStage, semconv.EventStageStarted, semconv.EventCallEnded, semconv.EventOther,
	}
	values := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.String(), func(s string) any { return s }), rapid.Map(rapid.Int64(), func(n int64) any { return n }),
		rapid.Map(rapid.Float64(), func(f float64) any { return f }), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) any { return b }),
		rapid.SampledFrom([]any{"", "failed", "explicit", "\xff\x00", "9999-12-31T23:59:59Z", math.NaN(), math.Inf(-1), true, attrs{"a\x00": attrs{}}, []any{nil}}),
	)
	rapid.Check(t, func(rt *rapid.T) {
		a := rapid.MapOf(rapid.SampledFrom(keys), values).Draw(rt, "attributes")
		b := logFacts(logOf(t, rapid.SampledFrom(events).Draw(rt, "event"), 3, a))
		if rapid.Bool().Draw(rt, "span") {
			b = spanFacts(spanOf(t, a))
		}
		for _, run := range b.Runs {
			rows := []*runlog.Row{run.Row}
			for _, g := range run.Groups {
				rows = append(rows, g.Rows...)
			}
			for _, r := range rows {
				if r == nil {
					continue
				}
				cells := make([]runlog.Value, len(r.Table().Columns))
				for i := range cells {
					cells[i] = r.Value(i)
					if text := cells[i].Text(); !utf8.ValidString(text) || strings.Contains(text, "\x00") {
						rt.Fatalf("%s holds %q", r.Table().Columns[i].Name, text)
					}
				}
				loaded, err := runlog.LoadRow(r.Table(), cells, r.MergeState())
				if err != nil || !loaded.Equal(r) {
					rt.Fatalf("not read back: %v\n%s", err, show(b))
				}
			}
		}
	})
}

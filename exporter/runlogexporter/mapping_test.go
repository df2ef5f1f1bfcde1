// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"fmt"
	"math"
	"regexp"
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
		"fields without an attribute stay in the data": {semconv.EventRunStarted, attrs{
			semconv.RunIDKey: "r1", semconv.EventDataKey: attrs{"pipeline_run_id": "r1", "status": "started", "priority": "high", "tags": []any{1, "x"}, "none": nil},
		}, []string{strings.Replace(runBegan("3000000"), " updated_at", ` attributes={"priority":"high","tags":[1,"x"]} updated_at`, 1)}},
		"of another thing's data nothing is the run's": {semconv.EventOther, attrs{
			semconv.RunIDKey: "r1", semconv.EventDataKey: attrs{"priority": "high"},
		}, []string{runLine}},
		"a stage fails before anybody sums it up": {semconv.EventStageEnded, attrs{
			semconv.RunIDKey: "r1", semconv.StageNameKey: "llm", semconv.StageStatusKey: "failed", semconv.ExceptionTypeKey: "E", semconv.ExceptionMessageKey: "why",
		}, []string{runLine, "stages run_id=r1 name=llm attempt=1 status=failed ended_at=3000000 error_type=E error_message=why"}},
		"a tool is asked for": {semconv.EventToolRequested, attrs{
			semconv.RunIDKey: "r1", semconv.GenAIToolCallIDKey: "a1", semconv.GenAIToolNameKey: "search", semconv.ToolStatusKey: "running",
		}, []string{runLine, "tool_calls run_id=r1 action_id=a1 tool_name=search status=running"}},
		"a tool starts": {semconv.EventToolStarted, attrs{
			semconv.RunIDKey: "r1", semconv.GenAIToolCallIDKey: "a1", semconv.ToolStatusKey: "running", semconv.EventDataKey: attrs{"action_id": "a1", "x": 1},
		}, []string{runBegan("3000000"), `tool_calls run_id=r1 action_id=a1 status=running started_at=3000000 attributes={"x":1}`}},
		"a tool ends": {semconv.EventToolEnded, attrs{
			semconv.RunIDKey: "r1", semconv.GenAIToolCallIDKey: "a1", semconv.ToolStatusKey: "failed", semconv.ToolDurationKey: 500,
			semconv.StartTimeKey: "1970-01-01T00:00:02.5Z", semconv.ExceptionTypeKey: "ValueError", semconv.ExceptionMessageKey: "no", semconv.StageNameKey: "llm",
		}, []string{runBegan("2500000"), "tool_calls run_id=r1 action_id=a1 stage=llm status=failed started_at=2500000 ended_at=3000000 duration_ms=500 " +
			"error_type=ValueError error_message=no"}},
		"a tool call waits for a person": {semconv.EventApprovalRequested, attrs{
			semconv.RunIDKey: "r1", semconv.GenAIToolCallIDKey: "a1", semconv.ToolStatusKey: "running", semconv.ApprovalIDKey: "q1",
		}, []string{runLine, `tool_calls run_id=r1 action_id=a1 status=running attributes={"approval_id":"q1"}`}},
		"a person denies": {semconv.EventApprovalDecided, attrs{
			semconv.RunIDKey: "r1", semconv.GenAIToolCallIDKey: "a1", semconv.ToolStatusKey: "skipped", semconv.ToolReasonKey: "approval_denied",
			semconv.ApprovalDecisionKey: "denied", semconv.ApprovalDecidedByKey: "ann",
		}, []string{runLine, "tool_calls run_id=r1 action_id=a1 status=skipped ended_at=3000000 " +
			`attributes={"approval_decided_by":"ann","approval_decision":"denied","reason":"approval_denied"}`}},
		"a tool is undone, which is not its end": {semconv.EventToolUndone, attrs{
			semconv.RunIDKey: "r1", semconv.GenAIToolCallIDKey: "a1", semconv.ToolStatusKey: "completed", semconv.ToolDurationKey: 3,
		}, []string{runLine, "tool_calls run_id=r1 action_id=a1 status=running"}},
		"a tool call without an id": {semconv.EventToolStarted, attrs{semconv.RunIDKey: "r1"}, []string{runBegan("3000000")}},
		"an application's breaker opens": {semconv.EventBreakerTransition, attrs{
			semconv.EventSinkIDKey: "sink-1", semconv.EventDataKey: attrs{
				"operation": "chat", "provider": "openai", "from_state": "closed", "to_state": "open", "generation": 3},
		}, []string{"breaker_transitions key=chat/openai source=sdk/sink-1 generation=3 from_state=closed to_state=open at=3000000 " +
			"trace_id=00000000000000000000000000000001"}},
		"an application without a sink id": {semconv.EventBreakerTransition, attrs{
			semconv.EventDataKey: attrs{"operation": "chat", "provider": "openai", "generation": 3},
		}, []string{"breaker_transitions key=chat/openai source=sdk/svc generation=3 at=3000000 trace_id=00000000000000000000000000000001"}},
		"a breaker that nobody names": {semconv.EventBreakerTransition, attrs{semconv.EventDataKey: attrs{"generation": 3}}, nil},
		"a call that opened its breaker": {semconv.EventCallEnded, attrs{
			semconv.RunIDKey: "r1", semconv.CallIDKey: "c1", semconv.CallStatusKey: "failed", semconv.BreakerKeyKey: "chat/openai", semconv.BreakerTransitionKey: "closed>open",
		}, []string{"breaker_transitions key=chat/openai source=collector generation=3000000 from_state=closed to_state=open at=3000000 " +
			"trace_id=00000000000000000000000000000001", runLine, "provider_calls run_id=r1 call_id=c1 success=0 ended_at=3000000 status=failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, strings.Join(tt.want, "\n"), show(logReader{}.facts(logOf(t, tt.event, 3, tt.attrs))))
		})
	}
}

func TestLogsWithoutATimeWereSeenWhenTheyCame(t *testing.T) {
	logs := logOf(t, semconv.EventOther, 0, attrs{semconv.RunIDKey: "r1"})
	logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).SetObservedTimestamp(ts(3))
	assert.Equal(t, runLine, show(logReader{}.facts(logs)))
}

func TestStoredEvents(t *testing.T) {
	read := logReader{storeEvents: true}
	for name, tt := range map[string]struct {
		attrs attrs
		want  string
	}{
		"of a run": {attrs{semconv.RunIDKey: "r1", semconv.EventTypeKey: "my.event", semconv.EventDataKey: attrs{"b": []any{nil, 1.5}, "a": "x\x00"}},
			"events run_id=r1 hash=HASH type=my.event time=3000000 data={\"a\":\"x\uFFFD\",\"b\":[null,1.5]}"},
		"of no run":      {attrs{semconv.EventTypeKey: "my.event", semconv.EventDataKey: attrs{}}, "events run_id= hash=HASH type=my.event time=3000000 data={}"},
		"without data":   {attrs{semconv.EventTypeKey: "my.event"}, "events run_id= hash=HASH type=my.event time=3000000"},
		"without a type": {attrs{}, "events run_id= hash=HASH type=stageflow.event time=3000000"},
	} {
		t.Run(name, func(t *testing.T) {
			logs := logOf(t, semconv.EventOther, 3, tt.attrs)
			got := show(read.facts(logs))
			got = regexp.MustCompile(`hash=[\w-]{22} `).ReplaceAllString(got, "hash=HASH ")
			assert.Contains(t, got, tt.want)
			assert.NotContains(t, show(logReader{}.facts(logs)), "events", "off")

			// A copy is the same row; anything else is another.
			logOf(t, semconv.EventOther, 3, tt.attrs).ResourceLogs().MoveAndAppendTo(logs.ResourceLogs())
			assert.Equal(t, 1, strings.Count(show(read.facts(logs)), "events "))
			logOf(t, semconv.EventOther, 4, tt.attrs).ResourceLogs().MoveAndAppendTo(logs.ResourceLogs())
			assert.Equal(t, 2, strings.Count(show(read.facts(logs)), "events "))
		})
	}
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
		"a call of ours that another instrumentation saw, too": {spanOf(t, attrs{
			semconv.RunIDKey: "r1", semconv.CallIDKey: "c1", semconv.GenAIOperationNameKey: "chat", semconv.GenAIProviderNameKey: "openai", semconv.GenAIInputTokensKey: 5,
		}, client), []string{implied, "provider_calls run_id=r1 call_id=c1 operation=chat provider=openai success=1 latency_ms=3000 input_tokens=5 " +
			"started_at=2000000 ended_at=5000000 status=completed"}},
		"a call whose id is empty": {spanOf(t, attrs{
			semconv.CallIDKey: "", semconv.GenAIOperationNameKey: "chat", semconv.GenAIProviderNameKey: "openai",
		}, client), []string{"provider_calls run_id= call_id=00000000000000000000000000000001-0000000000000002 operation=chat provider=openai " +
			"success=1 latency_ms=3000 started_at=2000000 ended_at=5000000 status=completed"}},
		"a call that opened its breaker": {spanOf(t, attrs{
			semconv.RunIDKey: "r1", semconv.CallIDKey: "c1", semconv.CallStatusKey: "failed", semconv.ErrorCodeKey: "TIMEOUT",
			semconv.BreakerKeyKey: "chat/openai", semconv.BreakerStateKey: "closed", semconv.BreakerTransitionKey: "closed>open",
		}, client), []string{implied, "provider_calls run_id=r1 call_id=c1 success=0 latency_ms=3000 error_code=TIMEOUT breaker_state=closed " +
			"started_at=2000000 ended_at=5000000 status=failed",
			"breaker_transitions key=chat/openai source=collector generation=5000000 from_state=closed to_state=open at=5000000 reason=TIMEOUT " +
				"trace_id=00000000000000000000000000000001 span_id=0000000000000002"}},
		"a call that changed a breaker which counts": {spanOf(t, attrs{
			semconv.CallIDKey: "c1", semconv.BreakerKeyKey: "chat/openai", semconv.BreakerTransitionKey: "half_open>closed",
			semconv.BreakerSourceKey: "shared", semconv.BreakerGenerationKey: 7,
		}, client), []string{"provider_calls run_id= call_id=c1 success=1 latency_ms=3000 started_at=2000000 ended_at=5000000 status=completed",
			"breaker_transitions key=chat/openai source=shared generation=7 from_state=half_open to_state=closed at=5000000 " +
				"trace_id=00000000000000000000000000000001 span_id=0000000000000002"}},
		"a tool call": {spanOf(t, attrs{
			semconv.RunIDKey: "r1", semconv.GenAIOperationNameKey: "execute_tool", semconv.GenAIToolNameKey: "search", semconv.GenAIToolCallIDKey: "a1",
			semconv.ToolStatusKey: "completed", semconv.StageNameKey: "llm", semconv.ToolDurationKey: 12.5, semconv.ToolBehaviorKey: "practice",
			semconv.DataPrefix + "x": 1,
		}, func(s ptrace.Span) {
			s.Events().AppendEmpty().Attributes().PutStr(semconv.ApprovalDecisionKey, "approved")
		}), []string{implied, "tool_calls run_id=r1 action_id=a1 tool_name=search stage=llm status=completed started_at=2000000 ended_at=5000000 " +
			`duration_ms=12.5 attributes={"approval_decision":"approved","behavior":"practice","x":1}`}},
		"a tool call that failed": {spanOf(t, attrs{
			semconv.RunIDKey: "r1", semconv.GenAIToolCallIDKey: "a1", semconv.ToolStatusKey: "failed", semconv.ErrorTypeKey: "ValueError",
		}, failed("no such file")), []string{implied, "tool_calls run_id=r1 action_id=a1 status=failed started_at=2000000 ended_at=5000000 duration_ms=3000 " +
			"error_type=ValueError error_message=no such file"}},
		"a tool call that was denied": {spanOf(t, attrs{
			semconv.RunIDKey: "r1", semconv.GenAIToolCallIDKey: "a1", semconv.ToolStatusKey: "skipped", semconv.ToolReasonKey: "approval_denied",
		}), []string{implied, `tool_calls run_id=r1 action_id=a1 status=skipped started_at=2000000 ended_at=5000000 duration_ms=3000 ` +
			`attributes={"reason":"approval_denied"}`}},
		"a tool call that another instrumentation saw": {spanOf(t, attrs{
			semconv.RunIDKey: "r1", semconv.GenAIOperationNameKey: "execute_tool", semconv.GenAIToolNameKey: "search", semconv.GenAIToolCallIDKey: "a1",
		}), []string{implied, "tool_calls run_id=r1 action_id=a1 tool_name=search status=completed started_at=2000000 ended_at=5000000 duration_ms=3000"}},
		"a tool call of no run": {spanOf(t, attrs{semconv.GenAIOperationNameKey: "execute_tool", semconv.GenAIToolCallIDKey: "a1"}, client), nil},
		"a child run": {spanOf(t, attrs{
			semconv.RunIDKey: "r1", semconv.RunStatusKey: "completed", semconv.RunEndKey: "parent", semconv.RunParentIDKey: "r0", semconv.RunParentStageKey: "tools",
		}), []string{"runs run_id=r1 trace_id=00000000000000000000000000000001 parent_run_id=r0 parent_stage=tools service=svc status=completed end_kind=parent " +
			"started_at=2000000 ended_at=5000000 duration_ms=3000 updated_at=5000000"}},
		"a run that was corrected": {spanOf(t, attrs{
			semconv.RunIDKey: "r1", semconv.RunStatusKey: "completed", semconv.RunEndKey: "explicit", semconv.RunRevisionKey: 5,
			semconv.RunEarlierEndsKey: []any{"cancelled 1970-01-01T00:00:04Z"}, semconv.RunReasonKey: "impatient",
			semconv.RunStageResultsKey: attrs{"llm": attrs{"status": "ok", "data": attrs{"n": 1.0}}, "a": []any{}},
		}), []string{"runs run_id=r1 trace_id=00000000000000000000000000000001 service=svc status=completed end_kind=explicit " +
			`started_at=2000000 ended_at=5000000 duration_ms=3000 stage_results={"a":[],"llm":{"data":{"n":1},"status":"ok"}} ` +
			`attributes={"earlier_ends":["cancelled 1970-01-01T00:00:04Z"],"reason":"impatient"} updated_at=5000000`}},
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
		semconv.ToolStatusKey, semconv.GenAIToolCallIDKey, semconv.EventTypeKey, semconv.EventDataKey, semconv.BreakerKeyKey,
		semconv.BreakerTransitionKey, semconv.BreakerSourceKey, semconv.BreakerGenerationKey,
	}
	for _, f := range []fields{runFields, stageFields, callFields, toolFields} {
		for key := range f.columns {
			keys = append(keys, key)
		}
		for key := range f.kept {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	events := []semconv.EventName{
		semconv.EventRunStarted, semconv.EventRunEnded, semconv.EventWideStage, semconv.EventStageStarted, semconv.EventCallEnded, semconv.EventOther,
		semconv.EventToolStarted, semconv.EventToolEnded, semconv.EventToolUndone, semconv.EventApprovalDecided, semconv.EventBreakerTransition,
	}
	values := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.String(), func(s string) any { return s }), rapid.Map(rapid.Int64(), func(n int64) any { return n }),
		rapid.Map(rapid.Float64(), func(f float64) any { return f }), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) any { return b }),
		rapid.SampledFrom([]any{"", "failed", "explicit", "\xff\x00", "9999-12-31T23:59:59Z", math.NaN(), math.Inf(-1), true, attrs{"a\x00": attrs{}}, []any{nil}, "a>b",
			attrs{"operation": "chat", "generation": 1, "extra": []any{math.NaN()}}}),
	)
	rapid.Check(t, func(rt *rapid.T) {
		a := rapid.MapOf(rapid.SampledFrom(keys), values).Draw(rt, "attributes")
		b := logReader{storeEvents: rapid.Bool().Draw(rt, "store events")}.facts(logOf(t, rapid.SampledFrom(events).Draw(rt, "event"), 3, a))
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

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"math"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// fields says which attribute goes into which column.
type fields struct {
	table   *runlog.Table
	columns map[string]int

	status, startedAt, endedAt int
	// duration is the column of how long it took.
	duration, errorType, errorMessage int
	// kept are attributes without a column, by the name that they have in the attributes column.
	kept map[string]string
}

func newFields(t *runlog.Table, duration string, columns, kept map[string]string) fields {
	f := fields{
		table: t, columns: map[string]int{}, kept: kept,
		status: t.Column("status"), startedAt: t.Column("started_at"), endedAt: t.Column("ended_at"),
		duration: t.Column(duration), errorType: t.Column("error_type"), errorMessage: t.Column("error_message"),
	}
	for key, column := range errorFields {
		f.columns[key] = t.Column(column)
	}
	for key, column := range columns {
		f.columns[key] = t.Column(column)
	}
	return f
}

var errorFields = map[string]string{
	semconv.ErrorCodeKey:        "error_code",
	semconv.ErrorSummaryTypeKey: "error_type",
	semconv.ErrorTextKey:        "error_message",
	semconv.ErrorRetryableKey:   "error_retryable",
}

var (
	runFields = newFields(runlog.Runs, "duration_ms", map[string]string{
		semconv.GenAIWorkflowNameKey: "pipeline_name",
		semconv.RunTopologyKey:       "topology",
		semconv.RunExecutionModeKey:  "execution_mode",
		semconv.RunParentIDKey:       "parent_run_id",
		semconv.RunParentStageKey:    "parent_stage",
		semconv.RunDurationKey:       "duration_ms",
		semconv.RunFailedStageKey:    "failed_stage",
		semconv.RunStageResultsKey:   "stage_results",
		semconv.RunBreakersKey:       "breakers",
		semconv.ErrorFingerprintKey:  "error_fingerprint",
		semconv.UserIDKey:            "user_id",
		semconv.SessionIDKey:         "session_id",
		semconv.OrgIDKey:             "org_id",
		semconv.RequestIDKey:         "request_id",
		semconv.CorrelationIDKey:     "correlation_id",
	}, map[string]string{
		semconv.RunReasonKey:      "reason",
		semconv.RunEarlierEndsKey: "earlier_ends",
		semconv.InteractionIDKey:  "interaction_id",
	})
	stageFields = newFields(runlog.Stages, "duration_ms", map[string]string{
		semconv.StageKindKey:     "kind",
		semconv.StageReasonKey:   "reason",
		semconv.StageDurationKey: "duration_ms",
	}, map[string]string{
		semconv.StageDataKeysKey: "data_keys",
	})
	callFields = newFields(runlog.ProviderCalls, "latency_ms", map[string]string{
		semconv.StageNameKey:          "stage",
		semconv.GenAIOperationNameKey: "operation",
		semconv.GenAIProviderNameKey:  "provider",
		semconv.GenAIRequestModelKey:  "model_id",
		semconv.GenAIInputTokensKey:   "input_tokens",
		semconv.GenAIOutputTokensKey:  "output_tokens",
		semconv.CallLatencyKey:        "latency_ms",
		semconv.CallCostKey:           "cost_usd",
		semconv.BreakerStateKey:       "breaker_state",
	}, nil)
	toolFields = newFields(runlog.ToolCalls, "duration_ms", map[string]string{
		semconv.GenAIToolNameKey: "tool_name",
		semconv.StageNameKey:     "stage",
		semconv.ToolDurationKey:  "duration_ms",
	}, map[string]string{
		semconv.ToolReasonKey:           "reason",
		semconv.ToolBehaviorKey:         "behavior",
		semconv.ToolAllowedBehaviorsKey: "allowed_behaviors",
		semconv.ApprovalIDKey:           "approval_id",
		semconv.ApprovalDecisionKey:     "approval_decision",
		semconv.ApprovalDecidedByKey:    "approval_decided_by",
		semconv.ApprovalMessageKey:      "approval_message",
	})

	runTrace       = runlog.Runs.Column("trace_id")
	runService     = runlog.Runs.Column("service")
	runEndKind     = runlog.Runs.Column("end_kind")
	runFailedStage = runlog.Runs.Column("failed_stage")
	stageSpan      = runlog.Stages.Column("span_id")
	callSuccess    = runlog.ProviderCalls.Column("success")

	transitionFrom   = runlog.BreakerTransitions.Column("from_state")
	transitionTo     = runlog.BreakerTransitions.Column("to_state")
	transitionAt     = runlog.BreakerTransitions.Column("at")
	transitionReason = runlog.BreakerTransitions.Column("reason")
	transitionTrace  = runlog.BreakerTransitions.Column("trace_id")
	transitionSpan   = runlog.BreakerTransitions.Column("span_id")

	eventTypeColumn = runlog.Events.Column("type")
	eventTime       = runlog.Events.Column("time")
	eventData       = runlog.Events.Column("data")
)

// fill sets what the attributes say. The end's columns are only set for what has ended; about tells whether the
// record is what the attributes are about, so that what has no column belongs to it, too.
func (f fields) fill(fact *runlog.Row, attrs pcommon.Map, ended, about bool) {
	for key, v := range attrs.All() {
		if i, ok := f.columns[key]; ok {
			if c := f.table.Columns[i]; ended || c.Merge != runlog.End {
				fact.Set(i, cell(c.Type, v))
			}
			continue
		}
		name, ok := f.kept[key]
		if !ok {
			name, ok = strings.CutPrefix(key, semconv.DataPrefix)
		}
		if ok && about && v.Type() != pcommon.ValueTypeEmpty {
			fact.SetAttribute(name, canonicalJSON(v))
		}
	}
}

// fillError sets what an exception says of the end where nothing better did.
func (f fields) fillError(fact *runlog.Row, errorType, message string) {
	if fact.Value(f.errorType).IsNull() {
		fact.Set(f.errorType, runlog.TextValue(errorType))
	}
	if fact.Value(f.errorMessage).IsNull() {
		fact.Set(f.errorMessage, runlog.TextValue(message))
	}
}

// end sets how the thing ended.
func (f fields) end(fact *runlog.Row, status semconv.Status, endedAt int64) {
	fact.Set(f.status, runlog.KeyValue(string(status)))
	fact.Set(f.endedAt, runlog.TimeValue(endedAt))
	if f.table == runlog.ProviderCalls {
		fact.Set(callSuccess, runlog.BoolValue(status == semconv.StatusCompleted))
	}
}

// cell is an attribute's value as a column of a type holds it; NULL where it makes no sense there.
func cell(t runlog.Type, v pcommon.Value) runlog.Value {
	switch t {
	case runlog.Integer:
		if v.Type() == pcommon.ValueTypeInt {
			return runlog.IntValue(v.Int())
		}
		if f, ok := number(v); ok && f == math.Trunc(f) && math.Abs(f) < 1<<53 { // beyond, a float is no exact integer
			return runlog.IntValue(int64(f))
		}
		return runlog.Value{}
	case runlog.Real:
		if f, ok := number(v); ok {
			return runlog.FloatValue(f)
		}
		return runlog.Value{}
	case runlog.Boolean:
		switch v.AsString() {
		case "true":
			return runlog.BoolValue(true)
		case "false":
			return runlog.BoolValue(false)
		}
		return runlog.Value{}
	case runlog.JSON:
		switch {
		case v.Type() == pcommon.ValueTypeEmpty,
			v.Type() == pcommon.ValueTypeMap && v.Map().Len() == 0,
			v.Type() == pcommon.ValueTypeSlice && v.Slice().Len() == 0:
			return runlog.Value{}
		}
		return runlog.KeyValue(canonicalJSON(v))
	}
	return runlog.TextValue(v.AsString())
}

func number(v pcommon.Value) (float64, bool) {
	switch v.Type() {
	case pcommon.ValueTypeInt:
		return float64(v.Int()), true
	case pcommon.ValueTypeDouble:
		return v.Double(), true
	case pcommon.ValueTypeStr:
		f, err := strconv.ParseFloat(v.Str(), 64)
		return f, err == nil
	}
	return 0, false
}

// text is an attribute as text, "" when it is not there.
func text(attrs pcommon.Map, key string) string {
	if v, ok := attrs.Get(key); ok {
		return v.AsString()
	}
	return ""
}

// statusOf reads a status attribute; what is not there or not known is running.
func statusOf(attrs pcommon.Map, key string) semconv.Status {
	if status, ok := semconv.ParseStatus(text(attrs, key)); ok {
		return status
	}
	return semconv.StatusRunning
}

// endKindOf reads how a run ended. An end of a kind that we do not know is an end all the same.
func endKindOf(attrs pcommon.Map) semconv.EndKind {
	kind := semconv.EndKind(text(attrs, semconv.RunEndKey))
	if kind != "" && kind != semconv.EndNone && kind.Rank() == 0 {
		return semconv.EndInferred
	}
	return kind
}

// attemptOf counts from 1; who does not count makes one attempt.
func attemptOf(attrs pcommon.Map) int64 {
	if v, ok := attrs.Get(semconv.StageAttemptKey); ok {
		if n := cell(runlog.Integer, v); n.Int() > 0 {
			return n.Int()
		}
	}
	return 1
}

// startOf is when the event says that its subject began, in nanoseconds; 0 when it does not say.
func startOf(attrs pcommon.Map) int64 {
	t, err := time.Parse(time.RFC3339Nano, text(attrs, semconv.StartTimeKey))
	if err != nil || t.Year() < 1970 || t.Year() > 2261 { // what fits into nanoseconds
		return 0
	}
	return t.UnixNano()
}

// nanos is a timestamp as the run log counts.
func nanos(t pcommon.Timestamp) int64 { return int64(min(t, math.MaxInt64)) }

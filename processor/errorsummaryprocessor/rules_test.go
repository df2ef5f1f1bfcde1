// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/stageflow/otelcol-stageflow/processor/errorsummaryprocessor/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func withRules(rules ...RuleConfig) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Rules = rules
	return cfg
}

func TestRulesComeBeforeTheBuiltIn(t *testing.T) {
	yes, no := true, false
	cfg := withRules(
		RuleConfig{Condition: `log.attributes["a"] == "b"`, Code: "LOGS_ONLY"},
		RuleConfig{Condition: `resource.attributes["a"] == "b" or span.name == "none"`, Code: "NEVER"},
		RuleConfig{Name: "unsure", Condition: `span.attributes["stageflow.error.code"] == "UNKNOWN" and IsMatch(span.attributes["stageflow.error.message"], "(?i)house rule")`, Code: "CONTENT_FILTERED"},
		RuleConfig{Condition: `span.attributes["http.response.status_code"] == 503`, Code: "MAINTENANCE", Retryable: &no},
		RuleConfig{Condition: `span.attributes["stageflow.error.type"] == "Flaky"`, Code: "FLAKY", Retryable: &yes},
		RuleConfig{Condition: `span.attributes["stageflow.error.type"] == "Flaky"`, Code: "TOO_LATE"},
		RuleConfig{Condition: `span.attributes["x"] == "timeout"`, Code: "TIMEOUT"},
	)
	for name, tt := range map[string]struct {
		span       span
		code, rule string
		retryable  bool
	}{
		"by the built-in verdict":           {span{message: "against House Rule 7"}, "CONTENT_FILTERED", "unsure", false},
		"by an attribute":                   {span{message: "x", attrs: map[string]any{semconv.HTTPStatusCodeKey: 503}}, "MAINTENANCE", "rules[3]", false},
		"by the exception, the first rule":  {span{events: []map[string]any{exception("Flaky", "x")}}, "FLAKY", "rules[4]", true},
		"retryable as the code is":          {span{attrs: map[string]any{"x": "timeout"}}, "TIMEOUT", "rules[6]", true},
		"none fits":                         {span{attrs: map[string]any{semconv.HTTPStatusCodeKey: 404, "a": "b"}}, "NOT_FOUND", "http_status", false},
		"a code that is there is not asked": {span{attrs: map[string]any{semconv.ErrorCodeKey: "MINE", semconv.HTTPStatusCodeKey: 503}}, "MINE", "existing_code", false},
	} {
		t.Run(name, func(t *testing.T) {
			tt.span.id = 1
			got := runWith(t, cfg, batch(t, tt.span))[1]
			assert.Equal(t, tt.code, got[semconv.ErrorCodeKey])
			assert.Equal(t, tt.rule, got[semconv.ErrorRuleKey])
			assert.Equal(t, tt.retryable, got[semconv.ErrorRetryableKey])
			assert.Contains(t, got[semconv.ErrorSummaryKey], tt.code+":")
		})
	}
}

func TestRulesOfLogRecords(t *testing.T) {
	cfg := withRules(
		RuleConfig{Condition: `span.name == "x"`, Code: "SPANS_ONLY"},
		RuleConfig{Condition: `log.attributes["stageflow.error.message"] == "tea"`, Code: "TEAPOT"},
	)
	sink := &consumertest.LogsSink{}
	p, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), cfg, sink)
	require.NoError(t, err)
	require.NoError(t, p.ConsumeLogs(t.Context(), records(t, exception("A", "tea"), exception("A", "coffee"), map[string]any{"a": "tea"})))
	logs := sink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	var codes []any
	for _, record := range logs.All() {
		codes = append(codes, record.Attributes().AsRaw()[semconv.ErrorCodeKey])
	}
	assert.Equal(t, []any{"TEAPOT", "UNKNOWN", nil}, codes)
}

// The run and the stage above are blamed for what a rule calls a call's failure.
func TestRulesReachRootCauses(t *testing.T) {
	got := runWith(t, withRules(RuleConfig{Condition: `span.attributes["stageflow.call.id"] != nil`, Code: "VENDOR"}), batch(t,
		span{id: 1, attrs: map[string]any{semconv.RunIDKey: "r", semconv.RunStatusKey: "failed"}},
		span{id: 2, parent: 1, end: 2, attrs: map[string]any{semconv.RunIDKey: "r", semconv.StageNameKey: "llm", semconv.StageStatusKey: "failed"}},
		span{id: 3, parent: 2, end: 1, message: "x", attrs: map[string]any{semconv.RunIDKey: "r", semconv.CallIDKey: "c", semconv.CallStatusKey: "failed"}},
	))
	for id := range byte(3) {
		assert.Equal(t, "VENDOR", got[id+1][semconv.ErrorCodeKey], id+1)
	}
}

func TestDisableBuiltin(t *testing.T) {
	cfg := withRules(RuleConfig{Condition: `span.attributes["x"] == 1`, Code: "MINE"})
	cfg.DisableBuiltin = true
	got := runWith(t, cfg, batch(t,
		span{id: 1, message: "circuit breaker open", attrs: map[string]any{semconv.HTTPStatusCodeKey: 503}},
		span{id: 2, message: "m", attrs: map[string]any{"x": 1}},
		span{id: 3, attrs: map[string]any{semconv.ErrorCodeKey: "THEIRS"}},
	))
	assert.Equal(t, "UNKNOWN", got[1][semconv.ErrorCodeKey])
	assert.Equal(t, "none", got[1][semconv.ErrorRuleKey])
	assert.Equal(t, false, got[1][semconv.ErrorRetryableKey])
	assert.Equal(t, "circuit breaker open", got[1][semconv.ErrorTextKey])
	assert.Equal(t, "MINE", got[2][semconv.ErrorCodeKey])
	assert.Equal(t, "THEIRS", got[3][semconv.ErrorCodeKey])
}

func TestOverwrite(t *testing.T) {
	cfg := withRules(RuleConfig{Condition: `span.attributes["x"] == 1`, Code: "MINE"})
	cfg.Overwrite = true
	there := map[string]any{
		semconv.ErrorCodeKey: "THEIRS", semconv.ErrorRetryableKey: true, semconv.ErrorRuleKey: "theirs",
		semconv.ErrorTextKey: "no route to the moon", semconv.ErrorSummaryTypeKey: "MoonError",
	}
	with := func(more map[string]any) map[string]any {
		for k, v := range there {
			more[k] = v
		}
		return more
	}
	got := runWith(t, cfg, batch(t,
		span{id: 1, attrs: with(map[string]any{semconv.HTTPStatusCodeKey: 404})},
		span{id: 2, attrs: with(map[string]any{"x": 1})},
	))
	assert.Equal(t, "NOT_FOUND", got[1][semconv.ErrorCodeKey])
	assert.Equal(t, "http_status", got[1][semconv.ErrorRuleKey])
	assert.Equal(t, false, got[1][semconv.ErrorRetryableKey])
	assert.Equal(t, "no route to the moon", got[1][semconv.ErrorTextKey], "nothing else tells the text")
	assert.Equal(t, "MoonError", got[1][semconv.ErrorSummaryTypeKey])
	assert.Equal(t, "MINE", got[2][semconv.ErrorCodeKey])
}

func TestSignals(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.Signals = []Signal{SignalLogs}
	assert.Equal(t, map[string]any{}, runWith(t, cfg, batch(t, span{id: 1, message: "x"}))[1])

	cfg.Signals = []Signal{SignalTraces}
	sink := &consumertest.LogsSink{}
	p, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), cfg, sink)
	require.NoError(t, err)
	assert.False(t, p.Capabilities().MutatesData)
	require.NoError(t, p.ConsumeLogs(t.Context(), records(t, exception("A", "x"))))
	assert.Equal(t, exception("A", "x"), sink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().AsRaw())
}

// A condition that cannot be answered does not stop what it is asked about, nor fill the collector's log.
func TestAConditionThatFails(t *testing.T) {
	core, logged := observer.New(zap.WarnLevel)
	d, err := newDecider(withRules(
		RuleConfig{Name: "odd", Condition: `Int(span.attributes["n"]) + Len(span.attributes["n"]) == 2`, Code: "A"},
		RuleConfig{Condition: `true`, Code: "B"},
	), zap.New(core))
	require.NoError(t, err)
	count, err := newCounter(component.TelemetrySettings{MeterProvider: processortest.NewNopSettings(metadata.Type).MeterProvider})
	require.NoError(t, err)
	p := &tracesProcessor{decider: d, count: count}
	for range 3 {
		td, err := p.process(t.Context(), batch(t, span{id: 1, attrs: map[string]any{"n": 3}}))
		require.NoError(t, err)
		assertCode(t, "B", td)
	}
	require.Equal(t, 1, logged.Len())
	assert.Equal(t, "odd", logged.All()[0].ContextMap()["rule"])
}

func assertCode(t *testing.T, want string, td ptrace.Traces) {
	t.Helper()
	code, _ := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().Get(semconv.ErrorCodeKey)
	assert.Equal(t, want, code.AsString())
}

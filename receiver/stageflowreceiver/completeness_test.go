// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/spantree"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// userTypes are the types in EVENT_FIELDS.json that belong to applications, not to the framework: they are logged as
// they are.
var userTypes = []string{"analytics.overflow", "app.heartbeat", "app.started", "custom.*"}

// Of every line of every capture nothing is lost.
func TestCapturesLoseNothing(t *testing.T) {
	var account spantree.Account
	ran, all := 0, loadCaptures(t)
	for _, c := range all {
		t.Run(c.Name, func(t *testing.T) {
			f := settledCapture(t, c).forest(t)
			account.Check(t, f, c)
			f.CheckNothingElse(t)
			ran++
		})
	}
	if ran == len(all) { // no filter on subtests: what others need is known
		account.Close(t)
	}
}

// Every type of event that the library was seen to write is one the tables know, a stage's by its shape, or an
// application's own; and of the kinds that become spans, the fields without an attribute of their own are these.
func TestEventFieldsAreKnown(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(capturesDir, "EVENT_FIELDS.json"))
	require.NoError(t, err)
	var types map[string]struct {
		Fields map[string]json.RawMessage `json:"fields"`
	}
	require.NoError(t, json.Unmarshal(raw, &types))

	var unknown []string
	plain := map[string][]string{}
	for typ, seen := range types {
		example := strings.NewReplacer("{name}", "llm", "{pipeline}", "chat", " (user subclass)", "").Replace(typ)
		_, wide := seen.Fields["started_at"]
		kind := semconv.EventNameOf(example, "", wide)
		if kind == semconv.EventOther {
			unknown = append(unknown, typ)
			continue
		}
		table := semconv.FieldsOf(kind)
		if table == nil {
			continue
		}
		for field := range seen.Fields {
			_, own := table[field]
			_, common := semconv.CommonFields[field]
			if !own && !common {
				plain[typ] = append(plain[typ], field)
			}
		}
		slices.Sort(plain[typ])
	}
	slices.Sort(unknown)
	assert.Equal(t, userTypes, unknown)
	assert.Equal(t, plainFields, plain)
}

// plainFields are the fields that go on a span, or an event of one, as stageflow.data.<field>.
var plainFields = map[string][]string{
	"guard_retry.attempt":                      {"attempt", "guard", "max_attempts", "retry_stage", "stagnation_hits", "timeout_seconds"},
	"guard_retry.exhausted":                    {"attempts", "guard", "reason", "retry_stage", "stagnation_hits", "timeout_seconds"},
	"guard_retry.recovered":                    {"attempts", "guard"},
	"guard_retry.scheduled":                    {"attempt", "guard", "retry_stage", "stagnation_hits", "timeout_seconds"},
	"guardrail.fail_open":                      {"fail_on_violation", "violation_count", "violations"},
	"guardrail.violations_detected":            {"check", "violations"},
	"pipeline.canceled":                        {"cascade_depth"},
	"pipeline.wide":                            {"stage_counts"},
	"pipeline.wide.{pipeline} (user subclass)": {"stage_counts"},
	"stage.error":                              {"retryable"},
	"stage.progress":                           {"pct"},
	"stage.retry_exhausted":                    {"attempts"},
	"stage.retry_scheduled":                    {"attempt", "backoff_strategy", "delay_ms"},
	"stage.wide":                               {"extra"},
	"tool.completed":                           {"artifacts_count", "output_summary"},
	"tool.invoked":                             {"payload_summary"},
	"tool.undone":                              {"original_action_timestamp"},
}

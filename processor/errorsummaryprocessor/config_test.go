// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func load(t *testing.T, id string) (*Config, error) {
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := all.Sub(id)
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	if err := sub.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, cfg.Validate()
}

func TestConfig(t *testing.T) {
	cfg, err := load(t, "errorsummary")
	require.NoError(t, err)
	assert.Equal(t, &Config{
		MessageLimit: 500, Redaction: RedactionConfig{Secrets: true, Emails: true}, Signals: []Signal{SignalTraces, SignalLogs},
	}, cfg)

	cfg, err = load(t, "errorsummary/rules")
	require.NoError(t, err)
	yes := true
	assert.Equal(t, &Config{
		Rules: []RuleConfig{
			{
				Name:      "moderation",
				Condition: `span.attributes["stageflow.error.code"] == "UNKNOWN" and IsMatch(span.attributes["stageflow.error.message"], "(?i)moderat")`,
				Code:      "CONTENT_FILTERED",
			},
			{Condition: `log.attributes["http.response.status_code"] == 418`, Code: "TEAPOT", Retryable: &yes},
		},
		DisableBuiltin: true, Overwrite: true, MessageLimit: 2000, Redaction: RedactionConfig{Secrets: true, Originals: true},
		Signals: []Signal{SignalTraces},
	}, cfg)

	_, err = load(t, "errorsummary/unknown_option")
	require.ErrorContains(t, err, "rule")
}

// Everything is said at once, each rule by its position and name, the condition's own parser by what it does not take.
func TestBadConfig(t *testing.T) {
	_, err := load(t, "errorsummary/bad")
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	assert.Len(t, lines, 7)
	for i, want := range []string{
		`rules[1] "teapot": code: "tea-pot" must be letters A to Z, digits and underscores, such as QUOTA_EXCEEDED`,
		`condition: segment "nam" from path "span.nam" is not a valid path`,
		`rules[2]: condition: condition has invalid syntax`,
		`rules[3]: condition: must be an OTTL condition`,
		`message_limit: 0 must be from 1 to 10000`,
		`redaction.originals: masks nothing without redaction.secrets or redaction.emails`,
		`signals[1]: "metrics" is none of: traces, logs`,
	} {
		assert.Contains(t, lines[i], want)
	}
	_, err = load(t, "errorsummary/no_signals")
	require.ErrorContains(t, err, "signals: must name one at least of: traces, logs")
}

func TestSchemaNamesTheOptions(t *testing.T) {
	schema, err := confmaptest.LoadConf("config.schema.yaml")
	require.NoError(t, err)
	for path, config := range map[string]reflect.Type{
		"properties":                          reflect.TypeFor[Config](),
		"$defs::rule_config::properties":      reflect.TypeFor[RuleConfig](),
		"$defs::redaction_config::properties": reflect.TypeFor[RedactionConfig](),
	} {
		properties, err := schema.Sub(path)
		require.NoError(t, err)
		var tags []string
		for _, field := range reflect.VisibleFields(config) {
			if tag, ok := field.Tag.Lookup("mapstructure"); ok {
				tags = append(tags, tag)
			}
		}
		assert.ElementsMatch(t, tags, slices.Collect(maps.Keys(properties.ToStringMap())))
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/stanza/operator/helper"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func load(t *testing.T, id string) (*Config, error) {
	t.Helper()
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := all.Sub(id)
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	if err := sub.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestConfig(t *testing.T) {
	cfg, err := load(t, "stageflow/events")
	require.NoError(t, err)
	assert.False(t, cfg.hasOTLP())
	assert.Equal(t, "localhost:4319", cfg.Events.Get().NetAddr.Endpoint)
	assert.Equal(t, RunsConfig{Settle: time.Second, FlushAfter: time.Minute, IdleTimeout: 5 * time.Minute, AbandonAfter: 15 * time.Minute, MaxActive: 100_000}, cfg.Runs)
	assert.Nil(t, cfg.Storage)
	assert.False(t, cfg.Files.HasValue())
	assert.Zero(t, cfg.Redact)

	cfg, err = load(t, "stageflow/files")
	require.NoError(t, err)
	files := cfg.Files.Get()
	assert.Equal(t, []string{"events.jsonl"}, files.Include)
	assert.Equal(t, []any{"beginning", "auto", "read_whole_file", "truncate", time.Duration(0), 200 * time.Millisecond, helper.ByteSize(1 << 20)},
		[]any{files.StartAt, files.Compression, files.OnTruncate, files.MaxLogSizeBehavior, files.FlushPeriod, files.PollInterval, files.MaxLogSize})

	cfg, err = load(t, "stageflow/all")
	require.NoError(t, err)
	assert.Equal(t, "localhost:4317", cfg.Protocols.GRPC.Get().NetAddr.Endpoint)
	assert.Equal(t, "0.0.0.0:4318", cfg.Protocols.HTTP.Get().ServerConfig.NetAddr.Endpoint)
	assert.Equal(t, "0.0.0.0:4319", cfg.Events.Get().NetAddr.Endpoint)
	assert.EqualValues(t, 1048576, cfg.Events.Get().MaxRequestBodySize)
	assert.Equal(t, RunsConfig{Settle: 2 * time.Second, FlushAfter: 30 * time.Second, IdleTimeout: time.Minute, AbandonAfter: 10 * time.Minute, MaxActive: 500}, cfg.Runs)
	assert.Equal(t, "file_storage/runs", cfg.Storage.String())
	files = cfg.Files.Get()
	assert.Equal(t, []any{[]string{"/var/log/stageflow/*.jsonl*"}, []string{"/var/log/stageflow/old.jsonl"}, "end", time.Second, helper.ByteSize(2 << 20)},
		[]any{files.Include, files.Exclude, files.StartAt, files.PollInterval, files.MaxLogSize})
	assert.Equal(t, RedactConfig{Keys: []string{"transcript", "*.prompt", "user_?d"}, Patterns: []string{"sk-[A-Za-z0-9]{8,}"}}, cfg.Redact)
}

func TestWrongConfigTellsAllItsProblems(t *testing.T) {
	for id, wants := range map[string][]string{
		"stageflow/nothing": {"set at least one of protocols::grpc, protocols::http, events, files"},
		"stageflow/nonsense": {
			"runs::settle is 0s: it must be above 0",
			"runs::flush_after is -1s: it must be above 0",
			"runs::abandon_after is 1m0s: it must not be below runs::idle_timeout, which is 20m0s",
			"runs::max_active is -1: it must be above 0",
		},
		"stageflow/files_that_are_none": {"files: 'include' must be specified"},
		"stageflow/files_nonsense": {
			"files::multiline: it must be left out, for an event is one line",
			"files::header: it must be left out",
			"files::encoding: it must be utf-8",
			"files::max_log_size_behavior: it must be truncate",
			"files::delete_after_read: it must be false",
			"files::include_file_*: they must be false",
			"files::poll_interval: it must be above 0",
			`files::compression is "zip": it must be auto, gzip or empty`,
			"files: include: parse glob",
		},
		"stageflow/files_start_nonsense": {"files: invalid start_at location 'middle'"},
		"stageflow/redact_nonsense": {
			`redact::keys has "*": it names action_id, approved, `,
			`redact::keys has "data.*_run_id": it names child_run_id, parent_run_id, pipeline_run_id, by which events are put together; name the others one by one`,
			`redact::keys has "data": it names data,`,
			`redact::keys has "STAGE_DETAILS.stage": it names stage,`,
			`redact::keys has "a..b": write the name of a field`,
			`redact::keys has "[": syntax error in pattern`,
			`redact::keys has "": write the name of a field`,
			"redact::patterns has \"(\": error parsing regexp: missing closing ): `(`",
			`redact::patterns has "x*": it matches where there is nothing`,
		},
		"stageflow/unknown": {"run"},
	} {
		_, err := load(t, id)
		for _, want := range wants {
			assert.ErrorContains(t, err, want, id)
		}
	}
}

// The schema is written by hand: generating it would need the schemas of other modules over the network.
func TestSchemaMatchesTheConfig(t *testing.T) {
	schema, err := confmaptest.LoadConf("config.schema.yaml")
	require.NoError(t, err)
	assertProperties(t, schema, "properties", reflect.TypeFor[Config]())
	assertProperties(t, schema, "$defs::redact_config::properties", reflect.TypeFor[RedactConfig]())
	assertProperties(t, schema, "$defs::runs_config::properties", reflect.TypeFor[RunsConfig]())

	defaults := confmap.New()
	require.NoError(t, defaults.Marshal(createDefaultConfig()))
	for _, key := range tags(reflect.TypeFor[RunsConfig]()) {
		assert.Equal(t, fmt.Sprint(defaults.Get("runs::"+key)), fmt.Sprint(schema.Get("$defs::runs_config::properties::"+key+"::default")), key)
	}
}

func assertProperties(t *testing.T, schema *confmap.Conf, path string, config reflect.Type) {
	t.Helper()
	properties, err := schema.Sub(path)
	require.NoError(t, err)
	var names []string
	for name := range properties.ToStringMap() {
		names = append(names, name)
	}
	slices.Sort(names)
	want := tags(config)
	slices.Sort(want)
	assert.Equal(t, want, names)
}

func tags(config reflect.Type) []string {
	var out []string
	for _, field := range reflect.VisibleFields(config) {
		if tag, ok := field.Tag.Lookup("mapstructure"); ok {
			name, _, _ := strings.Cut(tag, ",")
			out = append(out, name)
		}
	}
	return out
}

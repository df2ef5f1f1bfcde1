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

	cfg, err = load(t, "stageflow/all")
	require.NoError(t, err)
	assert.Equal(t, "localhost:4317", cfg.Protocols.GRPC.Get().NetAddr.Endpoint)
	assert.Equal(t, "0.0.0.0:4318", cfg.Protocols.HTTP.Get().ServerConfig.NetAddr.Endpoint)
	assert.Equal(t, "0.0.0.0:4319", cfg.Events.Get().NetAddr.Endpoint)
	assert.EqualValues(t, 1048576, cfg.Events.Get().MaxRequestBodySize)
	assert.Equal(t, RunsConfig{Settle: 2 * time.Second, FlushAfter: 30 * time.Second, IdleTimeout: time.Minute, AbandonAfter: 10 * time.Minute, MaxActive: 500}, cfg.Runs)
	assert.Equal(t, "file_storage/runs", cfg.Storage.String())
}

func TestWrongConfigTellsAllItsProblems(t *testing.T) {
	for id, wants := range map[string][]string{
		"stageflow/nothing": {"set at least one of protocols::grpc, protocols::http, events"},
		"stageflow/nonsense": {
			"runs::settle is 0s: it must be above 0",
			"runs::flush_after is -1s: it must be above 0",
			"runs::abandon_after is 1m0s: it must not be below runs::idle_timeout, which is 20m0s",
			"runs::max_active is -1: it must be above 0",
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

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func load(t *testing.T, name string) *Config {
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := all.Sub(name)
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, sub.Unmarshal(cfg))
	return cfg
}

func TestConfig(t *testing.T) {
	for name, want := range map[string]*Config{
		"breaker":     {ConsecutiveFailures: 5, OpenDuration: 30 * time.Second, HalfOpenSuccesses: 3, MaxKeys: 10_000, MaxCalls: 100_000},
		"breaker/all": {ConsecutiveFailures: 10, OpenDuration: time.Minute, HalfOpenSuccesses: 1, MaxKeys: 50, MaxCalls: 1000},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := load(t, name)
			assert.Equal(t, want, cfg)
			assert.NoError(t, confmap.Validate(cfg))
		})
	}
}

func TestAConfigTellsAllItsProblemsAtOnce(t *testing.T) {
	assert.EqualError(t, load(t, "breaker/nonsense").Validate(), `consecutive_failures is 0; it must be between 1 and 1000
open_duration is -1s; it must be more than 0s
half_open_successes is 1001; it must be between 1 and 1000
max_keys is 0; it must be 1 or more
max_calls is -5; it must be 1 or more`)
}

func TestSchemaNamesTheOptions(t *testing.T) {
	schema, err := confmaptest.LoadConf("config.schema.yaml")
	require.NoError(t, err)
	properties, err := schema.Sub("properties")
	require.NoError(t, err)
	var tags []string
	defaults := confmap.New()
	require.NoError(t, defaults.Marshal(createDefaultConfig()))
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		tag, ok := field.Tag.Lookup("mapstructure")
		if !ok {
			continue
		}
		tags = append(tags, tag)
		assert.Equal(t, fmt.Sprint(defaults.Get(tag)), fmt.Sprint(schema.Get("properties::"+tag+"::default")), tag)
	}
	names := []string{}
	for name := range properties.ToStringMap() {
		names = append(names, name)
	}
	assert.ElementsMatch(t, tags, names)
}

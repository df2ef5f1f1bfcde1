// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func TestConfig(t *testing.T) {
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)

	sub, err := all.Sub("errorsummary")
	require.NoError(t, err)
	cfg := createDefaultConfig()
	require.NoError(t, sub.Unmarshal(cfg))
	assert.Equal(t, &Config{}, cfg)

	sub, err = all.Sub("errorsummary/unknown_option")
	require.NoError(t, err)
	require.ErrorContains(t, sub.Unmarshal(createDefaultConfig()), "rules")
}

func TestSchemaNamesTheOptions(t *testing.T) {
	schema, err := confmaptest.LoadConf("config.schema.yaml")
	require.NoError(t, err)
	properties, err := schema.Sub("properties")
	require.NoError(t, err)
	var tags []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if tag, ok := field.Tag.Lookup("mapstructure"); ok {
			tags = append(tags, tag)
		}
	}
	assert.ElementsMatch(t, tags, properties.AllKeys())
}

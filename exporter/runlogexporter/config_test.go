// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.yaml.in/yaml/v3"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/sqlitestore"
)

// load reads one configuration of testdata/config.yaml over the default.
func load(t *testing.T, id string) (*Config, error) {
	t.Helper()
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := all.Sub(id)
	require.NoError(t, err)
	cfg := NewDefaultConfig()
	if err := sub.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestConfig(t *testing.T) {
	fileStorage := component.MustNewID("file_storage")
	for id, change := range map[string]func(*Config){
		"runlog": func(*Config) {},
		"runlog/all": func(c *Config) {
			c.SQLite.Path = "/var/lib/otelcol/runlog.db"
			c.StoreEvents = true
			c.SQLite.Synchronous = sqlitestore.SynchronousFull
			c.Retention.MaxAge = 30 * 24 * time.Hour
			c.Retention.MaxBytes = 10_000_000_000
			c.TimeoutConfig.Timeout = 10 * time.Second
			c.QueueConfig.Get().StorageID = &fileStorage
			c.QueueConfig.Get().QueueSize = 50_000
			c.QueueConfig.Get().Batch.Get().FlushTimeout = 100 * time.Millisecond
			c.RetryConfig.MaxInterval = 10 * time.Second
		},
		"runlog/postgres": func(c *Config) {
			c.Store = StorePostgres
			c.Postgres.DSN = "postgres://otelcol:secret@db.example.com/runlog?sslmode=verify-full"
			c.Postgres.Schema = "log"
			c.Postgres.MaxConnections = 8
		},
		"runlog/persistent": func(c *Config) { c.QueueConfig.Get().StorageID = &fileStorage },
		"runlog/direct":     func(c *Config) { c.RetryConfig.Enabled = false },
	} {
		t.Run(id, func(t *testing.T) {
			want := NewDefaultConfig()
			change(want)
			got, err := load(t, id)
			require.NoError(t, err)
			if id == "runlog/direct" {
				assert.False(t, got.QueueConfig.HasValue())
				got.QueueConfig = want.QueueConfig
			}
			assert.Equal(t, want, got)
		})
	}
}

func TestWrongConfig(t *testing.T) {
	for id, wants := range map[string][]string{
		"runlog/wrong":   {`store: "oracle" is none of: sqlite, postgres`},
		"runlog/nowhere": {"sqlite.path: must name a file", "timeout"},
		"runlog/unknown": {"file"},
		"runlog/nodsn":   {"postgres.dsn: must name a database"},
		"runlog/baddsn":  {"postgres.dsn: the DSN", "postgres.schema: must name a schema", "postgres.max_connections: 0 must be 1 at least"},
		"runlog/bounds": {
			`sqlite.synchronous: "sometimes" is none of: normal, full, off`,
			"retention.max_age: -1h0m0s must not be negative", "retention.max_bytes: -1 must not be negative",
		},
	} {
		t.Run(id, func(t *testing.T) {
			_, err := load(t, id)
			for _, want := range wants {
				assert.ErrorContains(t, err, want, "all problems at once")
			}
		})
	}
}

type schema struct {
	Ref        string             `yaml:"$ref"`
	Type       string             `yaml:"type"`
	Enum       []string           `yaml:"enum"`
	Default    any                `yaml:"default"`
	Properties map[string]*schema `yaml:"properties"`
}

func TestSchemaIsTheConfig(t *testing.T) {
	b, err := os.ReadFile("config.schema.yaml")
	require.NoError(t, err)
	var s schema
	require.NoError(t, yaml.Unmarshal(b, &s))

	written := map[string]any{}
	for name, p := range s.Properties {
		if p.Properties == nil {
			written[name] = p.Default
		}
		for inner, q := range p.Properties {
			written[name+"."+inner] = q.Default
		}
	}
	cfg := NewDefaultConfig()
	assert.Equal(t, map[string]any{
		"store":        string(cfg.Store),
		"sqlite.path":  cfg.SQLite.Path,
		"store_events": cfg.StoreEvents,

		"sqlite.synchronous":  string(cfg.SQLite.Synchronous),
		"retention.max_age":   cfg.Retention.MaxAge.String(),
		"retention.max_bytes": int(cfg.Retention.MaxBytes),
		"timeout":             cfg.TimeoutConfig.Timeout.String(),
		"sending_queue":       nil,
		"retry_on_failure":    nil,

		"postgres.dsn":             nil,
		"postgres.schema":          cfg.Postgres.Schema,
		"postgres.max_connections": int(cfg.Postgres.MaxConnections),
	}, written, "defaults")
	assert.Equal(t, join(storeKinds), strings.Join(s.Properties["store"].Enum, ", "))
	assert.Equal(t, join(sqlitestore.Synchronouses), strings.Join(s.Properties["sqlite"].Properties["synchronous"].Enum, ", "))

	var names []string
	for name := range written {
		names = append(names, name)
	}
	slices.Sort(names)
	assert.Equal(t, keys(reflect.TypeFor[Config](), ""), names)
}

// keys lists the configuration keys of our own structs; those of the collector describe themselves.
func keys(t reflect.Type, prefix string) (out []string) {
	for f := range t.Fields() {
		tag, options, _ := strings.Cut(f.Tag.Get("mapstructure"), ",")
		switch {
		case !f.IsExported():
		case options == "squash":
			out = append(out, keys(f.Type, prefix)...)
		case f.Type.PkgPath() == t.PkgPath() && f.Type.Kind() == reflect.Struct:
			out = append(out, keys(f.Type, prefix+tag+".")...)
		default:
			out = append(out, prefix+tag)
		}
	}
	slices.Sort(out)
	return out
}

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
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
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
	open, failures, ratio, slow := 2*time.Minute, 0, 0.9, 5*time.Second
	server := createDefaultConfig().(*Config).API.GetOrInsertDefault()
	server.NetAddr.Endpoint = "localhost:9999"
	api := configoptional.Some(*server)
	redis := defaultRedis()
	redis.Endpoint, redis.Username, redis.Password, redis.DB = "redis.internal:6380", "collector", "secret", 3
	redis.TLS = configoptional.Some(configtls.ClientConfig{Config: configtls.Config{CAFile: "ca.pem"}})
	redis.Prefix, redis.Interval = "team-a", 500*time.Millisecond
	for name, want := range map[string]*Config{
		"breaker": {
			Window: time.Minute, Buckets: 10, AllowedLateness: 30 * time.Second,
			FailureRatio: 0.5, MinimumCalls: 10, ConsecutiveFailures: 5, SlowCallRatio: 0.5,
			OpenDuration: 30 * time.Second, MaxOpenDuration: 5 * time.Minute, HalfOpenSuccesses: 3,
			MaxKeys: 10_000, MaxCalls: 100_000, Key: defaultKey(), API: defaults().API, Shared: defaults().Shared,
		},
		"breaker/all": {
			Window: 2 * time.Minute, Buckets: 12, AllowedLateness: 10 * time.Second,
			FailureRatio: 0.25, MinimumCalls: 20, ConsecutiveFailures: 10,
			SlowCallDuration: 20 * time.Second, SlowCallRatio: 0.8,
			OpenDuration: time.Minute, MaxOpenDuration: 10 * time.Minute, HalfOpenSuccesses: 1,
			Overrides: []Override{
				{Operation: "embed*", Disabled: true},
				{Provider: "openai", OpenDuration: &open, ConsecutiveFailures: &failures, FailureRatio: &ratio, SlowCallDuration: &slow},
			},
			MaxKeys: 50, MaxCalls: 1000, API: api, Shared: SharedConfig{Redis: configoptional.Some(redis)},
			Key: KeyConfig{Operation: []string{"rpc.method"}, Provider: []string{"server.address", "peer.service"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := load(t, name)
			assert.Equal(t, want, cfg)
			assert.NoError(t, confmap.Validate(cfg))
		})
	}
}

func TestAConfigTellsAllItsProblemsAtOnce(t *testing.T) {
	assert.EqualError(t, load(t, "breaker/nonsense").Validate(), `window is 0s; it must be between 1s and 1h0m0s
buckets is 61; it must be between 1 and 60
allowed_lateness is 30s; it must be between 0s and 0s
failure_ratio is NaN; it must be between 0 and 1
minimum_calls is 0; it must be 1 or more
consecutive_failures is -1; it must be between 0 and 1000
slow_call_duration is -1s; it must be 0s or more
slow_call_ratio is 50; it must be between 0 and 1
open_duration is -1s; it must be between 1ms and 24h0m0s
max_open_duration is 25h0m0s; it must be between 1ms and 24h0m0s
half_open_successes is 1001; it must be between 1 and 1000
key::operation is []: want the names of one or more attributes
key::provider is [""]: want the names of one or more attributes
shared::redis::endpoint is empty; it must be host:port, or the path of a socket with transport: unix
shared::redis::transport is "udp"; it must be tcp or unix
shared::redis::db is -1; it must be 0 or more
shared::redis::prefix is "{a}"; it must not be empty, nor contain { or }
shared::redis::interval is 1ms; it must be between 100ms and 1m0s
max_keys is 0; it must be 1 or more
max_calls is -5; it must be 1 or more`)
	assert.EqualError(t, load(t, "breaker/overrides").Validate(), `overrides::0::operation is "[", which is no pattern
overrides::1::failure_ratio is 2; it must be between 0 and 1
overrides::1::max_open_duration is 5m0s; it must be between 10m0s and 24h0m0s`)
}

func TestZeroTurnsARuleOff(t *testing.T) {
	cfg := load(t, "breaker/off")
	require.NoError(t, cfg.Validate())
	s := breaker.New(cfg.settings())
	key := breaker.Key{Operation: "chat", Provider: "x"}
	for i := range 50 {
		_, changed := s.Record(key, breaker.Outcome{Start: at(float64(i)), End: at(float64(i))}, at(100))
		assert.False(t, changed)
	}
}

func TestOverrides(t *testing.T) {
	cfg := load(t, "breaker/all")
	require.NoError(t, cfg.Validate())
	r := breaker.New(cfg.settings())
	for provider, want := range map[string]int{"openai": 20, "other": 10} {
		n := 0
		for ; ; n++ {
			end := at(float64(n))
			if _, opened := r.Record(breaker.Key{Operation: "chat", Provider: provider}, breaker.Outcome{Start: end, End: end}, end); opened {
				break
			}
			_, opened := r.Record(breaker.Key{Operation: "embeddings", Provider: provider}, breaker.Outcome{Start: end, End: end}, end)
			require.False(t, opened)
		}
		assert.Equal(t, want, n+1, provider)
	}
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
		if tag != "shared" { // its own options have defaults
			assert.Equal(t, fmt.Sprint(defaults.Get(tag)), fmt.Sprint(schema.Get("properties::"+tag+"::default")), tag)
		}
	}
	names := []string{}
	for name := range properties.ToStringMap() {
		names = append(names, name)
	}
	assert.ElementsMatch(t, tags, names)
}

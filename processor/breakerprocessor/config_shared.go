// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
)

// SharedConfig says through what several collectors judge as one.
type SharedConfig struct {
	// Redis is where counts and changes of state are shared. Off unless named.
	Redis configoptional.Optional[RedisConfig] `mapstructure:"redis"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// RedisConfig is how to reach a Redis, version 5 or later, or what speaks its protocol and runs its Lua scripts.
type RedisConfig struct {
	// AddrConfig is the endpoint, host:port (default localhost:6379), and the transport: tcp (default) or unix.
	confignet.AddrConfig `mapstructure:",squash"`
	// Username and Password, where Redis asks for them.
	Username string              `mapstructure:"username"`
	Password configopaque.String `mapstructure:"password"`
	// DB is the number of the database.
	DB int `mapstructure:"db"`
	// TLS is for the connection; without it, it is not encrypted.
	TLS configoptional.Optional[configtls.ClientConfig] `mapstructure:"tls"`
	// Prefix of all keys in Redis. Collectors with the same one share their breakers, as far as their window, buckets
	// are the same too.
	Prefix string `mapstructure:"prefix"`
	// Interval is how often collectors exchange what is new.
	Interval time.Duration `mapstructure:"interval"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// The bounds of the interval: more often would only load Redis, less often would be no fleet's view.
const (
	minInterval = 100 * time.Millisecond
	maxInterval = time.Minute
)

func defaultRedis() RedisConfig {
	return RedisConfig{
		AddrConfig: confignet.AddrConfig{Endpoint: "localhost:6379", Transport: confignet.TransportTypeTCP},
		Prefix:     "stageflow:breakers",
		Interval:   time.Second,
	}
}

func (c *RedisConfig) validate(p *problems) {
	const at = "shared::redis::"
	if c.Endpoint == "" {
		p.add(at + "endpoint is empty; it must be host:port, or the path of a socket with transport: unix")
	}
	if c.Transport != confignet.TransportTypeTCP && c.Transport != confignet.TransportTypeUnix {
		p.add(at+"transport is %q; it must be tcp or unix", c.Transport)
	}
	if c.DB < 0 {
		p.add(at+"db is %d; it must be 0 or more", c.DB)
	}
	if c.Prefix == "" || strings.ContainsAny(c.Prefix, "{}") {
		p.add(at+"prefix is %q; it must not be empty, nor contain { or }", c.Prefix)
	}
	between(p, at+"interval", c.Interval, minInterval, maxInterval)
}

// client makes the client; it connects when it is used.
func (c *RedisConfig) client(ctx context.Context) (*redis.Client, error) {
	o := &redis.Options{
		Network: string(c.Transport), Addr: c.Endpoint,
		Username: c.Username, Password: string(c.Password), DB: c.DB,
		// One goroutine uses it, and tries again by itself. After as many errors as the size of its pool, the client
		// would rather try in a goroutine of its own, which outlives Close by a second.
		PoolSize: 1024, MaxRetries: -1, DialerRetries: 1,
		DialTimeout: answerTime, ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if c.TLS.HasValue() {
		tls, err := c.TLS.Get().LoadTLSConfig(ctx)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		o.TLSConfig = tls
	}
	return redis.NewClient(o), nil
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"

	"github.com/stageflow/otelcol-stageflow/internal/configkeys"
	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
)

// Config says when a breaker opens and closes, and how much is remembered.
type Config struct {
	// Window is how much event time the ratios look at.
	Window time.Duration `mapstructure:"window"`
	// Buckets is how many the window has; it moves by one of them.
	Buckets int `mapstructure:"buckets"`
	// AllowedLateness is how far behind the newest call of its breaker a call may have ended and still count.
	AllowedLateness time.Duration `mapstructure:"allowed_lateness"`
	// FailureRatio is the share of the window's calls that must fail to open a breaker; 0 turns this off.
	FailureRatio float64 `mapstructure:"failure_ratio"`
	// MinimumCalls is how many calls the window must hold for its ratios to count.
	MinimumCalls int `mapstructure:"minimum_calls"`
	// ConsecutiveFailures is how many failures in a row open a breaker; 0 turns this off.
	ConsecutiveFailures int `mapstructure:"consecutive_failures"`
	// SlowCallDuration is how long a call takes that counts as slow; 0 turns this off.
	SlowCallDuration time.Duration `mapstructure:"slow_call_duration"`
	// SlowCallRatio is the share of the window's calls that must be slow to open a breaker; 0 turns this off.
	SlowCallRatio float64 `mapstructure:"slow_call_ratio"`
	// OpenDuration is how long a breaker stays open before calls may try the provider again. It doubles every time
	// that they fail.
	OpenDuration time.Duration `mapstructure:"open_duration"`
	// MaxOpenDuration bounds that.
	MaxOpenDuration time.Duration `mapstructure:"max_open_duration"`
	// HalfOpenSuccesses is how many calls that started after the open period must succeed to close a breaker.
	HalfOpenSuccesses int `mapstructure:"half_open_successes"`
	// Key says which attributes make the key of a breaker.
	Key KeyConfig `mapstructure:"key"`
	// Overrides are options for some breakers: those of the first that matches.
	Overrides []Override `mapstructure:"overrides"`
	// MaxKeys bounds how many breakers are kept; the one unused for longest goes first.
	MaxKeys int `mapstructure:"max_keys"`
	// MaxCalls bounds how many calls are remembered, so that the record and the span of a call count once.
	MaxCalls int `mapstructure:"max_calls"`
	// Storage is a storage extension (file_storage is one) that keeps the breakers over a restart. Without it all are
	// closed then.
	Storage *component.ID `mapstructure:"storage"`
	// Shared is for several collectors that judge as one.
	Shared SharedConfig `mapstructure:"shared"`
	// API is the HTTP server that answers how the breakers are (default endpoint localhost:4320). Off unless named.
	API configoptional.Optional[confighttp.ServerConfig] `mapstructure:"api"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// Override is options for the breakers that it matches. Those that are not set are as for all others.
type Override struct {
	// Operation and Provider are patterns: * for any text but a slash, ? for one character, [a-z] for a range.
	// Empty, and * alone, match all.
	Operation string `mapstructure:"operation"`
	Provider  string `mapstructure:"provider"`
	// Disabled breakers are always closed.
	Disabled            bool           `mapstructure:"disabled"`
	FailureRatio        *float64       `mapstructure:"failure_ratio"`
	MinimumCalls        *int           `mapstructure:"minimum_calls"`
	ConsecutiveFailures *int           `mapstructure:"consecutive_failures"`
	SlowCallDuration    *time.Duration `mapstructure:"slow_call_duration"`
	SlowCallRatio       *float64       `mapstructure:"slow_call_ratio"`
	OpenDuration        *time.Duration `mapstructure:"open_duration"`
	MaxOpenDuration     *time.Duration `mapstructure:"max_open_duration"`
	HalfOpenSuccesses   *int           `mapstructure:"half_open_successes"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func createDefaultConfig() component.Config {
	s := breaker.DefaultSettings()
	api := confighttp.NewDefaultServerConfig()
	api.NetAddr.Endpoint = "localhost:4320"
	api.WriteTimeout = maxAPIWait + answerWithin // long polls
	return &Config{
		Key:                 defaultKey(),
		Shared:              SharedConfig{Redis: configoptional.Default(defaultRedis())},
		API:                 configoptional.Default(api),
		Window:              s.Window,
		Buckets:             s.Buckets,
		AllowedLateness:     s.AllowedLateness,
		FailureRatio:        s.FailureRatio,
		MinimumCalls:        s.MinimumCalls,
		ConsecutiveFailures: s.ConsecutiveFailures,
		SlowCallRatio:       s.SlowCallRatio,
		OpenDuration:        s.OpenFor,
		MaxOpenDuration:     s.MaxOpenFor,
		HalfOpenSuccesses:   s.HalfOpenSuccesses,
		MaxKeys:             s.MaxKeys,
		MaxCalls:            100_000,
	}
}

// The bounds bound the memory of one breaker: it keeps counts per bucket, and remembers its present streak.
const (
	maxStreak  = 1000
	maxBuckets = 60
	maxWindow  = time.Hour
	maxOpen    = 24 * time.Hour
)

// Unmarshal tells all keys that there are not, with those that there are.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return configkeys.Unmarshal(conf, c) }

// Validate tells everything that is wrong at once.
func (c *Config) Validate() error {
	var p problems
	between(&p, "window", c.Window, time.Second, maxWindow)
	between(&p, "buckets", c.Buckets, 1, maxBuckets)
	between(&p, "allowed_lateness", c.AllowedLateness, 0, 10*min(max(c.Window, 0), maxWindow))
	c.thresholds().validate(&p, "")
	for i := range c.Overrides {
		o := &c.Overrides[i]
		at := fmt.Sprintf("overrides::%d::", i)
		p.pattern(at+"operation", o.Operation)
		p.pattern(at+"provider", o.Provider)
		o.thresholds(c).validate(&p, at)
	}
	for _, names := range []struct {
		key   string
		names []string
	}{{"key::operation", c.Key.Operation}, {"key::provider", c.Key.Provider}} {
		if len(names.names) == 0 || slices.Contains(names.names, "") {
			p.add("%s is %q: want the names of one or more attributes", names.key, names.names)
		}
	}
	if c.Shared.Redis.HasValue() {
		c.Shared.Redis.Get().validate(&p)
	}
	atLeastOne(&p, "max_keys", c.MaxKeys)
	atLeastOne(&p, "max_calls", c.MaxCalls)
	return errors.Join(p...)
}

// thresholds is what may differ between breakers.
type thresholds struct {
	failureRatio, slowCallRatio   float64
	minimumCalls, failures, good  int
	slowCall, openFor, maxOpenFor time.Duration
}

func (c *Config) thresholds() thresholds {
	return thresholds{
		c.FailureRatio, c.SlowCallRatio, c.MinimumCalls, c.ConsecutiveFailures, c.HalfOpenSuccesses,
		c.SlowCallDuration, c.OpenDuration, c.MaxOpenDuration,
	}
}

func (o *Override) thresholds(c *Config) thresholds {
	return thresholds{
		or(o.FailureRatio, c.FailureRatio), or(o.SlowCallRatio, c.SlowCallRatio),
		or(o.MinimumCalls, c.MinimumCalls), or(o.ConsecutiveFailures, c.ConsecutiveFailures), or(o.HalfOpenSuccesses, c.HalfOpenSuccesses),
		or(o.SlowCallDuration, c.SlowCallDuration), or(o.OpenDuration, c.OpenDuration), or(o.MaxOpenDuration, c.MaxOpenDuration),
	}
}

func or[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}

func (t thresholds) validate(p *problems, at string) {
	between(p, at+"failure_ratio", t.failureRatio, 0, 1)
	atLeastOne(p, at+"minimum_calls", t.minimumCalls)
	between(p, at+"consecutive_failures", t.failures, 0, maxStreak)
	if t.slowCall < 0 {
		p.add("%sslow_call_duration is %s; it must be 0s or more", at, t.slowCall)
	}
	between(p, at+"slow_call_ratio", t.slowCallRatio, 0, 1)
	between(p, at+"open_duration", t.openFor, time.Millisecond, maxOpen)
	between(p, at+"max_open_duration", t.maxOpenFor, max(t.openFor, time.Millisecond), maxOpen)
	between(p, at+"half_open_successes", t.good, 1, maxStreak)
}

type problems []error

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

func (p *problems) pattern(key, pattern string) {
	if _, err := path.Match(pattern, ""); err != nil {
		p.add("%s is %q, which is no pattern", key, pattern)
	}
}

// between also finds a value that is no number.
func between[T int | float64 | time.Duration](p *problems, key string, v, low, high T) {
	if v >= low && v <= high {
		return
	}
	p.add("%s is %v; it must be between %v and %v", key, v, low, high)
}

func atLeastOne(p *problems, key string, n int) {
	if n < 1 {
		p.add("%s is %d; it must be 1 or more", key, n)
	}
}

func (c *Config) settings() breaker.Settings {
	s := breaker.Settings{
		Window:              c.Window,
		Buckets:             c.Buckets,
		AllowedLateness:     orOff(c.AllowedLateness),
		FailureRatio:        orOff(c.FailureRatio),
		MinimumCalls:        c.MinimumCalls,
		ConsecutiveFailures: orOff(c.ConsecutiveFailures),
		SlowCallDuration:    orOff(c.SlowCallDuration),
		SlowCallRatio:       orOff(c.SlowCallRatio),
		OpenFor:             c.OpenDuration,
		MaxOpenFor:          c.MaxOpenDuration,
		HalfOpenSuccesses:   c.HalfOpenSuccesses,
		MaxKeys:             c.MaxKeys,
	}
	for i := range c.Overrides {
		o := &c.Overrides[i]
		t := o.thresholds(c)
		s.Overrides = append(s.Overrides, breaker.Override{
			Operation: o.Operation, Provider: o.Provider, Disabled: o.Disabled,
			FailureRatio:        orOff(t.failureRatio),
			MinimumCalls:        t.minimumCalls,
			ConsecutiveFailures: orOff(t.failures),
			SlowCallDuration:    orOff(t.slowCall),
			SlowCallRatio:       orOff(t.slowCallRatio),
			OpenFor:             t.openFor,
			MaxOpenFor:          t.maxOpenFor,
			HalfOpenSuccesses:   t.good,
		})
	}
	return s
}

// orOff turns 0, which is off in a configuration, into what is off in the settings.
func orOff[T int | float64 | time.Duration](v T) T {
	if v == 0 {
		return -1
	}
	return v
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
)

// Config says when a breaker opens and closes, and how much is remembered.
type Config struct {
	// ConsecutiveFailures is how many failures in a row open a breaker.
	ConsecutiveFailures int `mapstructure:"consecutive_failures"`
	// OpenDuration is how long a breaker stays open before calls may try the provider again.
	OpenDuration time.Duration `mapstructure:"open_duration"`
	// HalfOpenSuccesses is how many calls that started after the open period must succeed to close a breaker.
	HalfOpenSuccesses int `mapstructure:"half_open_successes"`
	// MaxKeys bounds how many breakers are kept; the one unused for longest goes first.
	MaxKeys int `mapstructure:"max_keys"`
	// MaxCalls bounds how many calls are remembered, so that the record and the span of a call count once.
	MaxCalls int `mapstructure:"max_calls"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func createDefaultConfig() component.Config {
	s := breaker.DefaultSettings()
	return &Config{
		ConsecutiveFailures: s.ConsecutiveFailures,
		OpenDuration:        s.OpenFor,
		HalfOpenSuccesses:   s.HalfOpenSuccesses,
		MaxKeys:             s.MaxKeys,
		MaxCalls:            100_000,
	}
}

// maxStreak bounds consecutive_failures and half_open_successes: every breaker remembers its present streak.
const maxStreak = 1000

// Validate tells everything that is wrong at once.
func (c *Config) Validate() error {
	var errs []error
	atLeastOne := func(key string, n int) {
		if n < 1 {
			errs = append(errs, fmt.Errorf("%s is %d; it must be 1 or more", key, n))
		}
	}
	streak := func(key string, n int) {
		if n < 1 || n > maxStreak {
			errs = append(errs, fmt.Errorf("%s is %d; it must be between 1 and %d", key, n, maxStreak))
		}
	}
	streak("consecutive_failures", c.ConsecutiveFailures)
	if c.OpenDuration <= 0 {
		errs = append(errs, fmt.Errorf("open_duration is %s; it must be more than 0s", c.OpenDuration))
	}
	streak("half_open_successes", c.HalfOpenSuccesses)
	atLeastOne("max_keys", c.MaxKeys)
	atLeastOne("max_calls", c.MaxCalls)
	return errors.Join(errs...)
}

func (c *Config) settings() breaker.Settings {
	return breaker.Settings{
		ConsecutiveFailures: c.ConsecutiveFailures,
		OpenFor:             c.OpenDuration,
		HalfOpenSuccesses:   c.HalfOpenSuccesses,
		MaxKeys:             c.MaxKeys,
	}
}

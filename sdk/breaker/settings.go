// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import "time"

// Settings say when a breaker opens and closes. Values that are not positive mean the default.
type Settings struct {
	// ConsecutiveFailures is how many failures in a row open a closed breaker.
	ConsecutiveFailures int
	// OpenFor is how long a breaker stays open before it lets calls try again.
	OpenFor time.Duration
	// HalfOpenSuccesses is how many successes close a half-open breaker.
	HalfOpenSuccesses int
	// MaxKeys bounds how many breakers are kept; the one unused for longest goes first.
	MaxKeys int
}

// DefaultSettings returns the settings that both the collector and the SDK start from.
func DefaultSettings() Settings {
	return Settings{ConsecutiveFailures: 5, OpenFor: 30 * time.Second, HalfOpenSuccesses: 3, MaxKeys: 10_000}
}

func (s Settings) orDefaults() Settings {
	d := DefaultSettings()
	if s.ConsecutiveFailures <= 0 {
		s.ConsecutiveFailures = d.ConsecutiveFailures
	}
	if s.OpenFor <= 0 {
		s.OpenFor = d.OpenFor
	}
	if s.HalfOpenSuccesses <= 0 {
		s.HalfOpenSuccesses = d.HalfOpenSuccesses
	}
	if s.MaxKeys <= 0 {
		s.MaxKeys = d.MaxKeys
	}
	return s
}

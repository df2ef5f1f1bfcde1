// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"cmp"
	"math"
	"path"
	"time"
)

// Settings say when a breaker opens and closes. Zero means the default; where it makes sense, negative means off.
// What is out of bounds counts as the nearest bound.
type Settings struct {
	// Window is how much event time the ratios look at; default 60 s, from 1 s to 1 h. The window moves by whole
	// buckets, so that its oldest one leaves at once.
	Window time.Duration
	// Buckets is how many the window has; default 10, at most 60. Their borders are the same in every process.
	Buckets int
	// AllowedLateness is how far behind the newest event time of its key an outcome may be and still count;
	// default 30 s, at most ten windows, negative: none.
	AllowedLateness time.Duration
	// ClockTolerance is how far ahead of now a time may be before it counts as that much ahead; default 5 s, at
	// most 1 h, negative: none.
	ClockTolerance time.Duration

	// FailureRatio of the calls in the window opens a closed breaker; default 0.5, negative: off.
	FailureRatio float64
	// MinimumCalls is how many calls the window must hold for its ratios to count; default 10.
	MinimumCalls int
	// ConsecutiveFailures is how many failures in a row open a closed breaker; default 5, at most 1000, negative: off.
	ConsecutiveFailures int
	// SlowCallDuration is how long a call takes that counts as slow, whether it succeeds or not; default off.
	SlowCallDuration time.Duration
	// SlowCallRatio of the calls in the window opens a closed breaker; default 0.5, negative: off. It needs
	// SlowCallDuration.
	SlowCallRatio float64

	// OpenFor is how long a breaker stays open before calls may try again; default 30 s, at most 24 h. It doubles
	// with every opening that follows without a close in between.
	OpenFor time.Duration
	// MaxOpenFor bounds that, and what a provider asks for by Retry-After; default 300 s, at least OpenFor.
	MaxOpenFor time.Duration
	// Jitter is the share by which the time open differs between keys and openings, to either side, so that not
	// all breakers try again at one moment; default 0.1, at most 0.5, negative: none.
	Jitter float64
	// HalfOpenSuccesses is how many successes close a half-open breaker; default 3, at most 1000.
	HalfOpenSuccesses int
	// HalfOpenProbes is how many calls [Registry.Allow] permits at once while half-open; default as many as
	// HalfOpenSuccesses, at most 1000.
	HalfOpenProbes int

	// MaxKeys bounds how many breakers are kept; default 10,000. The one unused for longest goes first.
	MaxKeys int
	// Overrides are settings for some keys. The first that matches counts, the others do not.
	Overrides []Override
	// Source names this process among those that share state; it decides only what time leaves undecided.
	Source string
}

// Override is settings for the keys that it matches. Zero means as in [Settings], negative means off as there.
type Override struct {
	// Operation and Provider match as [path.Match] does; "" and "*" match all, names with a slash included. What
	// is not a pattern matches nothing.
	Operation, Provider string
	// Disabled breakers are always closed. Their calls are counted all the same.
	Disabled bool

	FailureRatio        float64
	MinimumCalls        int
	ConsecutiveFailures int
	SlowCallDuration    time.Duration
	SlowCallRatio       float64
	OpenFor             time.Duration
	MaxOpenFor          time.Duration
	HalfOpenSuccesses   int
	HalfOpenProbes      int
}

// The bounds of what settings may ask for. They bound the memory of one breaker: it keeps a count per bucket, a
// time per failure in a row and per probe.
const (
	minWindow    = time.Second
	maxWindow    = time.Hour
	maxBuckets   = 60
	maxWindows   = 10 // of allowed lateness
	maxTolerance = time.Hour
	maxInARow    = 1000
	maxOpen      = 24 * time.Hour
	maxJitter    = 0.5
	maxKeys      = 1 << 24
)

// DefaultSettings returns the settings that both the collector and the SDK start from.
func DefaultSettings() Settings {
	return Settings{
		Window:          time.Minute,
		Buckets:         10,
		AllowedLateness: 30 * time.Second,
		ClockTolerance:  5 * time.Second,

		FailureRatio:        0.5,
		MinimumCalls:        10,
		ConsecutiveFailures: 5,
		SlowCallDuration:    -1,
		SlowCallRatio:       0.5,

		OpenFor:           30 * time.Second,
		MaxOpenFor:        300 * time.Second,
		Jitter:            0.1,
		HalfOpenSuccesses: 3,
		HalfOpenProbes:    3,

		MaxKeys: 10_000,
	}
}

func (s Settings) orDefaults() Settings {
	d := DefaultSettings()
	s.Window = bounded(s.Window, d.Window, minWindow, maxWindow)
	s.Buckets = positive(s.Buckets, d.Buckets, maxBuckets)
	s.AllowedLateness = bounded(s.AllowedLateness, d.AllowedLateness, 0, maxWindows*s.Window)
	s.ClockTolerance = bounded(s.ClockTolerance, d.ClockTolerance, 0, maxTolerance)
	s.FailureRatio = orOff(ratio(s.FailureRatio), d.FailureRatio)
	s.MinimumCalls = positive(s.MinimumCalls, d.MinimumCalls, math.MaxInt32)
	s.ConsecutiveFailures = min(orOff(s.ConsecutiveFailures, d.ConsecutiveFailures), maxInARow)
	s.SlowCallDuration = orOff(s.SlowCallDuration, d.SlowCallDuration)
	s.SlowCallRatio = orOff(ratio(s.SlowCallRatio), d.SlowCallRatio)
	s.OpenFor = positive(s.OpenFor, d.OpenFor, maxOpen)
	s.MaxOpenFor = max(positive(s.MaxOpenFor, d.MaxOpenFor, maxOpen), s.OpenFor)
	s.Jitter = min(orOff(ratio(s.Jitter), d.Jitter), maxJitter)
	s.HalfOpenSuccesses = positive(s.HalfOpenSuccesses, d.HalfOpenSuccesses, maxInARow)
	s.HalfOpenProbes = positive(s.HalfOpenProbes, s.HalfOpenSuccesses, maxInARow)
	s.MaxKeys = positive(s.MaxKeys, d.MaxKeys, maxKeys)
	return s
}

// positive is v, the default d where v is not positive, and no more than limit.
func positive[T int | time.Duration](v, d, limit T) T {
	if v <= 0 {
		return min(d, limit)
	}
	return min(v, limit)
}

// bounded is v, the default d where v is zero, and between low and high.
func bounded(v, d, low, high time.Duration) time.Duration { return min(max(cmp.Or(v, d), low), high) }

// orOff is v, the default d where v is zero, and -1 for off where it is negative.
func orOff[T int | float64 | time.Duration](v, d T) T { return max(cmp.Or(v, d), -1) }

// ratio makes one of any number: no number is none.
func ratio(f float64) float64 {
	if math.IsNaN(f) {
		return 0
	}
	return f
}

// with returns the settings of the keys that o matches.
func (s Settings) with(o *Override) Settings {
	s.FailureRatio = cmp.Or(ratio(o.FailureRatio), s.FailureRatio)
	s.MinimumCalls = cmp.Or(o.MinimumCalls, s.MinimumCalls)
	s.ConsecutiveFailures = cmp.Or(o.ConsecutiveFailures, s.ConsecutiveFailures)
	s.SlowCallDuration = cmp.Or(o.SlowCallDuration, s.SlowCallDuration)
	s.SlowCallRatio = cmp.Or(ratio(o.SlowCallRatio), s.SlowCallRatio)
	s.OpenFor = cmp.Or(o.OpenFor, s.OpenFor)
	s.MaxOpenFor = cmp.Or(o.MaxOpenFor, s.MaxOpenFor)
	s.HalfOpenSuccesses = cmp.Or(o.HalfOpenSuccesses, s.HalfOpenSuccesses)
	s.HalfOpenProbes = cmp.Or(o.HalfOpenProbes, s.HalfOpenProbes)
	return s.orDefaults()
}

func (o *Override) matches(k Key) bool {
	return matches(o.Operation, k.Operation) && matches(o.Provider, k.Provider)
}

func matches(pattern, name string) bool {
	if pattern == "" || pattern == "*" {
		return true
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// policy is the settings of one key as the machine needs them: durations are nanoseconds.
type policy struct {
	failureRatio, slowRatio  float64 // not positive: off
	minCalls                 uint64
	consecutive              int   // not positive: off
	slow                     int64 // not positive: off
	openFor, maxOpen         int64
	jitter                   float64
	halfSuccesses, maxProbes int
	disabled                 bool
}

// policy takes settings that went through orDefaults.
func (s *Settings) policy(disabled bool) *policy {
	return &policy{
		failureRatio:  s.FailureRatio,
		slowRatio:     s.SlowCallRatio,
		minCalls:      uint64(s.MinimumCalls), //nolint:gosec // positive
		consecutive:   s.ConsecutiveFailures,
		slow:          int64(s.SlowCallDuration),
		openFor:       int64(s.OpenFor),
		maxOpen:       int64(s.MaxOpenFor),
		jitter:        max(s.Jitter, 0),
		halfSuccesses: s.HalfOpenSuccesses,
		maxProbes:     s.HalfOpenProbes,
		disabled:      disabled,
	}
}

// longestStreak is how many failures in a row are remembered.
func (p *policy) longestStreak() int { return max(p.consecutive, 1) }

// geometry is the shape of every window, in nanoseconds and buckets.
type geometry struct {
	width     int64 // of one bucket
	window    int   // buckets of the window
	ring      int   // buckets that are kept: the window that ends at the latest admissible outcome is whole
	lateness  int64
	tolerance int64
}

func (s *Settings) geometry() geometry {
	g := geometry{
		width:     int64(s.Window) / int64(s.Buckets),
		window:    s.Buckets,
		lateness:  int64(s.AllowedLateness),
		tolerance: int64(s.ClockTolerance),
	}
	g.ring = g.window + int((g.lateness+g.width-1)/g.width)
	return g
}

// bucket is the number of the bucket that holds t, the same in every process.
func (g *geometry) bucket(t int64) int64 {
	b := t / g.width
	if t%g.width < 0 {
		b--
	}
	return b
}

// start of bucket b.
func (g *geometry) start(b int64) int64 { return b * g.width }

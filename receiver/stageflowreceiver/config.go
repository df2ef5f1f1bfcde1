// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"errors"
	"fmt"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/stanza/fileconsumer"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"

	"github.com/stageflow/otelcol-stageflow/internal/configkeys"
)

// Config is what users set.
type Config struct {
	// Protocols are the OTLP servers, as in the otlp receiver: grpc (default endpoint localhost:4317) and http
	// (localhost:4318). A protocol that is not named is off.
	Protocols otlpreceiver.Protocols `mapstructure:"protocols"`
	// Events is the HTTP server for POST /v1/events (default endpoint localhost:4319). Off unless named.
	Events configoptional.Optional[confighttp.ServerConfig] `mapstructure:"events"`
	// Files says from which files events are read, one a line, with the keys of the filelog receiver. Off unless named.
	// Defaults that differ from there: start_at beginning, compression auto, on_truncate read_whole_file,
	// max_log_size_behavior truncate; a line that does not end yet waits for its end.
	Files configoptional.Optional[fileconsumer.Config] `mapstructure:"files"`
	// Redact says what must not leave the receiver: it is taken out of events before anything else looks at them.
	Redact RedactConfig `mapstructure:"redact"`
	// Runs says when a run is over.
	Runs RunsConfig `mapstructure:"runs"`
	// Storage is a storage extension (file_storage is one) that keeps the runs in flight, and how far files have been
	// read, over a crash or a restart of the collector. Without it they are kept in memory only.
	Storage *component.ID `mapstructure:"storage"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// RedactConfig says what must not leave the receiver.
type RedactConfig struct {
	// Keys name fields of events, whose values are replaced whole: a name, or names with a dot between them, compared
	// from the end of the field's path in any case of letters. * and ? stand for text without a dot.
	Keys []string `mapstructure:"keys"`
	// Patterns are regular expressions; what they match in texts, numbers and names of fields is replaced.
	Patterns []string `mapstructure:"patterns"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// RunsConfig says when a run is over and how many may be in flight.
type RunsConfig struct {
	// Settle is how long a run that told its end waits for stragglers. Default 1s.
	Settle time.Duration `mapstructure:"settle"`
	// FlushAfter is how long a run that goes on keeps what has finished; then it is sent. Default 60s.
	FlushAfter time.Duration `mapstructure:"flush_after"`
	// IdleTimeout is the silence after which a run with nothing open is taken to have ended. Default 5m.
	IdleTimeout time.Duration `mapstructure:"idle_timeout"`
	// AbandonAfter is the silence after which a run with something open is given up. Default 15m.
	AbandonAfter time.Duration `mapstructure:"abandon_after"`
	// MaxActive bounds the runs in flight; beyond it requests are answered 429. Default 100000.
	MaxActive int `mapstructure:"max_active"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var _ component.Config = (*Config)(nil)

func createDefaultConfig() component.Config {
	events := confighttp.NewDefaultServerConfig()
	events.NetAddr.Endpoint = "localhost:4319"
	return &Config{
		Protocols: newOTLPFactory().CreateDefaultConfig().(*otlpreceiver.Config).Protocols,
		Events:    configoptional.Default(events),
		Files:     configoptional.Default(newFilesConfig()),
		Runs: RunsConfig{
			Settle:       time.Second,
			FlushAfter:   time.Minute,
			IdleTimeout:  5 * time.Minute,
			AbandonAfter: 15 * time.Minute,
			MaxActive:    100_000,
		},
	}
}

// Unmarshal tells all keys that there are not, with those that there are.
func (cfg *Config) Unmarshal(conf *confmap.Conf) error { return configkeys.Unmarshal(conf, cfg) }

// Validate reports everything that is wrong with the configuration at once.
func (cfg *Config) Validate() error {
	var errs error
	if !cfg.hasOTLP() && !cfg.Events.HasValue() && !cfg.Files.HasValue() {
		errs = errors.Join(errs, errors.New("nothing to receive from: set at least one of protocols::grpc, protocols::http, events, files"))
	}
	if cfg.Files.HasValue() {
		errs = errors.Join(errs, validateFiles(cfg.Files.Get()))
	}
	_, err := newRedactor(cfg.Redact)
	return errors.Join(errs, err, cfg.Runs.validate())
}

func (cfg *Config) hasOTLP() bool {
	return cfg.Protocols.GRPC.HasValue() || cfg.Protocols.HTTP.HasValue()
}

func (r *RunsConfig) validate() error {
	var errs error
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"settle", r.Settle}, {"flush_after", r.FlushAfter}, {"idle_timeout", r.IdleTimeout}, {"abandon_after", r.AbandonAfter}} {
		if d.value <= 0 {
			errs = errors.Join(errs, fmt.Errorf("runs::%s is %s: it must be above 0", d.key, d.value))
		}
	}
	if r.AbandonAfter < r.IdleTimeout {
		errs = errors.Join(errs, fmt.Errorf("runs::abandon_after is %s: it must not be below runs::idle_timeout, which is %s", r.AbandonAfter, r.IdleTimeout))
	}
	if r.MaxActive <= 0 {
		errs = errors.Join(errs, fmt.Errorf("runs::max_active is %d: it must be above 0", r.MaxActive))
	}
	return errs
}

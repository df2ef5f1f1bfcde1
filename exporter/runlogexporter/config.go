// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/stageflow/otelcol-stageflow/internal/configkeys"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/sqlitestore"
)

// StoreKind names a kind of database.
type StoreKind string

// StoreSQLite is a database in one file on this machine.
const StoreSQLite StoreKind = "sqlite"

var storeKinds = []StoreKind{StoreSQLite, StorePostgres}

// Config is the configuration of the run log exporter.
type Config struct {
	// Store is the kind of database: sqlite for one collector, postgres for any number of them.
	Store StoreKind `mapstructure:"store"`
	// SQLite configures the sqlite store.
	SQLite SQLiteConfig `mapstructure:"sqlite"`
	// Postgres configures the postgres store.
	Postgres PostgresConfig `mapstructure:"postgres"`
	// Retention says what need not be kept; by default everything is.
	Retention RetentionConfig `mapstructure:"retention"`
	// StoreEvents keeps every event with its data, too, for replay; false by default, for they are most of the volume.
	StoreEvents bool `mapstructure:"store_events"`

	// TimeoutConfig bounds one write.
	TimeoutConfig exporterhelper.TimeoutConfig `mapstructure:",squash"`
	// QueueConfig is the queue before the store, and how its items are batched.
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
	// RetryConfig says how a write that failed is tried again.
	RetryConfig configretry.BackOffConfig `mapstructure:"retry_on_failure"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// SQLiteConfig configures the sqlite store.
type SQLiteConfig struct {
	// Path is the database file. It is created, with its directory, when there is none.
	Path string `mapstructure:"path"`
	// Synchronous says when to wait for the disk: normal (at checkpoints: a power loss may undo the last commits), full
	// (at every commit) or off (a power loss may damage the database). None of them matters to a killed process.
	Synchronous sqlitestore.Synchronous `mapstructure:"synchronous"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// RetentionConfig bounds what is kept. The oldest goes first: runs, with everything below them, by their last event.
type RetentionConfig struct {
	// MaxAge is how long after its last event a run is kept; 0 (the default) for ever.
	MaxAge time.Duration `mapstructure:"max_age"`
	// MaxBytes is the size of the data, indexes included, above which the oldest goes; 0 (the default) is no bound.
	MaxBytes int64 `mapstructure:"max_bytes"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var _ component.Config = (*Config)(nil)

// Unmarshal tells all keys that there are not, with those that there are.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return configkeys.Unmarshal(conf, c) }

// Validate reports everything that is wrong with the configuration at once.
func (c *Config) Validate() error {
	var errs []error
	if !slices.Contains(storeKinds, c.Store) {
		errs = append(errs, fmt.Errorf("store: %q is none of: %s", c.Store, join(storeKinds)))
	}
	if c.Store == StoreSQLite && strings.TrimSpace(c.SQLite.Path) == "" {
		errs = append(errs, errors.New("sqlite.path: must name a file, such as ./data/runlog.db"))
	}
	if c.Store == StoreSQLite && !slices.Contains(sqlitestore.Synchronouses, c.SQLite.Synchronous) {
		errs = append(errs, fmt.Errorf("sqlite.synchronous: %q is none of: %s", c.SQLite.Synchronous, join(sqlitestore.Synchronouses)))
	}
	if c.Store == StorePostgres {
		errs = append(errs, c.Postgres.validate())
	}
	if c.Retention.MaxAge < 0 {
		errs = append(errs, fmt.Errorf("retention.max_age: %s must not be negative; 0 keeps runs for ever", c.Retention.MaxAge))
	}
	if c.Retention.MaxBytes < 0 {
		errs = append(errs, fmt.Errorf("retention.max_bytes: %d must not be negative; 0 is no bound", c.Retention.MaxBytes))
	}
	return errors.Join(errs...)
}

func join[T ~string](kinds []T) string {
	var s []string
	for _, k := range kinds {
		s = append(s, string(k))
	}
	return strings.Join(s, ", ")
}

// NewDefaultConfig is the configuration when nothing is configured.
func NewDefaultConfig() *Config {
	queue := exporterhelper.NewDefaultQueueConfig()
	// Counting requests would let a few large ones use any amount of memory.
	queue.Sizer = exporterhelper.RequestSizerTypeItems
	queue.QueueSize = 100_000
	// There is one writer: more consumers would only wait for it.
	queue.NumConsumers = 1
	queue.Batch = configoptional.Some(exporterhelper.BatchConfig{
		Sizer: exporterhelper.RequestSizerTypeItems,
		// Short, so that a run is seen as running within a second of its first event.
		FlushTimeout: 200 * time.Millisecond,
		// Past some thousand rows a larger transaction is no cheaper per row, only longer.
		MinSize: 4096,
		MaxSize: 8192,
	})
	retry := configretry.NewDefaultBackOffConfig()
	retry.InitialInterval = 500 * time.Millisecond // locks are short
	retry.MaxElapsedTime = 0                       // a finite time would drop the item, from a persistent queue too
	return &Config{
		Store:         StoreSQLite,
		SQLite:        SQLiteConfig{Path: "./data/runlog.db", Synchronous: sqlitestore.SynchronousNormal},
		Postgres:      newDefaultPostgresConfig(),
		TimeoutConfig: exporterhelper.TimeoutConfig{Timeout: 30 * time.Second},
		QueueConfig:   configoptional.Some(queue),
		RetryConfig:   retry,
	}
}

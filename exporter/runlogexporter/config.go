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
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

// StoreKind names a kind of database.
type StoreKind string

// StoreSQLite is a database in one file on this machine.
const StoreSQLite StoreKind = "sqlite"

var storeKinds = []StoreKind{StoreSQLite}

// Config is the configuration of the run log exporter.
type Config struct {
	// Store is the kind of database; only sqlite today.
	Store StoreKind `mapstructure:"store"`
	// SQLite configures the sqlite store.
	SQLite SQLiteConfig `mapstructure:"sqlite"`

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

	// prevent unkeyed literal initialization
	_ struct{}
}

var _ component.Config = (*Config)(nil)

// Validate reports everything that is wrong with the configuration at once.
func (c *Config) Validate() error {
	var errs []error
	if !slices.Contains(storeKinds, c.Store) {
		errs = append(errs, fmt.Errorf("store: %q is none of: %s", c.Store, join(storeKinds)))
	}
	if c.Store == StoreSQLite && strings.TrimSpace(c.SQLite.Path) == "" {
		errs = append(errs, errors.New("sqlite.path: must name a file, such as ./data/runlog.db"))
	}
	return errors.Join(errs...)
}

func join(kinds []StoreKind) string {
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
		SQLite:        SQLiteConfig{Path: "./data/runlog.db"},
		TimeoutConfig: exporterhelper.TimeoutConfig{Timeout: 30 * time.Second},
		QueueConfig:   configoptional.Some(queue),
		RetryConfig:   retry,
	}
}

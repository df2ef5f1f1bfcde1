// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"fmt"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// Synchronous says when SQLite waits for the disk (PRAGMA synchronous). With any of them a killed process loses
// nothing that was committed.
type Synchronous string

// The ways to wait.
const (
	// SynchronousNormal waits at checkpoints only: a power loss may undo the last commits and damages nothing. The default.
	SynchronousNormal Synchronous = "normal"
	// SynchronousFull waits at every commit: nothing that was committed is lost.
	SynchronousFull Synchronous = "full"
	// SynchronousOff never waits: a power loss may damage the database.
	SynchronousOff Synchronous = "off"
)

// Synchronouses are all ways to wait, the default first.
var Synchronouses = []Synchronous{SynchronousNormal, SynchronousFull, SynchronousOff}

// options are what a store is opened with.
type options struct {
	synchronous Synchronous
	busyTimeout time.Duration
	// wait passes the time until opening is tried again.
	wait func(time.Duration)
}

// Option changes how a store is opened.
type Option func(*options)

// WithSynchronous says when to wait for the disk; "" is the default.
func WithSynchronous(s Synchronous) Option {
	return func(o *options) {
		if s != "" {
			o.synchronous = s
		}
	}
}

// withBusyTimeout says how long to wait for another process that writes; 5 s by default.
func withBusyTimeout(d time.Duration) Option { return func(o *options) { o.busyTimeout = d } }

// withWait replaces the passing of time while opening.
func withWait(wait func(time.Duration)) Option { return func(o *options) { o.wait = wait } }

func newOptions(opts []Option) options {
	o := options{synchronous: SynchronousNormal, busyTimeout: 5 * time.Second, wait: time.Sleep}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// retryOpening is how long opening waits between two tries.
const retryOpening = 50 * time.Millisecond

// patiently tries as long as another process holds the database, for the busy timeout.
func (o options) patiently(try func() error) error {
	err := try()
	for left := o.busyTimeout; left > 0 && code(err) == sqlite3.SQLITE_BUSY; left -= retryOpening {
		o.wait(retryOpening)
		err = try()
	}
	return err
}

func (o options) busySQL() string {
	return fmt.Sprintf("PRAGMA busy_timeout = %d", o.busyTimeout.Milliseconds())
}

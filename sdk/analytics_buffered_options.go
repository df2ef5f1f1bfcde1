// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"errors"
	"fmt"
	"time"
)

// BufferedExporterOption is a setting of [NewBufferedExporter].
type BufferedExporterOption func(*bufferedConfig)

type bufferedConfig struct {
	batchSize   int
	interval    time.Duration
	maxSize     int
	mark        float64
	onOverflow  func(dropped, size int)
	maxAttempts int
}

// WithBatchSize says how many events are exported at once. Default: 100. One above the buffer's size stands for that.
func WithBatchSize(events int) BufferedExporterOption {
	return func(c *bufferedConfig) { c.batchSize = events }
}

// WithFlushInterval says how long events wait for a batch to fill. Default: 10 s.
func WithFlushInterval(every time.Duration) BufferedExporterOption {
	return func(c *bufferedConfig) { c.interval = every }
}

// WithMaxBufferSize says how many events may wait. Default: 10,000. A batch that is being exported is beside them.
func WithMaxBufferSize(events int) BufferedExporterOption {
	return func(c *bufferedConfig) { c.maxSize = events }
}

// WithHighWaterMark says how full, 0 to 1, the buffer may become before the function of [WithOnOverflow] is warned.
// Default: 0.8.
func WithHighWaterMark(ratio float64) BufferedExporterOption {
	return func(c *bufferedConfig) { c.mark = ratio }
}

// WithOnOverflow names a function to be told of a buffer that runs over. After a drop, dropped is how many events were
// dropped since the beginning and size how many are left. At or above the high-water mark, dropped is −1 and size how
// many events wait; that is said again only after the buffer was below half of the mark.
//
// It is called inside Export, Flush or Close, without a lock: it may use the exporter, but callers wait for it. Calls
// never overlap: what happens while one runs is told, put together, with the next call of the exporter. A panic in it
// is dropped.
func WithOnOverflow(f func(dropped, size int)) BufferedExporterOption {
	return func(c *bufferedConfig) { c.onOverflow = f }
}

// WithMaxAttempts says how often a batch is tried before it is given up. Default: 8, over 22.5 s: longer than a
// service takes to restart.
func WithMaxAttempts(n int) BufferedExporterOption {
	return func(c *bufferedConfig) { c.maxAttempts = n }
}

func (c *bufferedConfig) validate() error {
	var errs []error
	if c.batchSize <= 0 {
		errs = append(errs, fmt.Errorf("batch size %d: want 1 or more", c.batchSize))
	}
	if c.interval <= 0 {
		errs = append(errs, fmt.Errorf("flush interval %s: want more than 0", c.interval))
	}
	if c.maxSize <= 0 {
		errs = append(errs, fmt.Errorf("max buffer size %d: want 1 or more", c.maxSize))
	}
	if !(c.mark >= 0 && c.mark <= 1) {
		errs = append(errs, fmt.Errorf("high-water mark %g: want 0 to 1", c.mark))
	}
	if c.maxAttempts <= 0 {
		errs = append(errs, fmt.Errorf("max attempts %d: want 1 or more", c.maxAttempts))
	}
	return errors.Join(errs...)
}

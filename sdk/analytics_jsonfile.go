// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// JSONFileOption is a setting of [NewJSONFileExporter].
type JSONFileOption func(*jsonFileConfig)

type jsonFileConfig struct{ overwrite bool }

// WithOverwrite empties a file that is there. Default: lines are appended to it.
func WithOverwrite() JSONFileOption { return func(c *jsonFileConfig) { c.overwrite = true } }

// JSONFileExporter writes events to a file, a line of JSON each as [AnalyticsEvent.MarshalJSON] describes. When Export
// returns, the operating system has the line; nothing is synced to the disk.
type JSONFileExporter struct {
	now func() time.Time

	mu   sync.Mutex
	file *os.File // nil when closed
	torn bool     // the file does not end with a newline
}

var _ Exporter = (*JSONFileExporter)(nil)

// NewJSONFileExporter opens the file, and makes it and the folders above it where they are missing. A new file is
// readable by its owner only: events may tell of users. The error is the file system's. Close it.
func NewJSONFileExporter(path string, opts ...JSONFileOption) (*JSONFileExporter, error) {
	var c jsonFileConfig
	for _, opt := range opts {
		opt(&c)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("stageflow: analytics file: %w", err)
	}
	flags := os.O_CREATE | os.O_APPEND | os.O_WRONLY
	if c.overwrite {
		flags |= os.O_TRUNC
	}
	file, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("stageflow: analytics file: %w", err)
	}
	return &JSONFileExporter{now: time.Now, file: file, torn: endsTorn(path)}, nil
}

// endsTorn tells whether whoever wrote the file before died in the middle of a line. A file that may be written but
// not read is taken as whole.
func endsTorn(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }() // only read
	var last [1]byte
	_, err = file.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

// Export appends the event. The error is the file system's, or [ErrExporterClosed].
func (j *JSONFileExporter) Export(ctx context.Context, event AnalyticsEvent) error {
	return j.ExportBatch(ctx, []AnalyticsEvent{event})
}

// ExportBatch appends the events in one write. Where that fails halfway, the next one begins on a new line.
func (j *JSONFileExporter) ExportBatch(_ context.Context, events []AnalyticsEvent) error {
	var lines bytes.Buffer
	for _, e := range events {
		if err := e.at(j.now).writeLine(&lines); err != nil {
			return fmt.Errorf("stageflow: analytics event: %w", err)
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return ErrExporterClosed
	}
	if lines.Len() == 0 {
		return nil
	}
	if j.torn {
		if _, err := io.WriteString(j.file, "\n"); err != nil {
			return fmt.Errorf("stageflow: analytics file: %w", err)
		}
		j.torn = false
	}
	if n, err := j.file.Write(lines.Bytes()); err != nil {
		j.torn = n > 0 && lines.Bytes()[n-1] != '\n'
		return fmt.Errorf("stageflow: analytics file: %w", err)
	}
	return nil
}

// Close closes the file. Further events are refused with [ErrExporterClosed].
func (j *JSONFileExporter) Close(context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	file := j.file
	j.file = nil
	return file.Close()
}

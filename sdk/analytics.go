// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// ErrExporterClosed is what an [Exporter] answers after its Close.
var ErrExporterClosed = errors.New("stageflow: exporter is closed")

// AnalyticsEvent is an event on its way to an [Exporter]. All but the type may be missing.
type AnalyticsEvent struct {
	EventType string
	// Timestamp is when it happened. Zero: when the first exporter takes it.
	Timestamp time.Time
	Data      map[string]any

	PipelineRunID string
	StageName     string
	// Duration is how long it took; nil means that nobody knows, which zero does not. Whole nanoseconds.
	Duration *time.Duration
	// Metadata is what the application wants to say beside the event.
	Metadata map[string]any
}

// Exporter takes analytics events somewhere. The ones of this package are safe for concurrent use.
//
// What is exported may be kept: its maps must not be changed afterwards. An exporter in turn changes no event and no
// batch, and does not keep the slice.
type Exporter interface {
	Export(ctx context.Context, event AnalyticsEvent) error
	// ExportBatch takes all of events or fails. After an error some of them may have arrived, and all of them may be
	// tried again.
	ExportBatch(ctx context.Context, events []AnalyticsEvent) error
	// Close ends what ctx still allows, and may be called again.
	Close(ctx context.Context) error
}

// MarshalJSON writes the event as the framework's to_dict does (catalogue 2.3), names in the same order: event_type,
// timestamp, data, then those that are there of pipeline_run_id, stage_name, duration_ms and metadata.
//
// It is always JSON: NaN and infinities become the texts that protobuf's JSON has for them, invalid UTF-8 becomes
// U+FFFD, bytes become base64, and values are bounded as those of any event are.
func (e AnalyticsEvent) MarshalJSON() ([]byte, error) {
	var line bytes.Buffer
	if err := e.writeLine(&line); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line.Bytes(), []byte("\n")), nil
}

// writeLine writes the event's JSON and a newline; it has no other.
func (e AnalyticsEvent) writeLine(to *bytes.Buffer) error {
	line := struct {
		EventType     string          `json:"event_type"`
		Timestamp     string          `json:"timestamp"`
		Data          json.RawMessage `json:"data"`
		PipelineRunID string          `json:"pipeline_run_id,omitempty"`
		StageName     string          `json:"stage_name,omitempty"`
		Duration      *float64        `json:"duration_ms,omitempty"`
		Metadata      json.RawMessage `json:"metadata,omitempty"`
	}{
		EventType:     text(e.EventType),
		Timestamp:     isoformat(e.Timestamp),
		Data:          json.RawMessage(jsonObject(e.Data)),
		PipelineRunID: text(e.PipelineRunID),
		StageName:     text(e.StageName),
	}
	if e.Duration != nil {
		line.Duration = new(milliseconds(*e.Duration))
	}
	if len(e.Metadata) > 0 {
		line.Metadata = json.RawMessage(jsonObject(e.Metadata))
	}
	enc := json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	return enc.Encode(line)
}

// at is the event with a time.
func (e AnalyticsEvent) at(now func() time.Time) AnalyticsEvent {
	if e.Timestamp.IsZero() {
		e.Timestamp = now()
	}
	return e
}

// jsonObject is a caller's fields as a JSON object, bounded as those of an event and sorted by name.
func jsonObject(fields map[string]any) string {
	var d data
	d.more(fields)
	return attribute.MapValue(d...).String()
}

// isoformat is a time as Python's datetime.isoformat writes it: in UTC, with microseconds or, where there are none,
// without a fraction.
func isoformat(t time.Time) string {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04:05-07:00")
	}
	return t.Format("2006-01-02T15:04:05.000000-07:00")
}

// caught makes an error of a panic in code of the application's.
func caught(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("stageflow: exporter panicked: %s", safely(r))
		}
	}()
	return f()
}

// apart is caught in a goroutine of its own, so that f may even end that (runtime.Goexit, testing's FailNow).
func apart(f func() error) error {
	result := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() { result <- err }()
		err = caught(f)
	}()
	return <-result
}

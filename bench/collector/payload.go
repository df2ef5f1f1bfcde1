// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
)

// encoding makes the body of a request of some events.
type encoding func(lines [][]byte) ([]byte, error)

// jsonLines is what the stageflow receiver takes.
func jsonLines(lines [][]byte) ([]byte, error) { return bytes.Join(lines, []byte("\n")), nil }

// textProto is a log record for each event that has the event's text for a body, for OTLP over gRPC; textJSON is the
// same for OTLP over HTTP.
func textProto(lines [][]byte) ([]byte, error) { return export(lines, asText).MarshalProto() }
func textJSON(lines [][]byte) ([]byte, error)  { return export(lines, asText).MarshalJSON() }

// attributesJSON is a log record for each event with the event's name, its time, and all its data as attributes: how
// an application would send it that knows OpenTelemetry and not stageflow.
func attributesJSON(lines [][]byte) ([]byte, error) {
	var failed error
	request := export(lines, func(line []byte, lr plog.LogRecord) {
		if err := asAttributes(line, lr); err != nil {
			failed = err
		}
	})
	if failed != nil {
		return nil, failed
	}
	return request.MarshalJSON()
}

func export(lines [][]byte, fill func([]byte, plog.LogRecord)) plogotlp.ExportRequest {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "chat")
	records := rl.ScopeLogs().AppendEmpty().LogRecords()
	records.EnsureCapacity(len(lines))
	for _, line := range lines {
		fill(line, records.AppendEmpty())
	}
	return plogotlp.NewExportRequestFromLogs(ld)
}

func asText(line []byte, lr plog.LogRecord) { lr.Body().SetStr(string(line)) }

func asAttributes(line []byte, lr plog.LogRecord) error {
	var e struct {
		Type      string
		Data      map[string]any
		EmittedAt time.Time `json:"emitted_at"`
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	lr.SetEventName(e.Type)
	lr.SetTimestamp(pcommon.NewTimestampFromTime(e.EmittedAt))
	return lr.Attributes().FromRaw(e.Data)
}

// request is what one connection sends at once.
type request struct {
	body   []byte
	events int
}

// requests cuts streams into requests of so many events; the last of a stream may have fewer.
func requests(streams []stream, batch int, encode encoding) ([][]request, error) {
	out := make([][]request, len(streams))
	for i, s := range streams {
		for lines := range slices.Chunk(s, batch) {
			body, err := encode(lines)
			if err != nil {
				return nil, err
			}
			out[i] = append(out[i], request{body, len(lines)})
		}
	}
	return out, nil
}

func eventsOf(all [][]request) (n int) {
	for _, connection := range all {
		for _, r := range connection {
			n += r.events
		}
	}
	return n
}

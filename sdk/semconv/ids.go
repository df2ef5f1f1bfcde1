// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package semconv

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// TraceID is a 16-byte trace id. It converts to OpenTelemetry's and the collector's types.
type TraceID [16]byte

// SpanID is an 8-byte span id. It converts to OpenTelemetry's and the collector's types.
type SpanID [8]byte

// IsZero reports whether the id is the invalid, all-zero one.
func (id TraceID) IsZero() bool { return id == TraceID{} }

// String is the id in lower-case hex.
func (id TraceID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether the id is the invalid, all-zero one.
func (id SpanID) IsZero() bool { return id == SpanID{} }

// String is the id in lower-case hex.
func (id SpanID) String() string { return hex.EncodeToString(id[:]) }

// Span and trace ids are digests of what an event says, so that a replay, a retry or a second replica makes
// the same spans. Each part is hashed with its length before it, so that no two lists of parts collide.

// RunSpanID is the id of a run's span.
func RunSpanID(runID string) SpanID { return spanID("run", runID) }

// StageSpanID is the id of the span of one attempt of a stage; attempts count from 1.
func StageSpanID(runID, stage string, attempt int64) SpanID {
	var fixed [8]byte
	binary.BigEndian.PutUint64(fixed[:], uint64(attempt))
	return spanID("stage", runID, stage, string(fixed[:]))
}

// CallSpanID is the id of a provider call's span.
func CallSpanID(runID, callID string) SpanID { return spanID("call", runID, callID) }

// ToolSpanID is the id of a tool call's span.
func ToolSpanID(runID, actionID string) SpanID { return spanID("tool", runID, actionID) }

// RunTraceID is the trace id of a run whose events carry no trace context of their own: the run id itself
// when it is a UUID (with dashes or without, not the nil one), so that a run is found by its id; else a digest.
func RunTraceID(runID string) TraceID {
	if id, ok := parseUUID(runID); ok && !id.IsZero() {
		return id
	}
	sum := digest("trace", runID)
	return TraceID(sum[:16])
}

func spanID(parts ...string) SpanID {
	sum := digest(parts...)
	for {
		// An all-zero span id is invalid in W3C trace context, so it is hashed again.
		if id := SpanID(sum[:8]); !id.IsZero() {
			return id
		}
		sum = sha256.Sum256(sum[:])
	}
}

func digest(parts ...string) [sha256.Size]byte {
	var stack [256]byte
	b := stack[:0]
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return sha256.Sum256(b)
}

func parseUUID(s string) (id TraceID, ok bool) {
	switch len(s) {
	case 32:
	case 36:
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return id, false
		}
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	default:
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(s))
	return id, err == nil
}

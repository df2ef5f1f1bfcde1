// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package semconv

import "encoding/hex"

// ParseTraceParent reads a W3C traceparent. A zero span id is invalid as a parent, but senders write it
// (catalogue 2.2), so the trace id is kept and the span id stays zero. ok is false when there is no valid trace id.
func ParseTraceParent(s string) (trace TraceID, parent SpanID, ok bool) {
	// version 00 has 55 characters; later versions may add fields behind another dash.
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' || s[:2] == "ff" {
		return trace, parent, false
	}
	if len(s) > 55 && (s[:2] == "00" || s[55] != '-') {
		return trace, parent, false
	}
	var rest [2]byte
	if !lowerHex(s[:2], rest[:1]) || !lowerHex(s[53:55], rest[1:]) ||
		!lowerHex(s[3:35], trace[:]) || !lowerHex(s[36:52], parent[:]) || trace.IsZero() {
		return TraceID{}, SpanID{}, false
	}
	return trace, parent, true
}

// ParseTraceID reads a trace id as W3C trace context writes it; ok is false for anything else, and for the zero id.
func ParseTraceID(s string) (id TraceID, ok bool) {
	if len(s) != 2*len(id) || !lowerHex(s, id[:]) || id.IsZero() {
		return TraceID{}, false
	}
	return id, true
}

// FormatTraceParent writes a sampled W3C traceparent, version 00.
func FormatTraceParent(trace TraceID, parent SpanID) string {
	return "00-" + trace.String() + "-" + parent.String() + "-01"
}

func lowerHex(s string, dst []byte) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	_, err := hex.Decode(dst, []byte(s))
	return err == nil
}

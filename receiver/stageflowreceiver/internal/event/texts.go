// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"strings"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// texts makes the short strings of one event in one piece of memory: an event has dozens, and whoever keeps one of them
// mostly keeps others too.
type texts struct {
	piece strings.Builder
	// size is that of the next piece.
	size int
}

const (
	// minPiece and maxPiece bound the memory that one string may keep alive, longText is what gets its own.
	minPiece, maxPiece = 64, 1 << 10
	longText           = 128
)

// begin is for a new event, of so many bytes of JSON.
func (t *texts) begin(size int) {
	t.piece = strings.Builder{}
	t.size = min(max(size/2, minPiece), maxPiece) // half of an event are names and punctuation
}

func (t *texts) add(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > longText {
		return string(b)
	}
	if t.piece.Cap()-t.piece.Len() < len(b) {
		t.piece = strings.Builder{}
		t.piece.Grow(max(t.size, len(b)))
		t.size = max(t.size/2, minPiece)
	}
	at := t.piece.Len()
	t.piece.Write(b)
	return t.piece.String()[at:]
}

// knownNames are the names of fields that events mostly have: their strings are made once.
var knownNames = func() map[string]string {
	names := map[string]string{}
	for _, table := range []semconv.Fields{semconv.CommonFields, semconv.EnvelopeFields} {
		for name := range table {
			names[name] = name
		}
	}
	for i := range semconv.Events {
		for name := range semconv.Events[i].Fields {
			names[name] = name
		}
		for _, list := range [][]string{semconv.Events[i].Required, semconv.Events[i].Optional} {
			for _, name := range list {
				names[name] = name
			}
		}
	}
	for _, name := range []string{"type", "data", "emitted_at", "event_type", "timestamp", "seq"} {
		names[name] = name
	}
	return names
}()

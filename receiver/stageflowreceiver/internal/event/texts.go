// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"strings"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// texts makes the short strings of events a few to a piece of memory: an event has dozens.
type texts struct{ piece strings.Builder }

const (
	// pieceSize bounds what one string keeps alive beside itself while a run is in flight; longText gets memory of its own.
	pieceSize = 128
	longText  = 64
)

func (t *texts) add(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > longText {
		return string(b)
	}
	if t.piece.Cap()-t.piece.Len() < len(b) {
		t.piece = strings.Builder{}
		t.piece.Grow(pieceSize)
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

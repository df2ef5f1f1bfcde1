// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"strings"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Texts makes short strings, many to a piece of memory. Each keeps all of its piece alive, so those that are made with one
// Texts should be of one use. The zero value is ready.
type Texts struct {
	piece strings.Builder
	// size is that of a piece, 0 for [pieceSize].
	size int
}

// NewTexts is for texts of so many bytes together.
func NewTexts(size int) *Texts { return &Texts{size: max(size, 1)} }

// pieceSize is for what is kept of a run: some hundred bytes.
const pieceSize = 256

// room finds a piece for n more bytes; ok is false for a text that gets memory of its own.
func (t *Texts) room(n int) (ok bool) {
	size := t.size
	if size == 0 {
		size = pieceSize
	}
	if t.piece.Cap()-t.piece.Len() >= n {
		return true
	}
	if n > size/2 {
		return false
	}
	t.piece = strings.Builder{}
	t.piece.Grow(size)
	return true
}

// add makes a string of bytes that may change.
func (t *Texts) add(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if !t.room(len(b)) {
		return string(b)
	}
	at := t.piece.Len()
	t.piece.Write(b)
	return t.piece.String()[at:]
}

// Keep copies a string that shares its memory with others of another use.
func (t *Texts) Keep(s string) string {
	if s == "" {
		return ""
	}
	if !t.room(len(s)) {
		return strings.Clone(s)
	}
	at := t.piece.Len()
	t.piece.WriteString(s)
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

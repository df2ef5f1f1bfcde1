// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Key identifies an event among its copies.
type Key uint64

// Key is the same for every copy of an event: its sink and number where it has them, else the number of its request
// and its place in it, else a digest of its type, data and own time. ok is false when nothing tells two events apart: no number, no time and no run.
func (e *Event) Key() (key Key, ok bool) {
	if sink := e.beside[besideSink]; !sink.IsNull() {
		if seq := e.beside[besideSeq]; seq.Type() == pcommon.ValueTypeInt {
			return Key(seq.digest().and(digestOf(sink.AsText()))), true
		}
		if batch := e.beside[besideBatch]; !batch.IsNull() {
			return Key(batch.digest().and(digestOf(sink.AsText()))), true
		}
	}
	if e.Time == 0 && e.RunID() == "" {
		return 0, false
	}
	d := digestOf(e.Type).and(hash(e.Time))
	if e.hasData {
		d = d.and(e.data.digest())
	}
	return Key(d), true
}

// RunID is the id that the event itself gives its run, "" when it gives none.
func (e *Event) RunID() string {
	if e.OfChild() {
		return e.Text("child_run_id")
	}
	return e.Text("pipeline_run_id")
}

// OfChild tells whether the event is what a run tells of its child. The Rust port cancels children so, too: the
// framework has no child_run_id there.
func (e *Event) OfChild() bool {
	switch e.Name {
	case semconv.EventChildStarted, semconv.EventChildEnded:
		return true
	case semconv.EventRunCancelRequested:
		return e.Text("child_run_id") != ""
	}
	return false
}

// ParentRunID is the run that told of its child, "" when the event is not about a child or does not say.
func (e *Event) ParentRunID() string {
	if !e.OfChild() {
		return ""
	}
	if id := e.Text("parent_run_id"); id != "" {
		return id
	}
	return e.Text("pipeline_run_id")
}

// AnonymousRunID is the id of a run whose only sign is a wide event without an id: a digest of what the event
// says and when, never of its arrival.
func (e *Event) AnonymousRunID() string {
	h := sha256.New()
	h.Write(e.AppendData(nil))
	var own [8]byte
	binary.BigEndian.PutUint64(own[:], uint64(e.Time))
	h.Write(own[:])
	return "anonymous-" + hex.EncodeToString(h.Sum(nil)[:16])
}

// JoinedRunID is the event's own run id, or else the one that it was joined to when its record was normalised: by
// an agent on the way here, or before the record was put into the journal. "" when neither is known.
func (e *Event) JoinedRunID() string {
	if id := e.RunID(); id != "" {
		return id
	}
	if v := e.beside[besideRun]; !v.IsNull() {
		return v.AsText()
	}
	return ""
}

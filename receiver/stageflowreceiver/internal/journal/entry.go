// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
)

// Kind is what an entry holds.
type Kind uint8

const (
	// Events are the events of a request.
	Events Kind = 'e'
	// Marks say what has been handed on.
	Marks Kind = 'm'
	// withdrawn is left of a request that was not acknowledged, so that no number is missing.
	withdrawn Kind = 'w'
)

// Entry is what is appended at once.
type Entry struct {
	Kind Kind
	// Arrival is when the request came. Nanoseconds are kept.
	Arrival time.Time
	Records plog.Logs
}

// An entry is stored as a header and its records as OTLP protobuf, which later versions can read, too. The header is
// the version, the kind, the arrival (nanoseconds since 1970) and the position before which no request was under way.
const (
	version    = 1
	headerSize = 2 + 8 + 8
)

var errVersion = errors.New("the journal was written by another version of the collector: start that version once to finish the runs it holds, or remove the storage's file to give them up")

// marshal makes what is stored, but for the position in the header: see [setSure].
func (e *Entry) marshal() ([]byte, error) {
	m := plog.ProtoMarshaler{}
	body, err := m.MarshalLogs(e.Records)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, headerSize+len(body))
	b = append(b, version, byte(e.Kind))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Arrival.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, 0)
	return append(b, body...), nil
}

// setSure puts the position into the header of an entry that is about to be stored: only then is it known.
func setSure(stored []byte, sure Position) {
	binary.BigEndian.PutUint64(stored[headerSize-8:], uint64(sure))
}

type header struct {
	kind    Kind
	arrival time.Time
	sure    Position
}

func readHeader(b []byte) (header, error) {
	if len(b) < headerSize {
		return header{}, fmt.Errorf("it has %d bytes, which is less than a header", len(b))
	}
	if b[0] != version {
		return header{}, errVersion
	}
	return header{
		kind:    Kind(b[1]),
		arrival: time.Unix(0, int64(binary.BigEndian.Uint64(b[2:]))),
		sure:    Position(binary.BigEndian.Uint64(b[10:])),
	}, nil
}

func unmarshal(b []byte) (*Entry, error) {
	h, err := readHeader(b)
	if err != nil {
		return nil, err
	}
	e := &Entry{Kind: h.kind, Arrival: h.arrival, Records: plog.NewLogs()}
	if h.kind == withdrawn {
		return e, nil
	}
	u := plog.ProtoUnmarshaler{}
	if e.Records, err = u.UnmarshalLogs(b[headerSize:]); err != nil {
		return nil, err
	}
	return e, nil
}

// tombstone takes the place of an entry that was withdrawn.
func tombstone(sure Position) []byte {
	b := []byte{version, byte(withdrawn)}
	b = binary.BigEndian.AppendUint64(b, 0)
	return binary.BigEndian.AppendUint64(b, uint64(sure))
}

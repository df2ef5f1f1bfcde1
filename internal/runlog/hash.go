// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// EventHash names an event by what it says: type, time in nanoseconds since 1970, canonical JSON of its data ("" for
// none). Copies of one event have one hash, so they are one row of [Events]. 22 characters, 128 bits.
func EventHash(eventType string, eventTime int64, data string) string {
	eventType = CleanText(eventType)
	b := make([]byte, 0, 16+len(eventType)+len(data))
	b = binary.BigEndian.AppendUint64(b, uint64(eventTime))
	b = binary.BigEndian.AppendUint64(b, uint64(len(eventType)))
	b = append(append(b, eventType...), data...)
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"bytes"
	"encoding/json"
	"time"
)

// kind is what a column means. A name means the same in every view, so names are all that decoding needs, and
// views that come later are read as well.
type kind uint8

const (
	plain kind = iota
	timestamp
	flag
	document
)

var kinds = map[string]kind{
	"started_at": timestamp, "ended_at": timestamp, "updated_at": timestamp, "at": timestamp, "time": timestamp,
	"first_started_at": timestamp, "last_started_at": timestamp,
	"success": flag, "error_retryable": flag,
	"breakers": document, "stage_results": document, "attributes": document, "data": document,
}

// decode makes a record's cell of what a driver gave. What does not look as the column should is kept as it is:
// a reader shows damage, it does not hide it.
func decode(column string, v any) any {
	if b, ok := v.([]byte); ok {
		v = string(b)
	}
	if t, ok := v.(time.Time); ok {
		return t.UTC()
	}
	switch kinds[column] {
	case timestamp:
		if s, ok := v.(string); ok {
			if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
				return t.UTC()
			}
		}
	case flag:
		if n, ok := v.(int64); ok {
			return n != 0
		}
	case document:
		if s, ok := v.(string); ok {
			var b bytes.Buffer
			if json.Compact(&b, []byte(s)) == nil { // PostgreSQL puts spaces into jsonb
				return json.RawMessage(b.Bytes())
			}
		}
	}
	return v
}

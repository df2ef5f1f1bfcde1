// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// maxDepth bounds nested values: deeper ones become null. SQLite's and Go's JSON functions refuse texts that are
// nested deeper than 1,000 and 10,000, and a stored value must be readable.
const maxDepth = 500

// canonicalJSON writes a value as canonical JSON (see runlog.AppendJSONString): equal values are equal bytes.
func canonicalJSON(v pcommon.Value) string {
	return string(appendJSON(nil, v, 0))
}

func appendJSON(b []byte, v pcommon.Value, depth int) []byte {
	if depth > maxDepth {
		return append(b, "null"...)
	}
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return runlog.AppendJSONString(b, v.Str())
	case pcommon.ValueTypeBool:
		return strconv.AppendBool(b, v.Bool())
	case pcommon.ValueTypeInt:
		return strconv.AppendInt(b, v.Int(), 10)
	case pcommon.ValueTypeDouble:
		return appendDouble(b, v.Double())
	case pcommon.ValueTypeBytes:
		return runlog.AppendJSONString(b, base64.StdEncoding.EncodeToString(v.Bytes().AsRaw()))
	case pcommon.ValueTypeSlice:
		b = append(b, '[')
		for i, item := range v.Slice().All() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, item, depth+1)
		}
		return append(b, ']')
	case pcommon.ValueTypeMap:
		return appendMap(b, v.Map(), depth)
	}
	return append(b, "null"...)
}

func appendMap(b []byte, m pcommon.Map, depth int) []byte {
	type member struct{ key, json string }
	members := make([]member, 0, m.Len())
	for k, v := range m.All() {
		members = append(members, member{runlog.CleanText(k), string(appendJSON(nil, v, depth+1))})
	}
	// Keys can be there twice, from the wire or after cleaning; then the larger value stays, as everywhere.
	slices.SortFunc(members, func(x, y member) int {
		if d := strings.Compare(x.key, y.key); d != 0 {
			return d
		}
		return strings.Compare(y.json, x.json)
	})
	members = slices.CompactFunc(members, func(x, y member) bool { return x.key == y.key })
	b = append(b, '{')
	for i, x := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(runlog.AppendJSONString(b, x.key), ':')
		b = append(b, x.json...)
	}
	return append(b, '}')
}

// appendDouble writes a number as encoding/json does; JSON has no word for the others.
func appendDouble(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	text, err := json.Marshal(f + 0) // -0 is 0
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, text...)
}

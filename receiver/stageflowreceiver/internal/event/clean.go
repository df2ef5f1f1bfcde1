// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/base64"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// clean repairs, in place, what came over OTLP, where doubles may be NaN, strings may hold NUL and values may be
// bytes. It returns the number of repairs.
func clean(m pcommon.Map) int {
	var c converter
	c.cleanMap(m, 0)
	return c.repairs
}

func (c *converter) cleanMap(m pcommon.Map, depth int) {
	badKeys := false
	for k, v := range m.All() {
		before := c.repairs
		if c.cleanText(k) != k {
			badKeys, c.repairs = true, before
		}
		c.cleanValue(v, depth)
	}
	if !badKeys {
		return
	}
	raw := make(map[string]any, m.Len())
	for k, v := range m.All() {
		raw[c.cleanText(k)] = v.AsRaw()
	}
	_ = m.FromRaw(raw) // raw values of pdata are always taken back
}

func (c *converter) cleanValue(v pcommon.Value, depth int) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		if s := c.cleanText(v.Str()); s != v.Str() {
			v.SetStr(s)
		}
	case pcommon.ValueTypeDouble:
		if name, bad := nonFinite(v.Double()); bad {
			c.repairs++
			v.SetStr(name)
		}
	case pcommon.ValueTypeBytes:
		c.repairs++
		v.SetStr(base64.StdEncoding.EncodeToString(v.Bytes().AsRaw()))
	case pcommon.ValueTypeMap:
		if depth > MaxDepth {
			c.repairs++
			v.SetStr(c.cleanText(v.AsString()))
			return
		}
		c.cleanMap(v.Map(), depth+1)
	case pcommon.ValueTypeSlice:
		if depth > MaxDepth {
			c.repairs++
			v.SetStr(c.cleanText(v.AsString()))
			return
		}
		for _, item := range v.Slice().All() {
			c.cleanValue(item, depth+1)
		}
	}
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"math"
	"math/bits"

	"github.com/cespare/xxhash/v2"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// hash is a digest of a value that takes no memory: of a map it is the sum over its members, so their order does not
// matter and they need not be sorted.
type hash uint64

// and goes on with what follows: a then b is another than b then a.
func (h hash) and(next hash) hash {
	x := bits.RotateLeft64(uint64(h), 29) ^ uint64(next)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return hash(x ^ x>>31)
}

func digestOf(s string) hash { return hash(xxhash.Sum64String(s)) }

// digest tells values of different types apart, too.
func digest(v pcommon.Value) hash {
	of := hash(v.Type()) + 1
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return of.and(digestOf(v.Str()))
	case pcommon.ValueTypeInt:
		return of.and(hash(v.Int())) //nolint:gosec // only its bits matter
	case pcommon.ValueTypeDouble:
		return of.and(hash(math.Float64bits(v.Double())))
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return of.and(1)
		}
		return of.and(0)
	case pcommon.ValueTypeMap:
		return of.and(digestMap(v.Map()))
	case pcommon.ValueTypeSlice:
		for _, item := range v.Slice().All() {
			of = of.and(digest(item))
		}
		return of.and(hash(v.Slice().Len())) //nolint:gosec // not negative
	case pcommon.ValueTypeBytes:
		return of.and(hash(xxhash.Sum64(v.Bytes().AsRaw())))
	}
	return of
}

func digestMap(m pcommon.Map) (sum hash) {
	for key, v := range m.All() {
		sum += digestOf(key).and(digest(v))
	}
	return sum
}

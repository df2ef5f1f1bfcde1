// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"log/slog"
	"math"
	"math/bits"

	"github.com/cespare/xxhash/v2"
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

// What tells values of different types apart.
const (
	ofNull hash = iota + 1
	ofText
	ofInt
	ofDouble
	ofBool
	ofList
	ofMap
)

func (v Value) digest() hash {
	switch v.of.Kind() {
	case slog.KindString:
		return ofText.and(digestOf(v.of.String()))
	case slog.KindInt64:
		return ofInt.and(hash(v.of.Int64())) //nolint:gosec // only its bits matter
	case slog.KindFloat64:
		return ofDouble.and(hash(math.Float64bits(v.of.Float64())))
	case slog.KindBool:
		if v.of.Bool() {
			return ofBool.and(1)
		}
		return ofBool.and(0)
	}
	switch in := v.of.Any().(type) {
	case List:
		of := ofList
		for i := range in {
			of = of.and(in[i].digest())
		}
		return of.and(hash(len(in)))
	case *Fields:
		return ofMap.and(in.digest())
	}
	return ofNull
}

func (f *Fields) digest() (sum hash) {
	for i := range f.list {
		sum += digestOf(f.list[i].Name).and(f.list[i].Value.digest())
	}
	return sum
}

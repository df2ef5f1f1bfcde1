// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"cmp"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"pgregory.net/rapid"
)

// Values are kept in another form than that of pdata, and nobody can tell: they read, compare and are written as there.
func TestValuesAreThoseOfPdata(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawValue(t, 2), drawValue(t, 2)
		if rapid.Bool().Draw(t, "again") {
			a.CopyTo(b)
		}
		v, w := valueOf(a), valueOf(b)
		require.Equal(t, a.Type(), v.kind())
		require.Equal(t, a.AsString(), v.text())
		require.Equal(t, a.Equal(b), v.equal(w), "%v %v", a.AsRaw(), b.AsRaw())
		want := cmp.Or(strings.Compare(a.AsString(), b.AsString()), cmp.Compare(a.Type(), b.Type()))
		require.Equal(t, want > 0, larger(v, w), "%v %v", a.AsRaw(), b.AsRaw())
		if v.readsAs(w) {
			require.Zero(t, want, "%v %v", a.AsRaw(), b.AsRaw())
		}

		again := pcommon.NewValueEmpty()
		b.CopyTo(again)
		taken := copyOf(again)
		again.SetStr("something else")
		copied := pcommon.NewValueEmpty()
		taken.copyTo(copied)
		require.True(t, copied.Equal(b), "%v %v", copied.AsRaw(), b.AsRaw())
	})
}

// drawValue draws values among which many are alike.
func drawValue(t *rapid.T, depth int) pcommon.Value {
	v := pcommon.NewValueEmpty()
	kind := rapid.IntRange(0, 7).Draw(t, "kind")
	switch {
	case kind == 0:
	case kind == 1:
		v.SetInt(rapid.SampledFrom([]int64{-1, 0, 1, 10, math.MaxInt64}).Draw(t, "int"))
	case kind == 2:
		v.SetDouble(rapid.SampledFrom([]float64{-1, 0, math.Copysign(0, -1), 1, 1.5, 1e30}).Draw(t, "double"))
	case kind == 3:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case kind == 4:
		v.SetEmptyBytes().FromRaw(rapid.SliceOfN(rapid.Byte(), 0, 2).Draw(t, "bytes"))
	case kind == 5 && depth > 0:
		list := v.SetEmptySlice()
		for range rapid.IntRange(0, 2).Draw(t, "length") {
			drawValue(t, depth-1).CopyTo(list.AppendEmpty())
		}
	case kind == 6 && depth > 0:
		m := v.SetEmptyMap()
		for range rapid.IntRange(0, 2).Draw(t, "length") {
			drawValue(t, depth-1).CopyTo(m.PutEmpty(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")))
		}
	default:
		v.SetStr(rapid.SampledFrom([]string{"", "0", "-0", "1", "10", "1.5", "true", "a", `["a"]`, `{"a":1}`}).Draw(t, "text"))
	}
	return v
}

// Attributes that are gathered keep the order of their keys, and no more than there is room for.
func TestFoldedIsSortedAndBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f folded
		latest := map[string]pcommon.Timestamp{}
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			at := pcommon.Timestamp(rapid.IntRange(0, 3).Draw(t, "at"))
			var of attributes
			for _, key := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", ""}), 0, 3).Draw(t, "keys") {
				of.put(key, textValue("v"))
				latest[key] = max(latest[key], at)
			}
			f.add(at, of)
		}
		require.Len(t, f, len(latest))
		for i, v := range f {
			require.Equal(t, latest[v.key], v.at)
			require.True(t, i == 0 || f[i-1].key < v.key)
		}
	})
	var f folded
	for i := range maxFolded + 10 {
		f.add(1, attributes{{key: string(rune('a' + i)), value: textValue("v")}})
	}
	require.Len(t, f, maxFolded)
}

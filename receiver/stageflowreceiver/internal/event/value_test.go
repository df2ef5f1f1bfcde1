// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

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
		v, w := ValueOf(a), ValueOf(b)
		require.Equal(t, a.Type(), v.Type())
		require.Equal(t, a.AsString(), v.AsText())
		require.Equal(t, a.Equal(b), v.Equal(w), "%v %v", a.AsRaw(), b.AsRaw())
		want := cmp.Or(strings.Compare(a.AsString(), b.AsString()), cmp.Compare(a.Type(), b.Type()))
		require.Equal(t, want > 0, v.Larger(w), "%v %v", a.AsRaw(), b.AsRaw())
		if v.ReadsAs(w) {
			require.Zero(t, want, "%v %v", a.AsRaw(), b.AsRaw())
		}

		copied := pcommon.NewValueEmpty()
		ValueOf(b).Kept(&Texts{}).CopyTo(copied)
		require.True(t, copied.Equal(b), "%v %v", copied.AsRaw(), b.AsRaw())
		in := pcommon.NewMap()
		v.PutIn(in, "k")
		put, _ := in.Get("k")
		require.True(t, put.Equal(a), "%v %v", put.AsRaw(), a.AsRaw())
		require.Equal(t, v.ReadsAs(w) || (v.Equal(w) && v.AsText() == w.AsText()), v.digest() == w.digest(), "%v %v", a.AsRaw(), b.AsRaw())
	})
}

// drawValue draws values among which many are alike.
func drawValue(t *rapid.T, depth int) pcommon.Value {
	v := pcommon.NewValueEmpty()
	kind := rapid.IntRange(0, 6).Draw(t, "kind")
	switch {
	case kind == 0:
	case kind == 1:
		v.SetInt(rapid.SampledFrom([]int64{-1, 0, 1, 10, math.MaxInt64}).Draw(t, "int"))
	case kind == 2:
		v.SetDouble(rapid.SampledFrom([]float64{-1, 0, math.Copysign(0, -1), 1, 1.5, 1e30}).Draw(t, "double"))
	case kind == 3:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case kind == 4 && depth > 0:
		list := v.SetEmptySlice()
		for range rapid.IntRange(0, 2).Draw(t, "length") {
			drawValue(t, depth-1).CopyTo(list.AppendEmpty())
		}
	case kind == 5 && depth > 0:
		m := v.SetEmptyMap()
		for range rapid.IntRange(0, 2).Draw(t, "length") {
			drawValue(t, depth-1).CopyTo(m.PutEmpty(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")))
		}
	default:
		v.SetStr(rapid.SampledFrom([]string{"", "0", "-0", "1", "10", "1.5", "true", "a", `["a"]`, `{"a":1}`}).Draw(t, "text"))
	}
	return v
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestValuesThatNoStoreCanKeepAreNull(t *testing.T) {
	for _, v := range []Value{
		FloatValue(math.NaN()), FloatValue(math.Inf(1)), TextValue(""), TimeValue(0), TimeValue(-1),
	} {
		assert.True(t, v.IsNull(), "%v", v)
	}
	assert.Equal(t, FloatValue(0), FloatValue(math.Copysign(0, -1)), "equal numbers are equal bytes")
}

func TestCompare(t *testing.T) {
	ascending := []Value{{}, IntValue(-1), IntValue(2), FloatValue(-2), FloatValue(-1), FloatValue(3), KeyValue(""), KeyValue("a")}
	for i, a := range ascending {
		for j, b := range ascending {
			assert.Equal(t, i < j, a.Compare(b) < 0, "%v %v", a, b)
			assert.Equal(t, i == j, a.Compare(b) == 0, "%v %v", a, b)
		}
	}
}

func FuzzAppendJSONString(f *testing.F) {
	for _, s := range []string{"", "plain", "q\"b\\s", "\x00\x01\n\t", "\xff\xc3", "é€😀", "<&>\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := AppendJSONString(nil, s)
		require.True(t, utf8.Valid(b))
		require.NotContains(t, string(b), "\x00")
		var back string
		require.NoError(t, json.Unmarshal(b, &back))
		require.Equal(t, CleanText(s), back)
	})
}

func TestKeysAreAsLongAsIndexesTake(t *testing.T) {
	short := KeyValue(strings.Repeat("x", MaxKey))
	assert.Equal(t, short, short.keyed())
	long := strings.Repeat("é", MaxKey)
	a, b := KeyValue(long+"a").keyed(), KeyValue(long+"b").keyed()
	assert.NotEqual(t, a, b, "the hash is of the whole")
	for _, v := range []Value{a, b} {
		assert.True(t, utf8.ValidString(v.Text()))
		assert.LessOrEqual(t, len(v.Text()), MaxKey)
		assert.Greater(t, len(v.Text()), MaxKey-4)
		assert.Equal(t, v, v.keyed())
	}
	r := NewFact(Stages, 1, false, KeyValue(long), KeyValue(long), IntValue(1))
	assert.Equal(t, r.Value(0), KeyValue(long).keyed())
	r = NewFact(Runs, 1, false, KeyValue("run"))
	r.Set(Runs.Column("user_id"), TextValue(long))
	r.Set(Runs.Column("service"), TextValue(long))
	assert.Equal(t, KeyValue(long).keyed(), r.Value(Runs.Column("user_id")))
	assert.Equal(t, long, r.Value(Runs.Column("service")).Text(), "no index")
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/attribute"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

type named string

type config struct {
	Model  string
	Retry  *int
	Secret string   `json:"-"`
	hidden chan int //nolint:unused // what reflection must leave alone
}

type shouting struct{}

func (shouting) String() string { panic("AAH") }

func TestValues(t *testing.T) {
	two := 2
	var nothing *config
	var noError error
	var noErrorInside *statusError
	for name, tt := range map[string]struct{ in, want any }{
		"nil":              {nil, nil},
		"nil pointer":      {nothing, nil},
		"nil error":        {noError, nil},
		"typed nil error":  {noErrorInside, nil},
		"nil map":          {map[string]any(nil), nil},
		"text":             {"ü", "ü"},
		"named text":       {named("x"), "x"},
		"invalid text":     {"a\xffb", "a\uFFFDb"},
		"NUL is text":      {"a\x00b", "a\x00b"},
		"flag":             {true, true},
		"int":              {7, int64(7)},
		"int8":             {int8(-7), int64(-7)},
		"uint64":           {uint64(math.MaxUint64), "18446744073709551615"},
		"float32":          {float32(0.5), 0.5},
		"bytes":            {[]byte{1, 2}, []byte{1, 2}},
		"time":             {time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("x", 3600)), "2026-01-02T02:04:05.000006Z"},
		"duration":         {1500 * time.Millisecond, "1.5s"},
		"error":            {errors.New("odd"), "odd"},
		"strings":          {[]string{"a", "b"}, []any{"a", "b"}},
		"array":            {[2]int{1, 2}, []any{int64(1), int64(2)}},
		"mixed":            {[]any{1, "x", nil, true}, []any{int64(1), "x", nil, true}},
		"map":              {map[string]any{"a": map[string]int{"b": 1}}, map[string]any{"a": map[string]any{"b": int64(1)}}},
		"map with numbers": {map[int]string{1: "x"}, map[string]any{"1": "x"}},
		"map by structs":   {map[struct{ A int }]string{{1}: "x"}, map[string]any{"…": "x"}},
		"keys that clash":  {map[string]int{"a\xfe": 1, "a\xff": 1}, map[string]any{"a\uFFFD": int64(1)}},
		"struct":           {config{Model: "m", Retry: &two, Secret: "s"}, map[string]any{"Model": "m", "Retry": int64(2)}},
		"pointer":          {&config{}, map[string]any{"Model": "", "Retry": nil}},
		"complex":          {complex(1, 2), "(1+2i)"},
		"panicking text":   {shouting{}, "%!v(PANIC=String method: AAH)"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, plain(value(tt.in, newBudget())))
		})
	}
	assert.IsType(t, "", plain(value(func() {}, newBudget())))
	assert.IsType(t, "", plain(value(make(chan int), newBudget())))
	assert.True(t, math.IsNaN(plain(value(math.NaN(), newBudget())).(float64)))
}

type node struct {
	Next *node
	Any  any
}

func TestValuesWithoutEnd(t *testing.T) {
	loop := &node{}
	loop.Next, loop.Any = loop, loop
	self := map[string]any{}
	self["self"] = self
	list := []any{nil}
	list[0] = list
	inStruct := node{Any: self}
	for _, v := range []any{loop, self, list, inStruct, &inStruct} {
		assert.NotPanics(t, func() { value(v, newBudget()) })
	}
}

func TestValuesAreBounded(t *testing.T) {
	long := plain(value(strings.Repeat("ü", maxText), newBudget())).(string)
	assert.LessOrEqual(t, len(long), maxText)
	assert.True(t, strings.HasSuffix(long, cut))
	assert.True(t, utf8.ValidString(long))

	many := plain(value(make([]int, 1_000_000), newBudget())).([]any)
	assert.LessOrEqual(t, len(many), maxNodes+1)
	assert.Equal(t, cut, many[len(many)-1])

	texts := make([]any, 100)
	for i := range texts {
		texts[i] = map[string]any{strings.Repeat("k", 1000): strings.Repeat("v", 1000), "bytes": make([]byte, 1000)}
	}
	assert.Less(t, size(value(texts, newBudget())), 2*maxBytes)

	var d data
	all := map[string]any{}
	for i := range 1000 {
		all[fmt.Sprint("field", i)] = strings.Repeat("x", 1000)
	}
	d.more(all)
	assert.Len(t, d, maxFields)
	assert.Less(t, size(attribute.MapValue(d...)), 2*maxBytes)
}

// size is about how many bytes a value takes when sent.
func size(v attribute.Value) (n int) {
	switch v.Type() {
	case attribute.MAP:
		for _, kv := range v.AsMap() {
			n += len(kv.Key) + size(kv.Value)
		}
	case attribute.SLICE:
		for _, each := range v.AsSlice() {
			n += size(each)
		}
	case attribute.STRING:
		n = len(v.AsString())
	case attribute.BYTESLICE:
		n = len(v.AsByteSlice())
	}
	return n + 2
}

func TestAnyTextIsSentAsValidUTF8(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		limit := rapid.IntRange(-1, 12).Draw(t, "limit")
		got := shorten(s, limit)
		if !utf8.ValidString(got) {
			t.Fatalf("%q became %q", s, got)
		}
		if utf8.ValidString(s) && len(s) <= limit && got != s {
			t.Fatalf("%q became %q", s, got)
		}
		if utf8.ValidString(s) && limit >= len(cut) && len(got) > limit {
			t.Fatalf("%q is longer than %d", got, limit)
		}
	})
}

// The receiver knows every field that this package writes, except those that only breaker.transition has; and this
// package writes every field that the table of events requires.
func TestFieldsAreInTheSharedVocabulary(t *testing.T) {
	c, s, _ := newTestClient(t)
	boom := &statusError{429}
	for _, err := range []error{nil, boom, Cancel("x"), Skip("x")} {
		_ = Run(t.Context(), "p", func(ctx context.Context) error {
			return Run(ctx, "child", func(ctx context.Context) error {
				return Stage(ctx, "s", KindWork, func(ctx context.Context) error {
					_ = Call(ctx, "o", "p-vocabulary", "m", func(context.Context) (Usage, error) {
						return Usage{InputTokens: 1, OutputTokens: 1, CostUSD: 1}, boom
					})
					return err
				})
			})
		}, WithClient(c), WithTopology("t"), WithExecutionMode("m"), WithUserID("u"), WithSessionID("s"), WithOrgID("o"),
			WithRequestID("r"), WithCorrelationID("c"))
	}
	for _, e := range s.all() {
		own := semconv.FieldsOf(semconv.EventName(e.name))
		for field := range e.data {
			_, known := own[field]
			_, common := semconv.CommonFields[field]
			assert.True(t, known || common, "%s.%s", e.eventType, field)
		}
		row := semconv.Events[slices.IndexFunc(semconv.Events, func(row semconv.Event) bool { return string(row.Name) == e.name })]
		for _, field := range row.Required {
			assert.Contains(t, e.data, field, e.eventType)
		}
	}
}

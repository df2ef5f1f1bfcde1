// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shelf keeps what is exported to it, unless on says otherwise.
type shelf struct {
	on func(ctx context.Context, events []AnalyticsEvent) error

	mu      sync.Mutex
	batches [][]string
	closed  int
}

func (s *shelf) Export(ctx context.Context, event AnalyticsEvent) error {
	return s.ExportBatch(ctx, []AnalyticsEvent{event})
}

func (s *shelf) ExportBatch(ctx context.Context, events []AnalyticsEvent) error {
	if s.on != nil {
		if err := s.on(ctx, events); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, typesOf(events))
	return nil
}

func (s *shelf) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

func (s *shelf) all() (types []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.batches {
		types = append(types, b...)
	}
	return types
}

func (s *shelf) sizes() (sizes []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.batches {
		sizes = append(sizes, len(b))
	}
	return sizes
}

func typesOf(events []AnalyticsEvent) (types []string) {
	for _, e := range events {
		types = append(types, e.EventType)
	}
	return types
}

// analyticsVectors is what a model of the Python functions said; see testdata.
type analyticsVectors struct {
	Events []struct {
		Event struct {
			EventType     string         `json:"event_type"`
			UnixMicro     int64          `json:"unix_us"`
			Data          map[string]any `json:"data"`
			PipelineRunID string         `json:"pipeline_run_id"`
			StageName     string         `json:"stage_name"`
			Duration      *float64       `json:"duration_ms"`
			Metadata      map[string]any `json:"metadata"`
		}
		Line           string
		Console        string
		ConsoleColor   string `json:"console_color"`
		ConsoleVerbose string `json:"console_verbose"`
	}
	Overflow []struct {
		Name     string
		Batch    int     `json:"batch_size"`
		Max      int     `json:"max_buffer_size"`
		Mark     float64 `json:"high_water_mark"`
		Ops      []int   // events to export; 0 flushes
		Calls    [][2]int
		Exported []int
		Size     int   `json:"buffer_size"`
		Dropped  int64 `json:"dropped_count"`
	}
}

func readAnalyticsVectors(t *testing.T) (v analyticsVectors) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "analytics_vectors.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &v))
	require.NotEmpty(t, v.Events)
	require.NotEmpty(t, v.Overflow)
	return v
}

func (v analyticsVectors) event(i int) AnalyticsEvent {
	in := v.Events[i].Event
	e := AnalyticsEvent{
		EventType: in.EventType, Timestamp: time.UnixMicro(in.UnixMicro), Data: in.Data,
		PipelineRunID: in.PipelineRunID, StageName: in.StageName, Metadata: in.Metadata,
	}
	if in.Duration != nil {
		e.Duration = new(time.Duration(math.Round(*in.Duration * 1e6)))
	}
	return e
}

func TestAnalyticsEventIsThePythonOne(t *testing.T) {
	v := readAnalyticsVectors(t)
	for i, want := range v.Events {
		got, err := json.Marshal(v.event(i))
		require.NoError(t, err)
		assert.JSONEq(t, want.Line, string(got))
	}
}

func TestAnalyticsEventHasTheOrderOfThePythonOne(t *testing.T) {
	e := AnalyticsEvent{
		EventType: "stage.llm.completed", Timestamp: noon, Data: map[string]any{"b": 1, "a": "<&>"},
		PipelineRunID: runID, StageName: "llm", Duration: new(time.Duration(0)), Metadata: map[string]any{"k": "v"},
	}
	var line bytes.Buffer
	require.NoError(t, e.writeLine(&line))
	//nolint:testifylint // the order is what this is about
	assert.Equal(t, `{"event_type":"stage.llm.completed","timestamp":"2026-11-22T12:00:00+00:00","data":{"a":"<&>","b":1},`+
		`"pipeline_run_id":"`+runID+`","stage_name":"llm","duration_ms":0,"metadata":{"k":"v"}}`+"\n", line.String())
}

func TestAnalyticsEventIsAlwaysJSON(t *testing.T) {
	cyclic := map[string]any{}
	cyclic["me"] = cyclic
	var deep any = "bottom"
	for range 100 {
		deep = []any{deep}
	}
	wide := map[string]any{}
	for i := range 10_000 {
		wide[strings.Repeat("k", i%200)+time.Duration(i).String()] = i
	}
	for name, tt := range map[string]struct {
		in   any
		want string // "" for whatever, as long as it is JSON
	}{
		"NaN":             {math.NaN(), `"NaN"`},
		"infinity":        {math.Inf(1), `"Infinity"`},
		"minus infinity":  {math.Inf(-1), `"-Infinity"`},
		"invalid UTF-8":   {"a\xffb", `"a\ufffdb"`},
		"bytes":           {[]byte{1, 2, 255}, `"AQL/"`},
		"NUL":             {"a\x00b", `"a\u0000b"`},
		"line separators": {"a\u2028b\nc\rd", `"a\u2028b\nc\rd"`},
		"error":           {errors.New("odd"), `"odd"`},
		"cyclic":          {cyclic, ""},
		"deep":            {deep, ""},
		"wide":            {wide, ""},
		"long":            {strings.Repeat("ü", 1<<20), ""},
		"function":        {func() {}, ""},
		"channel":         {make(chan int), ""},
		"panicking text":  {shouting{}, ""},
		"large number":    {uint64(math.MaxUint64), `"18446744073709551615"`},
		"NaN inside":      {map[string]any{"a": []float64{math.NaN()}}, `{"a":["NaN"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			var line bytes.Buffer
			e := AnalyticsEvent{EventType: "x", Data: map[string]any{"v": tt.in}, Metadata: map[string]any{"v": tt.in}}
			require.NoError(t, e.writeLine(&line))
			assertOneLine(t, line.String())
			assert.Less(t, line.Len(), 256<<10)
			if tt.want != "" {
				var got struct{ Data, Metadata struct{ V json.RawMessage } }
				require.NoError(t, json.Unmarshal(line.Bytes(), &got))
				assert.JSONEq(t, tt.want, string(got.Data.V))
				assert.JSONEq(t, tt.want, string(got.Metadata.V))
			}
		})
	}
}

func assertOneLine(t testing.TB, line string) {
	t.Helper()
	rest, found := strings.CutSuffix(line, "\n")
	assert.True(t, found, "ends with a newline")
	assert.NotContains(t, rest, "\n")
	assert.True(t, json.Valid([]byte(rest)), "%s", rest)
}

func FuzzAnalyticsJSON(f *testing.F) {
	f.Add("stage.llm.completed", "key", "value", 1.5, int64(0), int64(1))
	f.Add("\n\xff", "\u2028", "\x00\xed\xa0\x80", math.NaN(), int64(math.MaxInt64), int64(math.MinInt64))
	f.Add("", "", "", math.Inf(-1), int64(math.MinInt64), int64(-62135596800))
	f.Fuzz(func(t *testing.T, eventType, name, value string, number float64, duration, seconds int64) {
		var line bytes.Buffer
		require.NoError(t, AnalyticsEvent{
			EventType: eventType, Timestamp: time.Unix(seconds, duration), PipelineRunID: value, StageName: name,
			Duration: new(time.Duration(duration)), Metadata: map[string]any{name: number},
			Data: map[string]any{name: value, value: []any{name, number, []byte(value)}},
		}.writeLine(&line))
		assertOneLine(t, line.String())
	})
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const capturesDir = "../../../../testdata/captures"

func captureFiles(t testing.TB) []string {
	files, err := filepath.Glob(filepath.Join(capturesDir, "*.ndjson"))
	require.NoError(t, err)
	formats, err := filepath.Glob(filepath.Join(capturesDir, "formats", "*.jsonl"))
	require.NoError(t, err)
	for _, f := range formats {
		// Python's logging lines and runner results are no events.
		if strings.Contains(f, "analytics") || strings.Contains(f, "observable") {
			files = append(files, f)
		}
	}
	require.Greater(t, len(files), 40)
	return files
}

func newRecords() plog.LogRecordSlice {
	return plog.NewLogs().ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
}

// decodeRecords decodes events and writes them as records.
func decodeRecords(d *Decoder, body []byte, lines bool, dst plog.LogRecordSlice) (rejected []Rejection, repairs int) {
	before := len(d.Events)
	rejected, repairs = d.Decode(body, lines)
	for i := range d.Events[before:] {
		d.Events[before+i].Record(dst.AppendEmpty(), 0)
	}
	return rejected, repairs
}

// open reads a record that is an event.
func open(lr plog.LogRecord) *Event {
	e, _, _ := Open(lr)
	return &e
}

func rawOf(v Value) any {
	written := pcommon.NewValueEmpty()
	v.CopyTo(written)
	return written.AsRaw()
}

func decodeOne(t testing.TB, line []byte) plog.LogRecord {
	t.Helper()
	var d Decoder
	dst := newRecords()
	rejected, _ := decodeRecords(&d, line, true, dst)
	require.Empty(t, rejected, "%.200s", line)
	require.Equal(t, 1, dst.Len())
	return dst.At(0)
}

// assertSame compares records as sets of attributes: the order of a map's keys means nothing.
func assertSame(t testing.TB, want, got plog.LogRecord, line []byte) {
	t.Helper()
	assert.Equal(t, want.EventName(), got.EventName(), "%.200s", line)
	assert.Equal(t, want.Timestamp(), got.Timestamp(), "%.200s", line)
	assert.True(t, want.Attributes().Equal(got.Attributes()), "%.300s\nwant %v\ngot  %v", line, want.Attributes().AsRaw(), got.Attributes().AsRaw())
}

func TestEveryCapturedLineSurvivesBothEncodings(t *testing.T) {
	for _, file := range captureFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, line := range bytes.Split(bytes.TrimSpace(raw), []byte("\n")) {
				if len(line) == 0 {
					continue
				}
				first := decodeOne(t, line)

				again := decodeOne(t, open(first).AppendJSON(nil))
				assertSame(t, first, again, line)

				ld := plog.NewLogs()
				first.CopyTo(ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
				wire, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
				require.NoError(t, err)
				back, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(wire)
				require.NoError(t, err)
				overOTLP := back.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
				_, repairs, ok := Open(overOTLP)
				require.True(t, ok)
				assert.Zero(t, repairs, "a decoded line needs no further repair")
				assertSame(t, first, overOTLP, line)
			}
		})
	}
}

// A line without anything to repair keeps every value: decoding is compared with another JSON reader.
func TestDataIsUnchanged(t *testing.T) {
	for _, file := range captureFiles(t) {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, line := range bytes.Split(bytes.TrimSpace(raw), []byte("\n")) {
			var want struct {
				Data map[string]any `json:"data"`
			}
			if len(line) == 0 || bytes.Contains(line, []byte(`\u0000`)) || bytes.Contains(line, []byte(`custom.surrogate`)) || bytes.Contains(line, []byte(`custom.deep`)) || json.Unmarshal(line, &want) != nil {
				continue
			}
			data := open(decodeOne(t, line)).Data()
			if want.Data == nil {
				continue
			}
			var got map[string]any
			require.NoError(t, json.Unmarshal(appendFields(nil, data), &got))
			assert.Equal(t, want.Data, got, "%.200s", line)
		}
	}
}

func TestRepairs(t *testing.T) {
	tests := []struct {
		name, data string
		want       any
		repairs    int
	}{
		{"not a number", `{"v": NaN}`, "NaN", 1},
		{"infinity", `{"v": Infinity}`, "Infinity", 1},
		{"minus infinity", `{"v": -Infinity}`, "-Infinity", 1},
		{"words inside strings stay", `{"v": "NaN and Infinity"}`, "NaN and Infinity", 0},
		{"nul", `{"v": "a\u0000b"}`, "a\uFFFDb", 1},
		{"lone surrogate", `{"v": "a\ud83d"}`, "a\uFFFD", 1},
		{"lone low surrogate", `{"v": "\udc00x"}`, "\uFFFDx", 1},
		{"two high surrogates", `{"v": "\ud83d\ud83d\ude00"}`, "\uFFFD\U0001F600", 1},
		{"pair", `{"v": "\ud83d\ude00"}`, "\U0001F600", 0},
		{"escaped backslash before ud", `{"v": "\\ud83d"}`, `\ud83d`, 0},
		{"invalid utf-8", "{\"v\": \"a\xff\"}", "a\uFFFD", 1},
		{"two to the seventy", `{"v": 1180591620717411303424}`, float64(1 << 70), 1},
		{"an integer that no double holds", `{"v": 1180591620717411303425}`, "1180591620717411303425", 1},
		{"largest int64", `{"v": 9223372036854775807}`, int64(9223372036854775807), 0},
		{"whole double", `{"v": 2.0}`, 2.0, 0},
		{"overflowing double", `{"v": 1e999}`, "Infinity", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d Decoder
			dst := newRecords()
			rejected, repairs := decodeRecords(&d, []byte(`{"type":"x","data":`+tt.data+`}`), true, dst)
			require.Empty(t, rejected)
			v, _ := open(dst.At(0)).Data().Get("v")
			assert.Equal(t, tt.want, rawOf(v))
			assert.Equal(t, tt.repairs, repairs)
		})
	}
}

func TestDeepNestingIsKeptAsText(t *testing.T) {
	for _, depth := range []int{40, 1000, 50_000} {
		line := `{"type":"x","data":{"v":` + strings.Repeat(`{"d":[`, depth) + `1` + strings.Repeat(`]}`, depth) + `}}`
		var d Decoder
		dst := newRecords()
		rejected, repairs := decodeRecords(&d, []byte(line), true, dst)
		require.Empty(t, rejected, "depth %d", depth)
		assert.Positive(t, repairs)
		e := open(dst.At(0))
		again := decodeOne(t, e.AppendJSON(nil))
		assertSame(t, dst.At(0), again, []byte("deep"))
	}
}

func TestBadLinesTakeNoGoodOnesWithThem(t *testing.T) {
	body := `{"type":"a","data":null}
not json
{"type":7}

[1]
{"data":{}}
{"type":"b"}
{"type":"long","data":{"s":"` + strings.Repeat("x", MaxSize) + `"}}
{"type":"c"}`
	var d Decoder
	dst := newRecords()
	rejected, _ := decodeRecords(&d, []byte(body), true, dst)
	assert.Equal(t, 3, dst.Len())
	var lines []int
	for _, r := range rejected {
		lines = append(lines, r.Line)
	}
	assert.Equal(t, []int{2, 3, 5, 6, 8}, lines)
}

func TestALongElementTakesNoOtherWithIt(t *testing.T) {
	var d Decoder
	dst := newRecords()
	rejected, _ := decodeRecords(&d, []byte(`[{"type":"a"},{"type":"long","data":{"s":"`+strings.Repeat("x", MaxSize)+`"}},{"type":"b"}]`), false, dst)
	assert.Equal(t, []Rejection{{2, ErrTooLarge}}, rejected)
	assert.Equal(t, 2, dst.Len())
}

func TestBodies(t *testing.T) {
	tests := []struct {
		name, body string
		lines      bool
		want       []string
		rejected   int
	}{
		{"one object over several lines", "{\n\"type\": \"a\",\n\"data\": {}\n}", false, []string{"a"}, 0},
		{"array", `[{"type":"a"},{"type":"b"},3]`, false, []string{"a", "b"}, 1},
		{"lines that nobody declared", "{\"type\":\"a\"}\n{\"type\":\"b\"}", false, []string{"a", "b"}, 0},
		{"array with NaN", `[{"type":"a","data":{"x":NaN}}]`, false, []string{"a"}, 0},
		{"byte order mark", "\xef\xbb\xbf{\"type\":\"a\"}", true, []string{"a"}, 0},
		{"empty", " \n ", false, nil, 0},
		{"analytics event", `{"event_type":"stage.x.started","timestamp":"2026-01-01T00:00:00+00:00","data":{"stage":"x"}}`, false, []string{"stage.x.started"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d Decoder
			dst := newRecords()
			rejected, _ := decodeRecords(&d, []byte(tt.body), tt.lines, dst)
			assert.Len(t, rejected, tt.rejected)
			var types []string
			for _, lr := range dst.All() {
				types = append(types, open(lr).Type)
			}
			assert.Equal(t, tt.want, types)
		})
	}
}

func TestTimes(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-22T11:24:15.089688+00:00":    "2026-11-22T11:24:15.089688Z",
		"2026-11-22T11:24:15+00:00":           "2026-11-22T11:24:15Z",
		"2026-11-22T11:40:37.102872612Z":      "2026-11-22T11:40:37.102872612Z",
		"2026-11-22T13:24:15+02:00":           "2026-11-22T11:24:15Z",
		"2026-01-02 03:04:05.678901+00:00":    "2026-01-02T03:04:05.678901Z",
		"2026-01-02T03:04:05":                 "2026-01-02T03:04:05Z",
		"1969-12-31T23:59:59Z":                "",
		"9999-01-01T00:00:00Z":                "",
		"yesterday":                           "",
		strings.Repeat("2026-01-02T03:04", 9): "",
	} {
		got := ParseTime(TextValue(text))
		if want == "" {
			assert.Zero(t, got, text)
			continue
		}
		assert.Equal(t, want, got.AsTime().Format("2006-01-02T15:04:05.999999999Z07:00"), text)
	}
}

func TestTimeOfAnEvent(t *testing.T) {
	for line, want := range map[string]string{
		`{"type":"x","data":{"timestamp":"2026-01-01T00:00:01Z"},"emitted_at":"2026-01-01T00:00:02Z"}`: "00:00:01",
		`{"type":"x","data":{"timestamp":"soon"},"emitted_at":"2026-01-01T00:00:02Z"}`:                 "00:00:02",
		`{"type":"stage.wide","data":{"ended_at":"2026-01-01T00:00:03Z"}}`:                             "00:00:03",
		`{"event_type":"x","timestamp":"2026-01-01T00:00:04Z","data":{}}`:                              "00:00:04",
	} {
		assert.Equal(t, want, decodeOne(t, []byte(line)).Timestamp().AsTime().Format("15:04:05"), line)
	}
	assert.Zero(t, decodeOne(t, []byte(`{"type":"x"}`)).Timestamp())
}

func TestKeys(t *testing.T) {
	key := func(line string) Key {
		k, ok := open(decodeOne(t, []byte(line))).Key()
		require.True(t, ok, line)
		return k
	}
	const a = `{"type":"x","data":{"pipeline_run_id":"r","b":1,"a":[1,2]},"emitted_at":"2026-01-01T00:00:02Z"}`
	assert.Equal(t, key(a), key(`{"emitted_at":"2026-01-01T00:00:02Z","data":{"a":[1,2],"b":1,"pipeline_run_id":"r"},"type":"x"}`))
	assert.NotEqual(t, key(a), key(strings.Replace(a, "[1,2]", "[2,1]", 1)))
	assert.NotEqual(t, key(a), key(strings.Replace(a, "02Z", "03Z", 1)))
	assert.NotEqual(t, key(a), key(strings.Replace(a, `"x"`, `"y"`, 1)))
	assert.Equal(t,
		key(`{"type":"x","data":{"n":1},"sink_id":"s","seq":7}`),
		key(`{"type":"x","data":{"n":2},"sink_id":"s","seq":7}`), "sink and number decide")
	_, ok := open(decodeOne(t, []byte(`{"type":"stream.chunk_dropped","data":{"queue_size":4}}`))).Key()
	assert.False(t, ok, "three equal drops without time or run are three drops")

	foreign := decodeOne(t, []byte(a))
	foreign.Attributes().PutStr(semconv.EventSinkIDKey, "s")
	foreign.Attributes().PutEmpty(semconv.EventBatchKey)
	k, ok := open(foreign).Key()
	assert.True(t, ok)
	assert.Equal(t, key(a), k, "an empty number is none, or all of them were copies of one event")
}

// A sender can put a hundred thousand fields into one event; a span gets the first of them, always the same.
func TestExtraFieldsAreBounded(t *testing.T) {
	var line strings.Builder
	line.WriteString(`{"type":"pipeline.started","data":{"pipeline_run_id":"r"`)
	for i := range 100_000 {
		fmt.Fprintf(&line, `,"%d":0`, i)
	}
	line.WriteString("}}")
	var first pcommon.Map
	for i := range 2 {
		_, own := divided(open(decodeOne(t, []byte(line.String()))))
		assert.Equal(t, maxExtras, own.Len())
		_, ok := own.Get(semconv.DataPrefix + "0")
		assert.True(t, ok)
		if i == 0 {
			first = own
		}
		assert.True(t, first.Equal(own))
	}
}

func TestManyMembersBesideTheData(t *testing.T) {
	var line strings.Builder
	line.WriteString(`{"type":"x"`)
	for i := range 70_000 {
		fmt.Fprintf(&line, `,"%d":0`, i)
	}
	line.WriteString("}")
	first := decodeOne(t, []byte(line.String()))
	v, ok := open(first).Field("69999")
	require.True(t, ok)
	assert.Zero(t, rawOf(v))
	again := decodeOne(t, open(first).AppendJSON(nil))
	assert.Equal(t, first.Attributes().AsRaw(), again.Attributes().AsRaw())
}

func TestRequestsThatAreNumberedNumberTheirEvents(t *testing.T) {
	const body = "\n" + `{"type":"x"}` + "\n" + `{"type":"x"}` + "\n" + `{"type":"x","sink_id":"own","seq":1}`
	keys := func(from Request) []Key {
		d := Decoder{From: from}
		dst := newRecords()
		rejected, _ := decodeRecords(&d, []byte(body), true, dst)
		require.Empty(t, rejected)
		var out []Key
		for _, lr := range dst.All() {
			assertSame(t, lr, decodeOne(t, open(lr).AppendJSON(nil)), []byte(body))
			key, ok := open(lr).Key()
			require.True(t, ok)
			out = append(out, key)
		}
		return out
	}
	seven := keys(Request{"s", "7"})
	assert.Equal(t, seven, keys(Request{"s", "7"}), "sent again")
	assert.NotEqual(t, seven[0], seven[1], "two lines are two events, though they read the same")
	eight := keys(Request{"s", "8"})
	assert.NotEqual(t, seven[0], eight[0])
	assert.NotEqual(t, seven[0], keys(Request{"t", "7"})[0])
	assert.Equal(t, seven[2], eight[2], "an event's own number comes first")
}

func TestRecordsOverOTLPAreRepairedAlike(t *testing.T) {
	lr := plog.NewLogRecord()
	lr.SetEventName("stageflow.event")
	lr.Attributes().PutStr(semconv.EventTypeKey, "x")
	data := lr.Attributes().PutEmptyMap(semconv.EventDataKey)
	data.PutDouble("nan", nan())
	data.PutStr("nul\x00", "a\x00b")
	data.PutEmptyBytes("bytes").FromRaw([]byte{0, 255})
	e, repairs, ok := Open(lr)
	require.True(t, ok)
	assert.Positive(t, repairs)
	assert.Equal(t, map[string]any{"nan": "NaN", "nul\uFFFD": "a\uFFFDb", "bytes": "AP8="}, data.AsRaw())
	assert.Equal(t, data.AsRaw(), rawOf(mapValue(e.Data())))

	foreign := plog.NewLogRecord()
	foreign.SetEventName("stageflow.event")
	_, _, ok = Open(foreign)
	assert.False(t, ok, "without a type it is somebody else's record")
}

func nan() float64 { var zero float64; return zero / zero }

// Whatever the data: what was decoded once is decoded again to the same.
func TestRoundTripProperty(t *testing.T) {
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		leaf := rapid.OneOf(
			rapid.Map(rapid.String(), func(s string) any { return s }),
			rapid.Map(rapid.Int64(), func(n int64) any { return n }),
			rapid.Map(rapid.Float64(), func(f float64) any { return f }),
			rapid.Map(rapid.Bool(), func(b bool) any { return b }),
			rapid.Just[any](nil),
		)
		if depth == 0 {
			return leaf
		}
		return rapid.OneOf(leaf,
			rapid.Map(rapid.SliceOfN(value(depth-1), 0, 4), func(s []any) any { return s }),
			rapid.Map(rapid.MapOfN(rapid.String(), value(depth-1), 0, 80), func(m map[string]any) any { return m }),
		)
	}
	rapid.Check(t, func(rt *rapid.T) {
		line, err := json.Marshal(map[string]any{
			"type": rapid.String().Draw(rt, "type"),
			"data": rapid.MapOfN(rapid.String(), value(2), 0, 6).Draw(rt, "data"),
			"more": value(1).Draw(rt, "more"),
		})
		if err != nil {
			rt.Skip("JSON has no such number")
		}
		first := decodeOne(t, line)
		assertSame(t, first, decodeOne(t, open(first).AppendJSON(nil)), line)
	})
}

func FuzzDecode(f *testing.F) {
	for _, file := range captureFiles(f) {
		raw, err := os.ReadFile(file)
		require.NoError(f, err)
		for i, line := range bytes.Split(raw, []byte("\n")) {
			if i < 3 && len(line) < 4096 {
				f.Add(line)
			}
		}
	}
	f.Add([]byte(`[{"type":"x","data":NaN},{]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, lines := range []bool{false, true} {
			var d Decoder
			dst := newRecords()
			decodeRecords(&d, body, lines, dst)
			for _, lr := range dst.All() {
				e := open(lr)
				line := e.AppendJSON(nil)
				require.True(t, utf8.Valid(line))
				require.False(t, bytes.ContainsRune(line, 0))
				assertSame(t, lr, decodeOne(t, line), line)
				e.Key()
				e.RunID()
			}
		}
	})
}

func BenchmarkDecodeLine(b *testing.B) {
	line := []byte(`{"type": "stage.guard.started", "data": {"request_id": "a692ac9e-f913-52f7-b94d-24cab459d41d", "session_id": "a8fec2e6-6c81-5da5-8279-0bf38cbb70d0", "user_id": "f9400ef0-9fae-5d0e-8ac2-d8be2921ab9e", "service": "chat", "stage": "guard", "status": "started", "timestamp": "2026-11-22T11:40:37.102863+00:00", "topology": "chat_fast", "pipeline_run_id": "f52440e5-0b3b-5159-b3db-2faf67ab1dc1"}, "emitted_at": "2026-11-22T11:40:37.102872612Z"}`)
	var d Decoder
	b.ReportAllocs()
	for b.Loop() {
		d.Decode(line, true)
		d.Reset()
	}
}

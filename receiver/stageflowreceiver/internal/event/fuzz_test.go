// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"os"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// capturedLines are some lines of every captured stream, none of them long.
func capturedLines(f *testing.F) [][]byte {
	var out [][]byte
	for _, file := range captureFiles(f) {
		raw, err := os.ReadFile(file)
		require.NoError(f, err)
		for i, line := range bytes.Split(bytes.TrimSpace(raw), []byte("\n")) {
			if i < 3 && len(line) > 0 && len(line) < 4096 {
				out = append(out, line)
			}
		}
	}
	return out
}

// Every line that is not blank is an event or is rejected, whatever the others are, and what becomes of a body is at
// most some times as large as the body.
func FuzzDecodeLines(f *testing.F) {
	lines := capturedLines(f)
	f.Add(bytes.Join(lines[:10], []byte("\n")), "", "")
	f.Add(append(bytes.Join(lines[10:20], []byte("\r\n\n \n{")), '\n'), "sink", "7")
	f.Add([]byte("\xef\xbb\xbf{\"type\":\"x\",\"seq\":1}\n[]\n{\"event_type\":\"y\",\"data\":[1e999,\"\\ud800\x00\xff\"]}"), "sink", "")
	f.Fuzz(func(t *testing.T, body []byte, sink, batch string) {
		d := Decoder{From: Request{SinkID: sink, BatchSeq: batch}}
		ld := plog.NewLogs()
		dst := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
		rejected, _ := decodeRecords(&d, body, true, dst)
		lines := 0
		for _, line := range bytes.Split(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), []byte("\n")) {
			if len(bytes.TrimSpace(line)) > 0 {
				lines++
			}
		}
		require.Equal(t, lines, dst.Len()+len(rejected))
		requireRising(t, rejected)
		for _, lr := range dst.All() {
			requireStorable(t, lr.Attributes())
			_, numbered := lr.Attributes().Get(semconv.EventBatchKey)
			if sink != "" && batch != "" && !numbered {
				_, numbered = lr.Attributes().Get(semconv.EventSeqKey)
				require.True(t, numbered, "every event of a numbered request has a number")
			}
		}
		marshaler := plog.ProtoMarshaler{}
		// A byte that is no UTF-8 becomes three; a value of two characters takes a key, an envelope of two lengths and a type.
		require.LessOrEqual(t, marshaler.LogsSize(ld), 16*len(body)+(200+len(sink)+len(batch))*(dst.Len()+1))
	})
}

// requireRising tells whether rejections name lines, each once, from the first on.
func requireRising(t *testing.T, rejected []Rejection) {
	last := 0
	for _, r := range rejected {
		require.Greater(t, r.Line, last)
		require.Error(t, r.Err)
		require.NotEmpty(t, r.Reason())
		last = r.Line
	}
}

// requireStorable tells whether a backend can keep all keys and values.
func requireStorable(t *testing.T, m pcommon.Map) {
	for k, v := range m.All() {
		requireText(t, k)
		requireStorableValue(t, v)
	}
}

func requireStorableValue(t *testing.T, v pcommon.Value) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		requireText(t, v.Str())
	case pcommon.ValueTypeDouble:
		_, bad := nonFinite(v.Double())
		require.False(t, bad)
	case pcommon.ValueTypeBytes:
		require.Fail(t, "bytes")
	case pcommon.ValueTypeMap:
		requireStorable(t, v.Map())
	case pcommon.ValueTypeSlice:
		for _, item := range v.Slice().All() {
			requireStorableValue(t, item)
		}
	}
}

func requireText(t *testing.T, s string) {
	require.True(t, utf8.ValidString(s), "%q", s)
	require.NotContains(t, s, "\x00")
}

// What was repaired needs no repair, what needs none stays as it is, and no repair makes much of little.
func FuzzRepair(f *testing.F) {
	for _, line := range capturedLines(f) {
		f.Add(line)
	}
	f.Add([]byte(`{"a":[NaN,-Infinity,Infinity],"b":"\ud800\udc00\udfff\u0000NaN"}`))
	f.Add(append(bytes.Repeat([]byte(`[`), parseDepth+2), `"\ud800",NaN`...))
	f.Add([]byte(`"\`))
	f.Fuzz(func(t *testing.T, body []byte) {
		once, n := repair(body)
		if n == 0 {
			require.Equal(t, string(body), string(once))
		}
		twice, again := repair(once)
		require.Zero(t, again, "%q became %q", body, once)
		require.Equal(t, string(once), string(twice))
		// What is nested too deep becomes a string, in which a byte may take six characters.
		require.LessOrEqual(t, len(once), 6*len(body)+2)
	})
}

// A record that came over OTLP, whatever is in it, is left alone, or is an event that a backend can keep, that reads the
// same when it is read again, and that is the same written as a line.
func FuzzOpen(f *testing.F) {
	marshaler := plog.ProtoMarshaler{}
	add := func(ld plog.Logs) {
		raw, err := marshaler.MarshalLogs(ld)
		require.NoError(f, err)
		f.Add(raw)
	}
	for _, line := range capturedLines(f) {
		ld := plog.NewLogs()
		decodeOne(f, line).CopyTo(ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
		add(ld)
	}
	odd := plog.NewLogs()
	lr := odd.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	lr.SetEventName("stageflow.event")
	lr.Attributes().PutStr(semconv.EventTypeKey, "stage.a.completed\x00")
	data := lr.Attributes().PutEmptyMap(semconv.EventDataKey)
	data.PutDouble("nan", nan())
	data.PutEmptyBytes("bytes").FromRaw([]byte{0, 255})
	data.PutEmptySlice("slice").AppendEmpty().SetEmptyMap().PutStr("\xff", "\xff")
	add(odd)
	f.Fuzz(func(t *testing.T, raw []byte) {
		unmarshaler := plog.ProtoUnmarshaler{}
		ld, err := unmarshaler.UnmarshalLogs(raw)
		if err != nil {
			return
		}
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					openAgain(t, lr)
				}
			}
		}
	})
}

func openAgain(t *testing.T, lr plog.LogRecord) {
	before := plog.NewLogRecord()
	lr.CopyTo(before)
	e, _, ok := Open(lr)
	require.Equal(t, Is(before), ok)
	if !ok {
		requireSameBytes(t, before, lr)
		return
	}
	requireStorable(t, lr.Attributes())
	key, known := e.Key()
	e.StartedAt()
	e.EndedAt()
	e.AnonymousRunID()

	once := plog.NewLogRecord()
	lr.CopyTo(once)
	again, repairs, ok := Open(lr)
	require.True(t, ok)
	require.Zero(t, repairs, "what has been repaired needs no repair")
	requireSameBytes(t, once, lr)
	sameKey, sameKnown := again.Key()
	require.Equal(t, known, sameKnown)
	require.Equal(t, key, sameKey)

	line := e.AppendJSON(nil)
	require.True(t, utf8.Valid(line))
	if len(line) <= MaxSize {
		require.Equal(t, e.Type, open(decodeOne(t, line)).Type)
	}
}

func requireSameBytes(t *testing.T, want, got plog.LogRecord) {
	bytesOf := func(lr plog.LogRecord) []byte {
		ld := plog.NewLogs()
		lr.CopyTo(ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
		marshaler := plog.ProtoMarshaler{}
		raw, err := marshaler.MarshalLogs(ld)
		require.NoError(t, err)
		return raw
	}
	require.Equal(t, bytesOf(want), bytesOf(got))
}

// A time that is read lies where nanoseconds since 1970 can hold it, and is read again from how it is written.
func FuzzParseTime(f *testing.F) {
	for _, s := range []string{
		"2026-11-22T11:40:37.102863+00:00", "2026-11-22 11:40:37.1", "2026-11-22T11:40:37Z", "1969-12-31T23:59:59Z",
		"2262-04-11T23:47:16.854775807Z", "9999-12-31T23:59:59.999999999-23:59", "2026-11-22T11:40:37,5Z", "", "1700000000",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		told := ParseTime(TextValue(s))
		if told == 0 {
			return
		}
		at := told.AsTime()
		require.GreaterOrEqual(t, at.Year(), 1970)
		require.LessOrEqual(t, at.Year(), 2262)
		require.Equal(t, told, ParseTime(TextValue(at.Format(time.RFC3339Nano))))
	})
}

// A traceparent of an event gives a trace that exists, and is the same written anew.
func FuzzTraceParent(f *testing.F) {
	for _, s := range []string{
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		trace, parent, ok := semconv.ParseTraceParent(s)
		if !ok {
			return
		}
		require.NotZero(t, trace)
		again, sameParent, ok := semconv.ParseTraceParent(semconv.FormatTraceParent(trace, parent))
		require.True(t, ok)
		require.Equal(t, trace, again)
		require.Equal(t, parent, sameParent)
	})
}

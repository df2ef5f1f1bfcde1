// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// resource has what is seldom there.
const resource = `"resource":{"droppedAttributesCount":3,"attributes":[
	{"key":"service.name","value":{"stringValue":"shop"}},{"key":"service.name","value":{"stringValue":"twice"}},{"key":"","value":{}},
	{"key":"all","value":{"arrayValue":{"values":[{"stringValue":"a"},{"intValue":"-9223372036854775808"},{"doubleValue":"-Infinity"},{"boolValue":false},
		{"bytesValue":"AAH/"},{"kvlistValue":{"values":[{"key":"x","value":{"arrayValue":{}}}]}},{}]}}}],
	"entityRefs":[{"type":"service","schemaUrl":"https://e","idKeys":["service.name"],"descriptionKeys":["all"]}]},
	"schemaUrl":"https://opentelemetry.io/schemas/1.30.0"`

const scope = `"scope":{"name":"s","version":"1","droppedAttributesCount":2,"attributes":[{"key":"a","value":{"stringValue":"b"}}]},"schemaUrl":"https://scope"`

// valid are requests as JSON, by signal. Unknown fields are among them.
var valid = map[string][]string{
	"logs": {
		`{}`, `{"resourceLogs":[]}`, `{"resourceLogs":[{}]}`, `{"resourceLogs":[{"resource":{},"scopeLogs":[{},{"logRecords":[]}]}]}`,
		`{"resourceLogs":[{` + resource + `,"scopeLogs":[{` + scope + `,"logRecords":[
			{"timeUnixNano":"1","observedTimeUnixNano":2,"severityNumber":17,"severityText":"ERR","body":{"stringValue":"text \u0000 ✓"},"flags":1,
			 "traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","droppedAttributesCount":7},
			{"body":{"intValue":"17"}},{"body":{"doubleValue":-0.0}},{"body":{"doubleValue":"Infinity"}},{"body":{"boolValue":true}},{"body":{"bytesValue":"AP8="}},
			{"body":{"arrayValue":{"values":[{},{"arrayValue":{"values":[{"stringValue":""}]}}]}}},{"body":{"kvlistValue":{"values":[{"key":"k","value":{"kvlistValue":{}}}]}}},
			{"body":{}},{},{"eventName":"browser.page_view"},{"eventName":"stageflow.run.started","attributes":[{"key":"a","value":{"stringValue":"no event"}}]},
			{"eventName":"other","attributes":[{"key":"stageflow.event.type","value":{"stringValue":"pipeline.started"}}]},
			{"eventName":"stageflow.event","attributes":[{"key":"stageflow.event.type","value":{"intValue":"1"}}]},
			{"severityNumber":99,"flags":4294967295,"unknown":{"x":[1,2,{}]}}]}]}],"unknownToo":null}`,
		`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"first"}}]},{}]},{},{"resource":{},"scopeLogs":[{"scope":{}},{"logRecords":[{"body":{"stringValue":"second"}}]}]}]}`,
	},
	"traces": {
		`{}`, `{"resourceSpans":[{"scopeSpans":[{"spans":[]}]}]}`,
		`{"resourceSpans":[{` + resource + `,"scopeSpans":[{` + scope + `,"spans":[
			{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","parentSpanId":"00f067aa0ba902b7","traceState":"a=b,c=d","flags":769,"name":"pay","kind":3,
			 "startTimeUnixNano":"9","endTimeUnixNano":"3","droppedAttributesCount":1,"droppedEventsCount":2,"droppedLinksCount":3,"status":{"code":2,"message":"no"},
			 "attributes":[{"key":"a","value":{"bytesValue":"AA=="}}],
			 "events":[{"timeUnixNano":"4","name":"e","droppedAttributesCount":5,"attributes":[{"key":"x","value":{"doubleValue":1e308}}]},{}],
			 "links":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","traceState":"x=y","flags":257,"droppedAttributesCount":4},{}]},
			{},{"name":"without ids","kind":99,"status":{}},{"name":"theirs","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"stageflow.call.id","value":{"stringValue":"c"}}]}]}]}]}`,
	},
	"metrics": {
		`{}`, `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[]}]}]}`, `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"nothing"},{"name":"no points","gauge":{}}]}]}]}`,
		`{"resourceMetrics":[{` + resource + `,"scopeMetrics":[{` + scope + `,"metrics":[
			{"name":"gauge","unit":"1","description":"d","metadata":[{"key":"m","value":{"stringValue":"n"}}],"gauge":{"dataPoints":[{"asInt":"-5","timeUnixNano":"2"},{"asDouble":"Infinity","flags":1},{}]}},
			{"name":"sum","sum":{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[{"startTimeUnixNano":"1","timeUnixNano":"2","asDouble":0.5,"attributes":[{"key":"a","value":{"intValue":"1"}}],
				"exemplars":[{"timeUnixNano":"3","asInt":"4","spanId":"b7ad6b7169203331","traceId":"0af7651916cd43dd8448eb211c80319c","filteredAttributes":[{"key":"f","value":{"boolValue":true}}]},{"asDouble":1}]}]}},
			{"name":"histogram","histogram":{"aggregationTemporality":2,"dataPoints":[{"count":"3","sum":6.5,"min":0.5,"max":4,"bucketCounts":["1","0","2"],"explicitBounds":[1,2],"exemplars":[{"asDouble":4}]},{"count":"0"}]}},
			{"name":"exponential","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"count":"5","sum":9,"scale":-3,"zeroCount":"1","zeroThreshold":0.01,"positive":{"offset":-2,"bucketCounts":["1","2"]},
				"negative":{"offset":3,"bucketCounts":["1"]},"exemplars":[{"asInt":"1"}]}]}},
			{"name":"summary","summary":{"dataPoints":[{"count":"2","sum":3,"quantileValues":[{"quantile":0,"value":1},{"quantile":0.99,"value":2}]},{}]}}]}]}]}`,
	},
}

// Requests that hold what is seldom there come out as of the otlp receiver, as JSON and as protobuf, over HTTP and over
// gRPC.
func TestRequestsWithOddContents(t *testing.T) {
	s := newSides(t)
	// A field that no version has: its number is 999, its value two bytes.
	unknown := []byte{0xba, 0x3e, 0x02, 'h', 'i'}
	for signal, bodies := range valid {
		for i, body := range bodies {
			full := i == len(bodies)-1
			assert.Equal(t, http.StatusOK, s.overHTTP(t, request{path: "/v1/" + signal, contentType: jsonType, body: []byte(body)}).code, body)
			assert.Equal(t, http.StatusOK, s.overHTTP(t, request{path: "/v1/" + signal, contentType: jsonType + "; charset=utf-8", encoding: "gzip", body: gzipped(t, []byte(body))}).code)
			n := s.assertSame(t)
			if full {
				assert.Equal(t, 2, n, "it holds something")
			}
			message := append(toProto(t, signal, body), unknown...)
			assert.Equal(t, http.StatusOK, s.overHTTP(t, request{path: "/v1/" + signal, contentType: protobuf, body: message}).code)
			assert.NoError(t, s.overGRPC(t, methods[signal], message))
			assert.Equal(t, n, s.assertSame(t))
		}
	}
}

// What is not a number equals nothing, so only its bytes are compared.
func TestNotANumber(t *testing.T) {
	s := newSides(t)
	for signal, body := range map[string]string{
		"logs":    `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"doubleValue":"NaN"}}]}]}]}`,
		"traces":  `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"a","value":{"doubleValue":"NaN"}}]}]}]}]}`,
		"metrics": `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"asDouble":"NaN"}]}}]}]}]}`,
	} {
		assert.Equal(t, http.StatusOK, s.overHTTP(t, request{path: "/v1/" + signal, contentType: jsonType, body: []byte(body)}).code)
	}
	assert.Len(t, s.stock.wire, 3)
	assert.Equal(t, s.stock.wire, s.ours.wire)
}

func toProto(t *testing.T, signal, body string) []byte {
	t.Helper()
	var message []byte
	var err error
	switch signal {
	case "logs":
		ld, jsonErr := (&plog.JSONUnmarshaler{}).UnmarshalLogs([]byte(body))
		require.NoError(t, jsonErr)
		message, err = (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	case "traces":
		td, jsonErr := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(body))
		require.NoError(t, jsonErr)
		message, err = (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	case "metrics":
		md, jsonErr := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics([]byte(body))
		require.NoError(t, jsonErr)
		message, err = (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	}
	require.NoError(t, err)
	return message
}

// Requests that are none are answered as by the otlp receiver: code, type and body.
func TestRequestsThatAreWrong(t *testing.T) {
	s := newSides(t)
	large := []byte(`{"x":"` + strings.Repeat("x", maxBody) + `"}`)
	for _, tt := range []struct {
		name string
		request
		code int
	}{
		{"no JSON", request{contentType: jsonType, body: []byte(`{"resourceLogs":[`)}, 400},
		{"no body, JSON", request{contentType: jsonType}, 400},
		{"no body, protobuf", request{contentType: protobuf}, 200},
		{"not an object", request{contentType: jsonType, body: []byte(`[1]`)}, 400},
		{"an id that is none", request{contentType: jsonType, body: []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"xyz"}]}]}]}`)}, 400},
		{"no protobuf", request{contentType: protobuf, body: []byte("\xff\xff\xff")}, 400},
		{"cut protobuf", request{contentType: protobuf, body: []byte{0x0a, 0x7f, 0x00}}, 400},
		{"a text", request{contentType: "text/plain", body: []byte("x")}, 415},
		{"no type", request{body: []byte("{}")}, 415},
		{"a type that is none", request{contentType: ";;", body: []byte("{}")}, 415},
		{"GET", request{method: http.MethodGet, contentType: jsonType}, 405},
		{"PUT", request{method: http.MethodPut, contentType: protobuf}, 405},
		{"an encoding that nobody knows", request{contentType: jsonType, encoding: "rot13", body: []byte("{}")}, 400},
		{"no gzip", request{contentType: jsonType, encoding: "gzip", body: []byte("{}")}, 400},
		{"no gzip, protobuf", request{contentType: protobuf, encoding: "gzip", body: []byte("{}")}, 400},
		{"cut gzip", request{contentType: jsonType, encoding: "gzip", body: gzipped(t, []byte("{}"))[:12]}, 400},
		{"too large", request{contentType: jsonType, body: large}, 400},
		{"too large, gzip", request{contentType: protobuf, encoding: "gzip", body: gzipped(t, large)}, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for signal := range methods {
				tt.path = "/v1/" + signal
				if tt.name == "an id that is none" && signal != "logs" {
					continue
				}
				assert.Equal(t, tt.code, s.overHTTP(t, tt.request).code)
			}
		})
	}
	for _, path := range []string{"/", "/v1", "/v1/logs/", "/v1/events", "/v2/logs"} {
		assert.Equal(t, http.StatusNotFound, s.overHTTP(t, request{path: path, contentType: jsonType, body: []byte("{}")}).code, path)
	}
	for signal, method := range methods {
		assert.Equal(t, codes.Internal, status.Code(s.overGRPC(t, method, []byte("\xff\xff\xff"))), signal)
		assert.Equal(t, codes.Unimplemented, status.Code(s.overGRPC(t, method+"More", nil)), signal)
	}
	assert.Zero(t, s.assertSame(t))
}

// Profiles are in no pipeline here, and in none that has a stageflow receiver: senders are told so, as by an otlp
// receiver without a profiles pipeline.
func TestProfilesAreNotTaken(t *testing.T) {
	s := newSides(t)
	for _, path := range []string{"/v1development/profiles", "/v1/profiles"} {
		assert.Equal(t, http.StatusNotFound, s.overHTTP(t, request{path: path, contentType: protobuf}).code)
	}
	err := s.overGRPC(t, "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export", nil)
	assert.Equal(t, codes.Unimplemented, status.Code(err))
}

// Of a request that holds events, too, everything else comes out as of the otlp receiver, and once.
func TestMixedRequests(t *testing.T) {
	s := newSides(t)
	for _, body := range valid["logs"] {
		ld, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs([]byte(body))
		require.NoError(t, err)
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				sl.LogRecords().AppendEmpty().SetEventName("stageflow.run.started")
				event := sl.LogRecords().AppendEmpty()
				event.SetEventName("stageflow.run.started")
				event.Attributes().PutStr(semconv.EventTypeKey, "pipeline.started")
				event.Attributes().PutEmptyMap(semconv.EventDataKey).PutStr("pipeline_run_id", "r")
				event.SetTimestamp(7)
				sl.LogRecords().AppendEmpty().Body().SetStr("after it")
			}
		}
		message, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, s.overHTTP(t, request{path: "/v1/logs", contentType: protobuf, body: message}).code)
		assert.Equal(t, records(t, s.stock), records(t, s.ours))
		assert.Len(t, s.ours.logs, len(s.stock.logs), "a request is handed on as one")
		s.stock.logs, s.ours.logs = nil, nil
	}
}

// records are those that are no events, each with its resource and scope.
func records(t *testing.T, s *side) []string {
	t.Helper()
	var out []string
	for _, ld := range s.logs {
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				sl.LogRecords().RemoveIf(func(lr plog.LogRecord) bool {
					v, ok := lr.Attributes().Get(semconv.EventTypeKey)
					return ok && v.Str() == "pipeline.started" && strings.HasPrefix(lr.EventName(), "stageflow.")
				})
				for _, lr := range sl.LogRecords().All() {
					one := plog.NewLogs()
					toResource := one.ResourceLogs().AppendEmpty()
					rl.Resource().CopyTo(toResource.Resource())
					toResource.SetSchemaUrl(rl.SchemaUrl())
					toScope := toResource.ScopeLogs().AppendEmpty()
					sl.Scope().CopyTo(toScope.Scope())
					toScope.SetSchemaUrl(sl.SchemaUrl())
					lr.CopyTo(toScope.LogRecords().AppendEmpty())
					raw, err := (&plog.ProtoMarshaler{}).MarshalLogs(one)
					require.NoError(t, err)
					out = append(out, string(bytes.Clone(raw)))
				}
			}
		}
	}
	return out
}

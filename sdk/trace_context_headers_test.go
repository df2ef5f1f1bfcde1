// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"pgregory.net/rapid"
)

const (
	someTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	someSpan   = "00f067aa0ba902b7"
	someParent = "00-" + someTrace + "-" + someSpan + "-01"
)

// headerVector is a set of headers, what the framework reads in it and what it then writes.
type headerVector struct {
	Name          string
	WrongUpstream string `json:"wrong_upstream"`
	Headers       map[string]string
	Upstream      struct {
		Context struct {
			TraceID       string            `json:"trace_id"`
			SpanID        string            `json:"span_id"`
			CorrelationID string            `json:"correlation_id"`
			PipelineRunID string            `json:"pipeline_run_id"`
			RequestID     string            `json:"request_id"`
			OrgID         string            `json:"org_id"`
			Baggage       map[string]string `json:"baggage"`
		}
		Headers map[string]string
	}
}

// The framework's sender is what is the parent here.
func (v headerVector) context() TraceContext {
	u := v.Upstream.Context
	return TraceContext{
		TraceID: u.TraceID, ParentSpanID: u.SpanID, Sampled: u.TraceID != "",
		CorrelationID: u.CorrelationID, PipelineRunID: u.PipelineRunID, RequestID: u.RequestID, OrgID: u.OrgID,
		Baggage: u.Baggage,
	}
}

func headerVectors(t testing.TB) (vectors []headerVector) {
	t.Helper()
	raw, err := os.ReadFile("testdata/header_vectors.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &vectors))
	require.NotEmpty(t, vectors)
	return vectors
}

func TestHeadersAsUpstream(t *testing.T) {
	for _, v := range headerVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			tc := TraceContextFromHeaders(v.Headers)
			headers := tc.ToHeaders()
			delete(headers, headerBaggage) // the framework has only its own form
			if v.WrongUpstream != "" {
				same := assert.ObjectsAreEqual(v.context(), tc) && assert.ObjectsAreEqual(v.Upstream.Headers, headers)
				assert.False(t, same, "no longer wrong there: %s", v.WrongUpstream)
				return
			}
			assert.Equal(t, v.context(), tc)
			assert.Equal(t, v.Upstream.Headers, headers)
		})
	}
}

func TestHeaderNamesInAnyCase(t *testing.T) {
	for _, spell := range []func(string) string{strings.ToLower, strings.ToUpper, http.CanonicalHeaderKey} {
		tc := TraceContextFromHeaders(map[string]string{
			spell("traceparent"): someParent, spell("x-correlation-id"): "c", spell("x-baggage-tenant"): "acme",
			spell("baggage"): "plan=gold",
		})
		assert.Equal(t, TraceContext{
			TraceID: someTrace, ParentSpanID: someSpan, Sampled: true, CorrelationID: "c",
			Baggage: map[string]string{"tenant": "acme", "plan": "gold"},
		}, tc)
	}

	twice := map[string]string{"X-Request-Id": "upper", "x-request-id": "lower", "X-REQUEST-ID": "loud"}
	assert.Equal(t, "lower", TraceContextFromHeaders(twice).RequestID)
}

func TestHeaderSampledFlagIsKept(t *testing.T) {
	for flags, sampled := range map[string]bool{"00": false, "01": true, "02": false, "03": true, "ff": true} {
		tc := TraceContextFromHeaders(map[string]string{headerTraceParent: someParent[:53] + flags})
		assert.Equal(t, sampled, tc.Sampled, flags)
		assert.Equal(t, sampled, strings.HasSuffix(tc.ToHeaders()[headerTraceParent], "-01"), flags)
	}
}

func TestHeaderZeroSpanIDKeepsTheTraceWithoutAParent(t *testing.T) {
	tc := TraceContextFromHeaders(map[string]string{
		headerTraceParent: "00-" + someTrace + "-0000000000000000-01", headerTraceState: "a=1",
	})
	assert.Equal(t, TraceContext{TraceID: someTrace, Sampled: true}, tc)
	assert.NotContains(t, tc.ToHeaders(), headerTraceParent, "a zero span id is never written")
}

func TestHeaderTraceParentThatIsInvalid(t *testing.T) {
	for _, bad := range []string{
		"", "-", "00", someTrace, "00-" + someTrace, "00-" + someTrace + "-" + someSpan, someParent[:54],
		"ff" + someParent[2:], "zz" + someParent[2:], "000" + someParent[2:], "0A" + someParent[2:],
		strings.ToUpper(someParent), someParent[:53] + "zz", someParent[:53] + "0A", someParent + "-more", someParent + "-",
		"00-00000000000000000000000000000000-" + someSpan + "-01",
		"00-" + strings.Repeat("z", 32) + "-" + someSpan + "-01", "00-" + someTrace + "-" + strings.Repeat("z", 16) + "-01",
		"00-abc-" + someSpan + "-01", "00-" + someTrace + "-abc-01", "01" + someParent[2:] + "more", someParent + "," + someParent,
	} {
		tc := TraceContextFromHeaders(map[string]string{
			headerTraceParent: bad, headerTraceState: "a=1", headerRequestID: "r", headerBaggage: "k=v",
		})
		assert.Equal(t, TraceContext{RequestID: "r", Baggage: map[string]string{"k": "v"}}, tc, bad)
	}
	for _, good := range []string{someParent, " " + someParent + "\t", "01" + someParent[2:], "fe" + someParent[2:] + "-more", "01" + someParent[2:] + "-"} {
		tc := TraceContextFromHeaders(map[string]string{headerTraceParent: good, headerTraceState: "a=1"})
		assert.Equal(t, TraceContext{TraceID: someTrace, ParentSpanID: someSpan, Sampled: true, TraceState: "a=1"}, tc, good)
	}
}

func TestHeaderTraceStateThatIsInvalidLeavesTheParent(t *testing.T) {
	tc := TraceContextFromHeaders(map[string]string{headerTraceParent: someParent, headerTraceState: "no state\x00"})
	assert.Equal(t, TraceContext{TraceID: someTrace, ParentSpanID: someSpan, Sampled: true}, tc)
}

func TestHeaderSpanOfTheSenderIsTheParent(t *testing.T) {
	tc := TraceContextFromHeaders(map[string]string{headerTraceParent: someParent})
	assert.Empty(t, tc.SpanID)
	assert.Equal(t, someSpan, tc.ParentSpanID)
	assert.Equal(t, someParent, tc.ToHeaders()[headerTraceParent], "handed on while nothing began here")

	tc.SpanID = "bb02000000000000"
	assert.Equal(t, "00-"+someTrace+"-bb02000000000000-01", tc.ToHeaders()[headerTraceParent])
}

func TestHeadersCannotBeInjected(t *testing.T) {
	bad := []string{"a\r\nset-cookie: x", "a\nb", "a\x00b", "Zoë", "a\x7fb", " a", "a ", "a\tb", "\xff"}
	for _, s := range bad {
		headers := TraceContext{
			TraceID: s, SpanID: s, ParentSpanID: s, TraceState: s,
			CorrelationID: s, PipelineRunID: s, RequestID: s, OrgID: s,
			Baggage: map[string]string{s: "name", "value": s},
		}.ToHeaders()
		requireValid(t, headers)
		for _, name := range []string{
			headerTraceParent, headerTraceState, headerCorrelationID, headerRunID, headerRequestID, headerOrgID, "x-baggage-value",
		} {
			assert.NotContains(t, headers, name, "%q", s)
		}
		if s == "\xff" {
			assert.Empty(t, headers, "not even text")
			continue
		}
		assert.Equal(t, s, TraceContextFromHeaders(headers).Baggage["value"], "W3C baggage is encoded")
	}
	for _, s := range bad[:4] {
		assert.Empty(t, TraceContextFromHeaders(map[string]string{headerRequestID: s, "x-baggage-k": s, "x-baggage-" + s: "v"}), "%q", s)
	}
}

func TestHeaderBaggageInBothForms(t *testing.T) {
	headers := TraceContext{Baggage: map[string]string{
		"tenant": "acme", "userId": "u", "note": "two words", "name": "Zoë", "bits-bin": "x", "a!b": "x", "full": "100%",
	}}.ToHeaders()
	assert.Equal(t, map[string]string{
		"baggage": "a!b=x,bits-bin=x,full=100%25,name=Zo%C3%AB,note=two%20words,tenant=acme,userId=u",
		// What gRPC would refuse or recode is W3C's alone.
		"x-baggage-full": "100%", "x-baggage-note": "two words", "x-baggage-tenant": "acme", "x-baggage-userid": "u",
	}, headers)

	tc := TraceContextFromHeaders(map[string]string{
		"baggage": "tenant=acme;ttl=1,userId=u,=x,bad value=1", "x-baggage-tenant": "other", "x-baggage-userid": "other", "x-baggage-plan": "50%25",
	})
	assert.Equal(t, map[string]string{"tenant": "acme", "userId": "u", "plan": "50%25"}, tc.Baggage)

	lower := TraceContext{Baggage: map[string]string{"A": "1", "a": "2"}}
	assert.Equal(t, "2", lower.ToHeaders()["x-baggage-a"])
	assert.Equal(t, lower, TraceContextFromHeaders(lower.ToHeaders()))
}

func TestHeadersAreBounded(t *testing.T) {
	many, big := map[string]string{}, map[string]string{}
	for i := range 1000 {
		many[fmt.Sprintf("k%03d", i)] = "v"
		big[fmt.Sprintf("k%03d", i)] = strings.Repeat("é", 300)
	}
	big["huge"] = strings.Repeat("x", 9000)
	long := strings.Repeat("x", maxID+1)

	headers := TraceContext{Baggage: many, RequestID: long}.ToHeaders()
	assert.Len(t, headers, 65)
	assert.Contains(t, headers, "x-baggage-k063", "the first in order of names stay")

	written := TraceContext{Baggage: big}.ToHeaders()[headerBaggage]
	assert.LessOrEqual(t, len(written), 8192)
	assert.Greater(t, len(written), 4096)

	in := map[string]string{headerRequestID: long, headerBaggage: strings.Repeat("x", 9000)}
	for key, value := range many {
		in["x-baggage-"+key] = value
	}
	in["x-baggage-huge"] = big["huge"]
	tc := TraceContextFromHeaders(in)
	assert.Empty(t, tc.RequestID)
	assert.Len(t, tc.Baggage, 64)
}

// requireValid holds headers to what net/http and gRPC take.
func requireValid(t require.TestingT, headers map[string]string) {
	for name, value := range headers {
		require.Regexp(t, `^[0-9a-z._-]+$`, name)
		require.Regexp(t, `^([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?$`, value)
	}
	total := 0
	for _, value := range headers {
		total += len(value)
	}
	require.LessOrEqual(t, total, 8192+8192+32*513+4*maxID+55)
}

func FuzzTraceContextFromHeaders(f *testing.F) {
	f.Add("traceparent", someParent, "tracestate", "a=1,b=2", "baggage", "k=v;p=1,userId=%C3%AB")
	f.Add("Traceparent", "00-"+someTrace+"-0000000000000000-00", "x-baggage-A", "100%", "X-BAGGAGE-a", "x\r\ny")
	f.Add("x-request-id", " r 1 ", "baggage", "a=%ff%00,b==,c", "x-baggage-\u212a", "k")
	for _, v := range headerVectors(f) {
		for name, value := range v.Headers {
			f.Add(name, value, "x-org-id", "o", "baggage", "k=v")
		}
	}
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2, n3, v3 string) {
		tc := TraceContextFromHeaders(map[string]string{n1: v1, n2: v2, n3: v3})
		headers := tc.ToHeaders()
		requireValid(t, headers)

		// As net/http sees them.
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		for name, value := range headers {
			r.Header.Set(name, value)
		}
		var wire strings.Builder
		require.NoError(t, r.Header.Write(&wire))

		again := map[string]string{}
		for name := range r.Header {
			again[name] = r.Header.Get(name)
		}
		want := tc
		if want.ParentSpanID == "" { // a trace without a span has no header
			want.TraceID, want.Sampled = "", false
		}
		require.Equal(t, want, TraceContextFromHeaders(again))

		back := TraceContextFromMap(tc.ToMap())
		require.Equal(t, tc, back)
	})
}

// Any context, however wrong, comes back from its headers as the valid part of it.
func TestHeadersRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tc := anyTraceContext(t)
		headers := tc.ToHeaders()
		requireValid(t, headers)
		got := TraceContextFromHeaders(headers)
		require.Equal(t, headers, got.ToHeaders())

		want, members := tc.valid()
		assert.Equal(t, headerWorthy(want.RequestID), got.RequestID)
		for _, m := range members {
			if _, err := baggage.NewMember(m.Key(), ""); err == nil { // a name that W3C allows
				assert.Equal(t, m.Value(), got.Baggage[m.Key()])
			}
		}
	})
}

func headerWorthy(id string) string {
	if printable(id) {
		return id
	}
	return ""
}

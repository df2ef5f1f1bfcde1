// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// The names of the headers. Lower case serves HTTP/2 and gRPC, where nothing else is allowed.
const (
	headerTraceParent   = "traceparent"
	headerTraceState    = "tracestate"
	headerBaggage       = "baggage"
	headerCorrelationID = "x-correlation-id"
	headerRunID         = "x-pipeline-run-id"
	headerRequestID     = "x-request-id"
	headerOrgID         = "x-org-id"
	// headerBaggagePrefix goes before the name of a member: the framework's own form of baggage.
	headerBaggagePrefix = "x-baggage-"
)

// knownFlags are the trace flags that W3C trace context defines; others must not be passed on.
const knownFlags = trace.FlagsSampled | trace.FlagsRandom

// ToHeaders is the trace context as headers for HTTP, gRPC and the like (API: TraceContext.to_headers). Every name and
// value is fit for a header: an id that is not printable ASCII is left out. Without a span there is no traceparent.
//
// Baggage is written twice: as W3C baggage, and as the framework's x-baggage-{key}, where the value is not encoded and
// so is left out unless it is printable ASCII and its name is lower-case letters, digits and "-_.", whatever gRPC takes.
func (tc TraceContext) ToHeaders() map[string]string {
	tc, members := tc.valid()
	out := map[string]string{}
	writeHeaders(func(name, value string) { out[name] = value }, tc.spanContext(), ids{
		run: tc.PipelineRunID, request: tc.RequestID, org: tc.OrgID, correlation: tc.CorrelationID,
	}, members)
	return out
}

func writeHeaders(set func(name, value string), sc trace.SpanContext, i ids, members []baggage.Member) {
	if sc.IsValid() {
		flags := sc.TraceFlags() & knownFlags
		set(headerTraceParent, "00-"+sc.TraceID().String()+"-"+sc.SpanID().String()+"-"+flags.String())
		if state := sc.TraceState().String(); state != "" {
			set(headerTraceState, state)
		}
	}
	for _, h := range i.headers() {
		if len(*h.id) <= maxID && *h.id != "" && printable(*h.id) {
			set(h.name, *h.id)
		}
	}

	written := make([]string, 0, len(members))
	for _, m := range members {
		if s := m.String(); s != "" {
			written = append(written, s)
		}
		// Names that differ only in case are one header; the lower-case one has it.
		name := strings.ToLower(m.Key())
		taken := name != m.Key() && slices.ContainsFunc(members, func(o baggage.Member) bool { return o.Key() == name })
		if !taken && carriable(name) && printable(m.Value()) {
			set(headerBaggagePrefix+name, m.Value())
		}
	}
	if len(written) > 0 {
		set(headerBaggage, strings.Join(written, ","))
	}
}

// TraceContextFromHeaders reads W3C and framework headers (API: TraceContext.from_headers), their names in any case.
// An invalid header is skipped and the others are read. The sender's span becomes ParentSpanID. A traceparent with the
// invalid, all-zero span id, which the framework writes, still tells the trace. Where both forms of baggage name a
// member, W3C's is right.
func TraceContextFromHeaders(headers map[string]string) TraceContext {
	in := readHeaders(knownHeaders(headers))
	tc := TraceContext{
		ParentSpanID:  hexOrNone(in.span.SpanID()),
		Sampled:       in.span.IsSampled(),
		TraceState:    in.span.TraceState().String(),
		CorrelationID: in.ids.correlation,
		PipelineRunID: in.ids.run,
		RequestID:     in.ids.request,
		OrgID:         in.ids.org,
		Baggage:       baggageMap(in.members),
	}
	if in.span.HasTraceID() {
		tc.TraceID = in.span.TraceID().String()
	}
	return tc
}

// knownHeaders are the headers that are read here, by their lower-case names. Of names that differ in case only, the
// lower-case one is read.
func knownHeaders(headers map[string]string) map[string]string {
	var names []string
	for name := range headers {
		if isKnown(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	out := make(map[string]string, len(names))
	for _, name := range names {
		lower := strings.ToLower(name)
		if _, twice := out[lower]; twice && name != lower {
			continue
		}
		out[lower] = headers[name]
	}
	return out
}

func isKnown(name string) bool {
	if !printable(name) {
		return false
	}
	if len(name) > len(headerBaggagePrefix) && strings.EqualFold(name[:len(headerBaggagePrefix)], headerBaggagePrefix) {
		return true
	}
	for _, h := range headerNames {
		if strings.EqualFold(name, h) {
			return true
		}
	}
	return false
}

var headerNames = [...]string{
	headerTraceParent, headerTraceState, headerBaggage, headerCorrelationID, headerRunID, headerRequestID, headerOrgID,
}

// received is what headers tell. The span may be a trace id alone.
type received struct {
	span    trace.SpanContext
	ids     ids
	members []baggage.Member
}

// readHeaders reads headers that have lower-case names.
func readHeaders(headers map[string]string) received {
	in := received{
		span:    readSpan(trimmed(headers[headerTraceParent]), headers[headerTraceState]),
		members: readBaggage(headers),
	}
	for _, h := range in.ids.headers() {
		if id := trimmed(headers[h.name]); len(id) <= maxID && printable(id) {
			*h.id = id
		}
	}
	return in
}

func readSpan(parent, state string) trace.SpanContext {
	id, span, ok := semconv.ParseTraceParent(parent)
	if !ok {
		return trace.SpanContext{}
	}
	flags := unhex(parent[53])<<4 | unhex(parent[54])
	cfg := trace.SpanContextConfig{
		TraceID:    trace.TraceID(id),
		SpanID:     trace.SpanID(span),
		TraceFlags: trace.TraceFlags(flags) & knownFlags,
		Remote:     true,
	}
	// A tracestate belongs to a valid traceparent only.
	if cfg.SpanID.IsValid() {
		cfg.TraceState, _ = trace.ParseTraceState(state)
	}
	return trace.NewSpanContext(cfg)
}

// unhex is the value of a digit that is known to be lower-case hex.
func unhex(digit byte) byte {
	if digit <= '9' {
		return digit - '0'
	}
	return digit - 'a' + 10
}

func readBaggage(headers map[string]string) []baggage.Member {
	parsed, _ := baggage.Parse(headers[headerBaggage]) // an error tells of members that were skipped
	members := sortedMembers(parsed.Members())

	var others []baggage.Member
	for name, value := range headers {
		key, ok := strings.CutPrefix(name, headerBaggagePrefix)
		if value = trimmed(value); !ok || !printable(value) || hasMember(members, key) {
			continue
		}
		// Only a name that W3C baggage allows has a written form.
		if m, err := baggage.NewMemberRaw(key, value); err == nil && m.String() != "" {
			others = append(others, m)
		}
	}
	return sortedMembers(within(append(members, sortedMembers(others)...)))
}

// hasMember tells whether one of the members has this name, in any case.
func hasMember(members []baggage.Member, lower string) bool {
	return slices.ContainsFunc(members, func(m baggage.Member) bool { return strings.EqualFold(m.Key(), lower) })
}

// headers are the ids that have a header of their own.
func (i *ids) headers() [4]idHeader {
	return [...]idHeader{
		{headerCorrelationID, &i.correlation},
		{headerRunID, &i.run},
		{headerRequestID, &i.request},
		{headerOrgID, &i.org},
	}
}

type idHeader struct {
	name string
	id   *string
}

// trimmed is a header's value without the white space around it, which is no part of it.
func trimmed(value string) string { return strings.Trim(value, " \t") }

// printable tells whether a header can carry the value as it is.
func printable(value string) bool {
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return false
		}
	}
	return value == trimmed(value)
}

// carriable tells whether any transport takes the name as the end of a header's name. gRPC takes no others, and reads
// values of -bin as binary.
func carriable(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return name != "" && !strings.HasSuffix(name, "-bin")
}

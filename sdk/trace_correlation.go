// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"

	"github.com/google/uuid"
)

// SetCorrelationID returns ctx with an id of what belongs together (API: set_correlation_id). Events, runs, spans,
// log records and outgoing headers made in it carry the id, until a run in it is given another.
func SetCorrelationID(ctx context.Context, id string) context.Context {
	set := idsOf(ctx)
	set.correlation = id
	return set.with(ctx)
}

// GetCorrelationID is the innermost of: the id that was set, that of the run that ctx is in, that of the
// [TraceContext] that ctx came with (API: get_correlation_id). "" when there is none. It does not allocate.
func GetCorrelationID(ctx context.Context) string {
	set, s := setIn(ctx)
	switch {
	case set != nil:
		return set.correlation
	case s != nil:
		return s.run.ids.CorrelationID
	}
	return ""
}

// EnsureCorrelationID returns the correlation id of ctx, and sets a new UUID when there is none (API:
// ensure_correlation_id).
func EnsureCorrelationID(ctx context.Context) (withID context.Context, id string) {
	if id = GetCorrelationID(ctx); id != "" {
		return ctx, id
	}
	id = uuid.NewString()
	return SetCorrelationID(ctx, id), id
}

// ClearCorrelationID returns ctx without a correlation id, whoever set it (API: clear_correlation_id). The outer
// context keeps its own.
func ClearCorrelationID(ctx context.Context) context.Context { return SetCorrelationID(ctx, "") }

// TraceContextDict names where ctx is: trace_id, span_id, parent_span_id and correlation_id (API:
// get_trace_context_dict). What is not known is left out; the framework has None there.
func TraceContextDict(ctx context.Context) map[string]string {
	tc := placeOf(ctx)
	out := make(map[string]string, 4)
	for _, f := range [...]struct{ name, value string }{
		{keyTraceID, tc.TraceID},
		{keySpanID, tc.SpanID},
		{keyParentSpanID, tc.ParentSpanID},
		{keyCorrelationID, tc.CorrelationID},
	} {
		if f.value != "" {
			out[f.name] = f.value
		}
	}
	return out
}

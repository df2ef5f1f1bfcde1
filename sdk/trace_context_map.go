// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import "time"

// The names of a trace context's fields in a map; its JSON has the same.
const (
	keyTraceID       = "trace_id"
	keySpanID        = "span_id"
	keyParentSpanID  = "parent_span_id"
	keySampled       = "sampled"
	keyTraceState    = "trace_state"
	keyCorrelationID = fieldCorrelationID
	keyRunID         = fieldRunID
	keyRequestID     = fieldRequestID
	keyOrgID         = fieldOrgID
	keyBaggage       = "baggage"
	keyCreatedAt     = "created_at"
)

// ToMap is the trace context for the body of a message: text, a flag and a map of texts, as JSON has them. What is
// absent or invalid is left out. [TraceContextFromMap] reads it back, before and after a trip through JSON.
func (tc TraceContext) ToMap() map[string]any {
	tc, members := tc.valid()
	out := map[string]any{}
	for name, value := range tc.texts() {
		if *value != "" {
			out[name] = *value
		}
	}
	if tc.Sampled {
		out[keySampled] = true
	}
	if len(members) > 0 {
		b := make(map[string]any, len(members))
		for _, m := range members {
			b[m.Key()] = m.Value()
		}
		out[keyBaggage] = b
	}
	if !tc.CreatedAt.IsZero() {
		out[keyCreatedAt] = tc.CreatedAt.Format(time.RFC3339Nano)
	}
	return out
}

// TraceContextFromMap reads what [TraceContext.ToMap] wrote. A field that is not what it should be counts as absent.
func TraceContextFromMap(m map[string]any) TraceContext {
	var tc TraceContext
	for name, value := range tc.texts() {
		*value, _ = m[name].(string)
	}
	tc.Sampled, _ = m[keySampled].(bool)
	switch b := m[keyBaggage].(type) {
	case map[string]string:
		tc.Baggage = b
	case map[string]any:
		tc.Baggage = make(map[string]string, min(len(b), maxBaggageMembers))
		for key, value := range b {
			if text, ok := value.(string); ok {
				tc.Baggage[key] = text
			}
		}
	}
	if at, ok := m[keyCreatedAt].(string); ok {
		if t, err := time.Parse(time.RFC3339Nano, at); err == nil {
			tc.CreatedAt = t
		}
	}
	tc, _ = tc.valid()
	return tc
}

func (tc *TraceContext) texts() map[string]*string {
	return map[string]*string{
		keyTraceID:       &tc.TraceID,
		keySpanID:        &tc.SpanID,
		keyParentSpanID:  &tc.ParentSpanID,
		keyTraceState:    &tc.TraceState,
		keyCorrelationID: &tc.CorrelationID,
		keyRunID:         &tc.PipelineRunID,
		keyRequestID:     &tc.RequestID,
		keyOrgID:         &tc.OrgID,
	}
}

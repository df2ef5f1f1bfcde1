// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/stageflow/otelcol-stageflow/sdk/errorsummary"
)

// The names of fields in an event's data, as the framework writes them; what the receiver makes of each is told by
// semconv.FieldsOf.
const (
	fieldRunID          = "pipeline_run_id"
	fieldPipelineName   = "pipeline_name"
	fieldTopology       = "topology"
	fieldExecutionMode  = "execution_mode"
	fieldUserID         = "user_id"
	fieldRequestID      = "request_id"
	fieldSessionID      = "session_id"
	fieldOrgID          = "org_id"
	fieldCorrelationID  = "correlation_id"
	fieldParentRunID    = "parent_run_id"
	fieldParentStage    = "parent_stage_id"
	fieldStatus         = "status"
	fieldDuration       = "duration_ms"
	fieldStageResults   = "stage_results"
	fieldReason         = "reason"
	fieldStage          = "stage"
	fieldKind           = "kind"
	fieldAttempt        = "attempt"
	fieldError          = "error"
	fieldErrorCode      = "error_code"
	fieldErrorType      = "error_type"
	fieldErrorRetryable = "error_retryable"
	fieldHTTPStatus     = "http_status"
	fieldCallID         = "call_id"
	fieldOperation      = "operation"
	fieldProvider       = "provider"
	fieldModelID        = "model_id"
	fieldStageAttempt   = "stage_attempt"
	fieldSuccess        = "success"
	fieldLatency        = "latency_ms"
	fieldRetryAfter     = "retry_after_ms"
	fieldInputTokens    = "input_tokens"
	fieldOutputTokens   = "output_tokens"
	fieldCost           = "cost_usd"
	fieldAudioSeconds   = "audio_seconds"
	fieldCharacters     = "characters"
	fieldFromState      = "from_state"
	fieldToState        = "to_state"
	fieldGeneration     = "generation"
	fieldLost           = "lost"
	fieldLostTotal      = "lost_total"
)

// data is the content of one event, built field by field; absent values are left out, names are unique.
type data []attribute.KeyValue

// datas are those that no event needs at the moment: a record copies what it is given.
var datas = sync.Pool{New: func() any {
	d := make(data, 0, 16) // every event of this package fits
	return &d
}}

func newData() *data { return datas.Get().(*data) }

// done gives d back for the next event.
func (d *data) done() {
	const most = 64 // the caller's own fields may have made it larger
	if cap(*d) > most {
		return
	}
	clear(*d)
	*d = (*d)[:0]
	datas.Put(d)
}

func (d *data) text(name, v string) {
	if v != "" {
		*d = append(*d, attribute.String(name, text(v)))
	}
}

// count adds a number of which zero means that nobody counted.
func (d *data) count(name string, v int64) {
	if v != 0 {
		*d = append(*d, attribute.Int64(name, v))
	}
}

func (d *data) bool(name string, v bool) { *d = append(*d, attribute.Bool(name, v)) }

func (d *data) float(name string, v float64) { *d = append(*d, attribute.Float64(name, v)) }

// amount is count for what is not counted in whole ones.
func (d *data) amount(name string, v float64) {
	if v != 0 {
		d.float(name, v)
	}
}

// duration adds a duration in milliseconds, truncated to whole milliseconds as the framework does (catalogue 1.3); a negative
// one is unknown.
func (d *data) duration(v time.Duration) {
	if v >= 0 {
		*d = append(*d, attribute.Int64(fieldDuration, v.Milliseconds()))
	}
}

// failure adds what went wrong: the text, and its summary.
func (d *data) failure(err error, s errorsummary.Summary) {
	if err == nil {
		return
	}
	d.text(fieldError, safely(err))
	d.text(fieldErrorCode, s.Code)
	d.text(fieldErrorType, s.Type)
	d.bool(fieldErrorRetryable, s.Retryable)
}

// httpStatus adds the status of the HTTP response that err tells of, if any.
func (d *data) httpStatus(err error) {
	d.count(fieldHTTPStatus, int64(orZero(func() int { return errorsummary.HTTPStatus(err) })))
}

// more adds the caller's own fields. Fields that are already there win: what the package knows about a run is not
// the caller's to change.
func (d *data) more(fields map[string]any) {
	known := len(*d)
	left := newBudget()
next:
	for name, v := range fields {
		name = key(name)
		for _, kv := range *d {
			if string(kv.Key) == name {
				continue next
			}
		}
		if len(*d)-known >= maxFields {
			return
		}
		*d = append(*d, attribute.KeyValue{Key: attribute.Key(name), Value: value(v, left)})
	}
}

// unless adds a field that is not there yet, and tells whether it did.
func (d *data) unless(name string, v attribute.Value) bool {
	for _, kv := range *d {
		if string(kv.Key) == name {
			return false
		}
	}
	*d = append(*d, attribute.KeyValue{Key: attribute.Key(name), Value: v})
	return true
}

// nested adds a map of the caller's; an empty one is left out.
func (d *data) nested(name string, m map[string]any) {
	if len(m) > 0 {
		*d = append(*d, attribute.KeyValue{Key: attribute.Key(name), Value: value(m, newBudget())})
	}
}

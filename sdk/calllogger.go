// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// ProviderCallLogger is told of calls to external models and services (API: ProviderCallLogger protocol). [Call]
// does all this by itself. Methods neither block nor fail.
type ProviderCallLogger interface {
	// LogCallStart returns the id by which the call is named at its end.
	LogCallStart(ctx context.Context, e CallStart) (callID string)
	// LogCallEnd ends the call. What the start said of it is said again, so that the end stands alone.
	LogCallEnd(ctx context.Context, callID string, e CallEnd)
}

// CallStart says that a call to a provider begins now. Empty fields are left out.
type CallStart struct {
	Operation string // e.g. "chat", "stt"
	Provider  string // e.g. "openai", "groq"
	ModelID   string
	// RunID, Stage and StageAttempt say where the call belongs. Inside of [Run] and [Stage] they need not be
	// given.
	RunID        string
	Stage        string
	StageAttempt int64
	// Attributes are further fields of the event (the API's **context).
	Attributes map[string]any
}

// Usage is what a call used. Zero means not known, and is left out.
type Usage struct {
	InputTokens  int64
	OutputTokens int64
	CostUSD      float64 // US dollars
	AudioSeconds float64 // of audio heard or spoken
	Characters   int64   // of text spoken
	// Metrics are further fields of the call's end (the API's **metrics).
	Metrics map[string]any
}

// CallEnd says how a call ended.
type CallEnd struct {
	Success bool
	// Latency of the call; 0 means since LogCallStart, if this client still remembers it.
	Latency time.Duration
	// Err is what went wrong; its text and its summary are sent, and the status of an HTTP error (an error with
	// a method StatusCode() int).
	Err error
	Usage
}

// NewProviderCallLogger returns a logger that sends events through c; nil means the default client at the time of
// each event.
func NewProviderCallLogger(c *Client) ProviderCallLogger { return callLogger{c} }

type callLogger struct{ client *Client }

func (l callLogger) LogCallStart(ctx context.Context, e CallStart) string {
	c := l.client.or()
	call := c.startCall(ctx, e)
	c.calls.put(call.id, call)
	return call.id
}

func (l callLogger) LogCallEnd(ctx context.Context, callID string, e CallEnd) {
	c := l.client.or()
	opened, ok := c.calls.take(callID)
	if !ok {
		opened = newCall(ctx, c, callID, CallStart{})
	}
	c.endCall(ctx, opened, c.now(), e, SummarizePipelineError(e.Err))
}

// call is a provider call between its start and its end.
type call struct {
	id      string
	start   CallStart
	run     *runRef   // nil for a call of no known run
	started time.Time // zero when the start was not seen
}

// newCall fills in from ctx what the caller did not say.
func newCall(ctx context.Context, c *Client, id string, e CallStart) *call {
	if s := scopeOf(ctx); s != nil && (e.RunID == "" || e.RunID == s.run.ref.id) {
		e.RunID = s.run.ref.id
		if e.Stage == "" {
			e.Stage, e.StageAttempt = s.stage, s.attempt
		}
	}
	if e.RunID == "" {
		e.RunID = RunID(ctx) // of a run in another process
	}
	return &call{id: id, start: e, run: c.known(ctx, e.RunID)}
}

// under returns ctx with the call's span, for a call of a known run.
func (k *call) under(ctx context.Context) context.Context {
	if k.run == nil {
		return ctx
	}
	return k.run.under(ctx, semconv.CallSpanID(k.run.id, k.id))
}

func (k *call) traceparent() string {
	if k.run == nil {
		return ""
	}
	return k.run.traceparent
}

// fields are what both events of a call say.
func (k *call) fields() *data {
	d := newData()
	d.text(fieldCallID, k.id)
	d.text(fieldRunID, k.start.RunID)
	d.text(fieldOperation, k.start.Operation)
	d.text(fieldProvider, k.start.Provider)
	d.text(fieldModelID, k.start.ModelID)
	d.text(fieldStage, k.start.Stage)
	d.count(fieldStageAttempt, k.start.StageAttempt)
	return d
}

func (c *Client) startCall(ctx context.Context, e CallStart) *call {
	k := newCall(ctx, c, uuid.NewString(), e)
	k.started = c.now()
	d := k.fields()
	d.more(e.Attributes)
	k.start.Attributes = nil // not kept for the end
	c.emit(k.under(ctx), semconv.EventCallStarted, semconv.TypeCallStarted, k.started, k.traceparent(), d)
	return k
}

func (c *Client) endCall(ctx context.Context, k *call, at time.Time, e CallEnd, s ErrorSummary) {
	if e.Latency <= 0 && !k.started.IsZero() {
		e.Latency = max(at.Sub(k.started), 0)
	}
	d := k.fields()
	d.bool(fieldSuccess, e.Success)
	if e.Latency > 0 || !k.started.IsZero() {
		d.float(fieldLatency, float64(e.Latency)/float64(time.Millisecond))
	}
	d.failure(e.Err, s)
	d.httpStatus(e.Err)
	d.amount(fieldRetryAfter, float64(retryAfter(e.Err))/float64(time.Millisecond))
	d.count(fieldInputTokens, e.InputTokens)
	d.count(fieldOutputTokens, e.OutputTokens)
	d.amount(fieldCost, e.CostUSD)
	d.amount(fieldAudioSeconds, e.AudioSeconds)
	d.count(fieldCharacters, e.Characters)
	d.more(e.Metrics)
	c.emit(k.under(ctx), semconv.EventCallEnded, semconv.TypeCallEnded, at, k.traceparent(), d)
}

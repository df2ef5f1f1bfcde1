// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// PipelineRunLogger is told when runs start and end (API: PipelineRunLogger protocol). [Run] does all this by
// itself; use the logger from an engine that runs its pipelines its own way. Methods neither block nor fail.
type PipelineRunLogger interface {
	LogRunStarted(ctx context.Context, e RunStarted)
	LogRunCompleted(ctx context.Context, e RunCompleted)
	LogRunFailed(ctx context.Context, e RunFailed)
	// LogRunCancelled is beyond the API, which has no word for it.
	LogRunCancelled(ctx context.Context, e RunCancelled)
}

// RunStarted says that a run begins now. Empty fields are left out.
type RunStarted struct {
	RunID         string // the run's identity; required for everything else to be joined to it
	PipelineName  string
	Topology      string
	ExecutionMode string

	UserID        string
	RequestID     string
	SessionID     string
	OrgID         string
	CorrelationID string

	// ParentRunID and ParentStage link a child run to the run and stage that spawned it. Inside of [Stage]
	// they need not be given.
	ParentRunID string
	ParentStage string

	// Attributes are further fields of the event (the API's **kwargs). A field above wins over one of the same
	// name here.
	Attributes map[string]any
}

// RunCompleted says that a run came to its end.
type RunCompleted struct {
	RunID        string
	PipelineName string
	// Duration of the run; 0 means since LogRunStarted, if this client saw it.
	Duration time.Duration
	// Status is the final status; "" means "completed".
	Status string
	// StageResults says by stage how it went, e.g. {"llm": "completed"}.
	StageResults map[string]any
	Attributes   map[string]any // further fields, see [RunStarted]
}

// RunFailed says that a run ended with an error.
type RunFailed struct {
	RunID        string
	PipelineName string
	// Err is what went wrong; its text and its summary are sent.
	Err error
	// Stage is the one that failed, "" when none did.
	Stage string
	// Duration of the run; 0 means since LogRunStarted, if this client saw it.
	Duration   time.Duration
	Attributes map[string]any // further fields, see [RunStarted]
}

// RunCancelled says that a run was stopped on purpose.
type RunCancelled struct {
	RunID        string
	PipelineName string
	Reason       string
	// Stage is the one that cancelled the run, "" when it was stopped from outside.
	Stage string
	// Duration of the run; 0 means since LogRunStarted, if this client saw it.
	Duration   time.Duration
	Attributes map[string]any // further fields, see [RunStarted]
}

// NewPipelineRunLogger returns a logger that sends events through c; nil means the default client at the time of
// each event.
func NewPipelineRunLogger(c *Client) PipelineRunLogger { return runLogger{c} }

type runLogger struct{ client *Client }

func (l runLogger) LogRunStarted(ctx context.Context, e RunStarted) {
	c := l.client.or()
	ref := newRunRef(ctx, e.RunID, c.now())
	if s := scopeOf(ctx); s != nil && s.run.ref.id == e.RunID {
		ref = s.run.ref
	} else {
		e.inherit(ctx)
	}
	c.startRun(ctx, ref, e)
}

func (l runLogger) LogRunCompleted(ctx context.Context, e RunCompleted) {
	c, ref, at := l.ending(ctx, e.RunID)
	c.completeRun(ctx, ref, at, e)
}

func (l runLogger) LogRunFailed(ctx context.Context, e RunFailed) {
	c, ref, at := l.ending(ctx, e.RunID)
	c.failRun(ctx, ref, at, e, SummarizePipelineError(e.Err))
}

func (l runLogger) LogRunCancelled(ctx context.Context, e RunCancelled) {
	c, ref, at := l.ending(ctx, e.RunID)
	c.cancelRun(ctx, ref, at, e)
}

// ending finds the run that is about to end. One that was not seen to start is placed by ctx.
func (l runLogger) ending(ctx context.Context, runID string) (*Client, *runRef, time.Time) {
	c := l.client.or()
	ref := c.known(ctx, runID)
	if ref == nil || runID == "" {
		ref = newRunRef(ctx, runID, time.Time{})
	}
	return c, ref, c.now()
}

func (c *Client) startRun(ctx context.Context, ref *runRef, e RunStarted) {
	if ref.id != "" {
		c.runs.put(ref.id, ref)
	}
	d := newData()
	d.text(fieldRunID, e.RunID)
	d.text(fieldPipelineName, e.PipelineName)
	d.text(fieldTopology, e.Topology)
	d.text(fieldExecutionMode, e.ExecutionMode)
	d.text(fieldUserID, e.UserID)
	d.text(fieldRequestID, e.RequestID)
	d.text(fieldSessionID, e.SessionID)
	d.text(fieldOrgID, e.OrgID)
	d.text(fieldCorrelationID, e.CorrelationID)
	d.text(fieldParentRunID, e.ParentRunID)
	d.text(fieldParentStage, e.ParentStage)
	d.more(e.Attributes)
	c.emitRun(ctx, ref, semconv.EventRunStarted, semconv.TypeRunStarted, ref.started, d)
}

func (c *Client) completeRun(ctx context.Context, ref *runRef, at time.Time, e RunCompleted) {
	if e.Status == "" {
		e.Status = string(semconv.StatusCompleted)
	}
	d := newData()
	d.text(fieldRunID, e.RunID)
	d.text(fieldPipelineName, e.PipelineName)
	d.duration(ref.duration(e.Duration, at))
	d.text(fieldStatus, e.Status)
	d.nested(fieldStageResults, e.StageResults)
	d.more(e.Attributes)
	c.emitRun(ctx, ref, semconv.EventRunEnded, semconv.TypeRunCompleted, at, d)
}

func (c *Client) failRun(ctx context.Context, ref *runRef, at time.Time, e RunFailed, s ErrorSummary) {
	d := newData()
	d.text(fieldRunID, e.RunID)
	d.text(fieldPipelineName, e.PipelineName)
	d.failure(e.Err, s)
	d.text(fieldStage, e.Stage)
	d.duration(ref.duration(e.Duration, at))
	d.more(e.Attributes)
	c.emitRun(ctx, ref, semconv.EventRunEnded, semconv.TypeRunFailed, at, d)
}

func (c *Client) cancelRun(ctx context.Context, ref *runRef, at time.Time, e RunCancelled) {
	d := newData()
	d.text(fieldRunID, e.RunID)
	d.text(fieldPipelineName, e.PipelineName)
	d.text(fieldReason, e.Reason)
	d.text(fieldStage, e.Stage)
	d.duration(ref.duration(e.Duration, at))
	d.more(e.Attributes)
	c.emitRun(ctx, ref, semconv.EventRunEnded, semconv.TypeRunCancelled, at, d)
}

func (c *Client) emitRun(ctx context.Context, ref *runRef, name semconv.EventName, eventType string, at time.Time, d *data) {
	if ref.id != "" {
		ctx = ref.under(ctx, ref.span)
	}
	c.emit(ctx, name, eventType, at, ref.traceparent, d)
}

// duration is the one told, or the time since the start; -1 when neither is known.
func (r *runRef) duration(told time.Duration, now time.Time) time.Duration {
	if told > 0 {
		return told
	}
	if r.started.IsZero() {
		return -1
	}
	return max(now.Sub(r.started), 0)
}

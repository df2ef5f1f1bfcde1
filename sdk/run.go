// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"maps"
	"sync"

	"github.com/google/uuid"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// maxStages bounds the stages that a run keeps count of. Further names are sent as attempt 1 and are missing from
// stage_results.
const maxStages = 1024

// maxBlames bounds the failed attempts among which the cause of a run's failure is looked for; the oldest go first.
const maxBlames = 64

// RunOption says more about a run than its pipeline's name.
type RunOption func(*runConfig)

type runConfig struct {
	client  *Client
	started RunStarted
}

// WithRunID gives the run an id of the caller's; default: a new UUID. An id that is a UUID is also the run's trace
// id, unless a span is above the run.
func WithRunID(id string) RunOption { return func(c *runConfig) { c.started.RunID = id } }

// WithUserID names the user. Child runs inherit it.
func WithUserID(id string) RunOption { return func(c *runConfig) { c.started.UserID = id } }

// WithSessionID names the session. Child runs inherit it.
func WithSessionID(id string) RunOption { return func(c *runConfig) { c.started.SessionID = id } }

// WithOrgID names the organisation. Child runs inherit it.
func WithOrgID(id string) RunOption { return func(c *runConfig) { c.started.OrgID = id } }

// WithRequestID names the request. Child runs inherit it.
func WithRequestID(id string) RunOption { return func(c *runConfig) { c.started.RequestID = id } }

// WithCorrelationID names what this run belongs together with. Child runs inherit it.
func WithCorrelationID(id string) RunOption {
	return func(c *runConfig) { c.started.CorrelationID = id }
}

// WithTopology names the shape of the pipeline.
func WithTopology(name string) RunOption { return func(c *runConfig) { c.started.Topology = name } }

// WithExecutionMode names the way in which the pipeline is run.
func WithExecutionMode(mode string) RunOption {
	return func(c *runConfig) { c.started.ExecutionMode = mode }
}

// WithAttributes adds fields to the run's start event. Used twice, the fields add up.
func WithAttributes(fields map[string]any) RunOption {
	return func(c *runConfig) {
		if c.started.Attributes == nil {
			c.started.Attributes = make(map[string]any, len(fields))
		}
		maps.Copy(c.started.Attributes, fields)
	}
}

// WithClient sends the run's events, and those of all in it, through client. Default: that of the run around it,
// else [Default].
func WithClient(client *Client) RunOption { return func(c *runConfig) { c.client = client } }

// runScope is a run while its function runs.
type runScope struct {
	client *Client
	ref    *runRef
	ids    RunStarted // what child runs inherit

	mu       sync.Mutex
	attempts map[string]int64
	results  map[string]semconv.Status
	blames   []blame
}

// blame is a stage's attempt that failed or was cancelled, in the order of their ends.
type blame struct {
	stage string
	err   error
}

// Run runs f as one run of the pipeline and returns its error unchanged.
//
// The run completes when f returns nil; is cancelled when f returns [Cancel] or context.Canceled, wrapped or not;
// and fails with any other error. A panic is recorded as a failure and goes on. Stages that fail without f
// returning an error do not fail the run: stage_results tells of them.
//
// The context that f gets carries the ids of the span that the collector will make of the run. A Run inside a
// Run is a child run: in the same trace, under the stage that started it, with the parent's user, session,
// organisation, request and correlation ids unless given others. So is a Run in a context that came from another
// process (see [NewPropagator], [TraceContext]), but for user and session.
func Run(ctx context.Context, pipeline string, f func(context.Context) error, opts ...RunOption) error {
	cfg := runConfig{client: clientOf(ctx)}
	for _, opt := range opts {
		opt(&cfg)
	}
	if cfg.started.RunID == "" {
		cfg.started.RunID = uuid.NewString()
	}
	cfg.started.PipelineName = pipeline
	cfg.started.inherit(ctx)

	c := cfg.client.or()
	r := &runScope{
		client:   c,
		ref:      newRunRef(ctx, cfg.started.RunID, c.now()),
		attempts: map[string]int64{},
		results:  map[string]semconv.Status{},
		ids: RunStarted{
			UserID:        cfg.started.UserID,
			SessionID:     cfg.started.SessionID,
			OrgID:         cfg.started.OrgID,
			RequestID:     cfg.started.RequestID,
			CorrelationID: cfg.started.CorrelationID,
		},
	}
	c.startRun(ctx, r.ref, cfg.started)

	inside := r.ref.under(context.WithValue(ctx, scopeKey{}, &scope{run: r, span: r.ref.span}), r.ref.span)
	return protect(inside, f, func(err error) { r.end(inside, pipeline, err) })
}

func (r *runScope) end(ctx context.Context, pipeline string, err error) {
	at := r.client.now()
	if err == nil {
		r.client.completeRun(ctx, r.ref, at, RunCompleted{
			RunID: r.ref.id, PipelineName: pipeline, StageResults: r.stageResults(),
		})
		return
	}
	summary := SummarizePipelineError(err)
	if isCancelled(ctx, err, summary) {
		r.client.cancelRun(ctx, r.ref, at, RunCancelled{
			RunID: r.ref.id, PipelineName: pipeline, Reason: cancelReason(ctx, err), Stage: r.culprit(err),
		})
		return
	}
	r.client.failRun(ctx, r.ref, at, RunFailed{
		RunID: r.ref.id, PipelineName: pipeline, Err: err, Stage: r.culprit(err),
	}, summary)
}

// nextAttempt numbers the executions of a stage within the run, from 1.
func (r *runScope) nextAttempt(stage string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, counted := r.attempts[stage]; !counted && len(r.attempts) >= maxStages {
		return 1
	}
	r.attempts[stage]++
	return r.attempts[stage]
}

// stageEnded remembers how a stage ended and, of an error, which stage it came from: where stages are nested, the
// innermost is to blame.
func (r *runScope) stageEnded(s *scope, status semconv.Status, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, counted := r.attempts[s.stage]; counted {
		r.results[s.stage] = status
	}
	if err == nil {
		return
	}
	if s.above != nil {
		s.above.blamed = err
	}
	if s.blamed != nil && sameError(err, s.blamed) {
		return
	}
	if len(r.blames) == maxBlames {
		r.blames = append(r.blames[:0], r.blames[1:]...)
	}
	r.blames = append(r.blames, blame{s.stage, err})
}

// culprit is the stage that the run's error came from: the latest that ended with that very error, else the first
// that is still failed, else "".
func (r *runScope) culprit(err error) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.blames) - 1; i >= 0; i-- {
		if sameError(err, r.blames[i].err) {
			return r.blames[i].stage
		}
	}
	for _, b := range r.blames {
		if r.results[b.stage] == semconv.StatusFailed {
			return b.stage
		}
	}
	return ""
}

func (r *runScope) stageResults() map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]any, len(r.results))
	for stage, status := range r.results {
		out[stage] = string(status)
	}
	return out
}

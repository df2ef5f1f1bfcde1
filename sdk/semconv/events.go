// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package semconv

import "strings"

// EventNamePrefix begins the EventName of every log record that is a stageflow event.
const EventNamePrefix = "stageflow."

// EventName is what kind of event a log record is: static, so that backends can index it, while the
// framework's own type (which may hold stage names) is in [EventTypeKey].
type EventName string

// The events that runs, stages, provider calls and tool calls are assembled from.
const (
	EventRunStarted         EventName = "stageflow.run.started"
	EventRunEnded           EventName = "stageflow.run.ended"
	EventRunCancelRequested EventName = "stageflow.run.cancel_requested"
	EventChildStarted       EventName = "stageflow.run.child_started"
	EventChildEnded         EventName = "stageflow.run.child_ended"
	EventStageStarted       EventName = "stageflow.stage.started"
	EventStageEnded         EventName = "stageflow.stage.ended"
	EventStageOther         EventName = "stageflow.stage.event"
	EventWideStage          EventName = "stageflow.wide.stage"
	EventWideRun            EventName = "stageflow.wide.run"
	EventCallStarted        EventName = "stageflow.provider_call.started"
	EventCallEnded          EventName = "stageflow.provider_call.ended"

	EventToolRequested     EventName = "stageflow.tool.requested"
	EventToolInvoked       EventName = "stageflow.tool.invoked"
	EventToolStarted       EventName = "stageflow.tool.started"
	EventToolUpdated       EventName = "stageflow.tool.updated"
	EventToolEnded         EventName = "stageflow.tool.ended"
	EventToolDenied        EventName = "stageflow.tool.denied"
	EventToolUndone        EventName = "stageflow.tool.undone"
	EventToolUndoFailed    EventName = "stageflow.tool.undo_failed"
	EventToolUnresolved    EventName = "stageflow.tool.unresolved"
	EventApprovalRequested EventName = "stageflow.approval.requested"
	EventApprovalDecided   EventName = "stageflow.approval.decided"

	// Events without a span of their own that are shown on another; see [EventName.ShownOn].
	EventAgentTurnStarted    EventName = "stageflow.agent.turn_started"
	EventAgentEnded          EventName = "stageflow.agent.ended"
	EventGuardRetryAttempt   EventName = "stageflow.guard_retry.attempt"
	EventGuardRetryScheduled EventName = "stageflow.guard_retry.scheduled"
	EventGuardRetryExhausted EventName = "stageflow.guard_retry.exhausted"
	EventGuardRetryRecovered EventName = "stageflow.guard_retry.recovered"
	EventStageRetryScheduled EventName = "stageflow.stage.retry_scheduled"
	EventStageRetryExhausted EventName = "stageflow.stage.retry_exhausted"
	EventGuardrailViolations EventName = "stageflow.guardrail.violations_detected"
	EventGuardrailFailOpen   EventName = "stageflow.guardrail.fail_open"

	// EventBreakerTransition tells a change of state of an SDK's own circuit breaker.
	EventBreakerTransition EventName = "stageflow.breaker.transition"
	// EventOther is any event whose type is not in [EventTypes].
	EventOther EventName = "stageflow.event"
)

// The framework's types that our own SDK writes.
const (
	TypeRunStarted        = "pipeline.started"
	TypeRunCompleted      = "pipeline.completed"
	TypeRunFailed         = "pipeline.failed"
	TypeRunCancelled      = "pipeline.cancelled"
	TypeCallStarted       = "provider_call.started"
	TypeCallEnded         = "provider_call.ended"
	TypeBreakerTransition = "breaker.transition"
)

// StageType is the type of a stage's lifecycle event: stage.{name}.{status} (catalogue 1.3).
func StageType(stage, status string) string { return "stage." + stage + "." + status }

// EventTypes names every fixed event type of the framework, its branches and our SDK (catalogue 1.3 to 1.9).
// Types that hold a stage's name are not here; [EventNameOf] reads those by their shape.
var EventTypes = map[string]EventName{
	"pipeline.started":         EventRunStarted,
	"pipeline.completed":       EventRunEnded,
	"pipeline.failed":          EventRunEnded,
	"pipeline.cancelled":       EventRunEnded,
	"pipeline_cancelled":       EventRunEnded,
	"pipeline.canceled":        EventRunCancelRequested,
	"pipeline.spawned_child":   EventChildStarted,
	"pipeline.child_completed": EventChildEnded,
	"pipeline.child_failed":    EventChildEnded,
	"pipeline.wide":            EventWideRun,
	"stage.wide":               EventWideStage,
	"provider_call.started":    EventCallStarted,
	"provider_call.ended":      EventCallEnded,
	"breaker.transition":       EventBreakerTransition,
	"tool.requested":           EventToolRequested,
	"tool.invoked":             EventToolInvoked,
	"tool.started":             EventToolStarted,
	"tool.updated":             EventToolUpdated,
	"tool.completed":           EventToolEnded,
	"tool.failed":              EventToolEnded,
	"tool.denied":              EventToolDenied,
	"tool.undone":              EventToolUndone,
	"tool.undo_failed":         EventToolUndoFailed,
	"tool.unresolved":          EventToolUnresolved,
	"approval.requested":       EventApprovalRequested,
	"approval.decided":         EventApprovalDecided,

	"pipeline.created":              "stageflow.run.created",
	"stage.retry_scheduled":         EventStageRetryScheduled,
	"stage.retry_exhausted":         EventStageRetryExhausted,
	"stage.idempotency_hit":         "stageflow.stage.idempotency_hit",
	"guard_retry.attempt":           EventGuardRetryAttempt,
	"guard_retry.scheduled":         EventGuardRetryScheduled,
	"guard_retry.exhausted":         EventGuardRetryExhausted,
	"guard_retry.recovered":         EventGuardRetryRecovered,
	"agent.turn.started":            EventAgentTurnStarted,
	"agent.tool.requested":          EventToolRequested,
	"agent.tool.started":            EventToolStarted,
	"agent.tool.executed":           EventToolEnded,
	"agent.tool.completed":          EventToolEnded,
	"agent.tool.failed":             EventToolEnded,
	"agent.tool.updated":            EventToolUpdated,
	"agent.tool.unresolved":         EventToolUnresolved,
	"tools.unresolved":              EventToolUnresolved,
	"agent.completed":               EventAgentEnded,
	"guardrail.violations_detected": EventGuardrailViolations,
	"guardrail.fail_open":           EventGuardrailFailOpen,
	"auth.login":                    "stageflow.auth.login",
	"auth.failure":                  "stageflow.auth.failure",
	"tenant.access_denied":          "stageflow.tenant.access_denied",
	"context.truncation":            "stageflow.context.truncation",
	"context.size_recorded":         "stageflow.context.size_recorded",
	"stream.chunk_dropped":          "stageflow.stream.chunk_dropped",
	"stream.producer_blocked":       "stageflow.stream.producer_blocked",
	"stream.throttle_started":       "stageflow.stream.throttle_started",
	"stream.throttle_ended":         "stageflow.stream.throttle_ended",
	"stream.queue_closed":           "stageflow.stream.queue_closed",
	"stream.buffer_overflow":        "stageflow.stream.buffer_overflow",
	"stream.buffer_underrun":        "stageflow.stream.buffer_underrun",
	"stream.buffer_recovered":       "stageflow.stream.buffer_recovered",
}

// OfRun tells the events whose subject is the run itself, or a child of it.
func (n EventName) OfRun() bool {
	switch n {
	case EventRunStarted, EventRunEnded, EventRunCancelRequested, EventWideRun, EventChildStarted, EventChildEnded:
		return true
	}
	return false
}

// Place is where an event without a span of its own is shown on a trace, as an event of another span.
type Place uint8

// The places.
const (
	// Nowhere: the event is a log record only.
	Nowhere Place = iota
	// OnRun is the run's span.
	OnRun
	// OnStage is the span of the stage attempt that the event names, else of the only one that was running; the run's
	// where neither tells which.
	OnStage
)

// shownOn are the events that say what went on in a run where its spans do not: the turns of an agent, guards and
// retries. A guard's retry ties two stages together, so it is the run's. Streams are not here: they are metrics.
var shownOn = map[EventName]Place{
	EventAgentTurnStarted:    OnStage,
	EventAgentEnded:          OnStage,
	EventGuardRetryAttempt:   OnRun,
	EventGuardRetryScheduled: OnRun,
	EventGuardRetryExhausted: OnRun,
	EventGuardRetryRecovered: OnRun,
	EventStageRetryScheduled: OnStage,
	EventStageRetryExhausted: OnStage,
	EventGuardrailViolations: OnStage,
	EventGuardrailFailOpen:   OnStage,
}

// ShownOn is where events of the kind are shown as events of a span that is about something else.
func (n EventName) ShownOn() Place { return shownOn[n] }

const (
	stagePrefix     = "stage."
	wideStagePrefix = "stage.wide."
	wideRunPrefix   = "pipeline.wide."
)

// EventNameOf names an event by its type. For types that hold a stage's name it needs two facts from the data:
// its status field ("" when absent), and whether it has fields that only wide events have (started_at,
// data_keys): "stage.wide.started" is the stage "wide" starting, or a wide event of the stage "started"
// (catalogue 1.3).
func EventNameOf(eventType, status string, hasWideFields bool) EventName {
	if name, ok := EventTypes[eventType]; ok {
		return name
	}
	if strings.HasPrefix(eventType, wideRunPrefix) {
		return EventWideRun
	}
	if !strings.HasPrefix(eventType, stagePrefix) {
		return EventOther
	}
	if hasWideFields && strings.HasPrefix(eventType, wideStagePrefix) {
		return EventWideStage
	}
	if status == "" {
		status = eventType[strings.LastIndexByte(eventType, '.')+1:]
	}
	switch s, _ := ParseStatus(status); s {
	case StatusRunning:
		return EventStageStarted
	case StatusCompleted, StatusFailed, StatusSkipped, StatusCancelled, StatusRetried:
		return EventStageEnded
	}
	return EventStageOther
}

// StageOfType is the stage's name as the type stage.{name}.{status} tells it, for events whose data does not;
// "" when the type holds none.
func StageOfType(eventType string) string {
	rest, ok := strings.CutPrefix(eventType, stagePrefix)
	if !ok {
		return ""
	}
	end := strings.LastIndexByte(rest, '.')
	if end < 0 {
		return ""
	}
	return rest[:end]
}

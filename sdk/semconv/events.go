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
	// EventTelemetryLost tells how many events of a sender did not arrive.
	EventTelemetryLost EventName = "stageflow.telemetry.lost"
	// EventOther is any event whose type no row of [Events] has.
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
	TypeTelemetryLost     = "telemetry.lost"

	TypeStreamChunkDropped    = "stream.chunk_dropped"
	TypeStreamProducerBlocked = "stream.producer_blocked"
	TypeStreamThrottleStarted = "stream.throttle_started"
	TypeStreamThrottleEnded   = "stream.throttle_ended"
	TypeStreamQueueClosed     = "stream.queue_closed"
	TypeStreamBufferOverflow  = "stream.buffer_overflow"
	TypeStreamBufferUnderrun  = "stream.buffer_underrun"
	TypeStreamBufferRecovered = "stream.buffer_recovered"
)

// StageType is the type of a stage's lifecycle event: stage.{name}.{status} (catalogue 1.3).
func StageType(stage, status string) string { return "stage." + stage + "." + status }

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

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package semconv

// Events is the table of events (catalogue 1.3 to 1.9): all that is known of each kind is here, and everything else is
// taken from here, the reference of events and the receiver's README too. A type that no row has is [EventOther].
var Events = []Event{
	// Runs.
	{
		Name: EventRunStarted, About: AboutRun, Place: AsRun, Fields: RunFields,
		Types:    []string{TypeRunStarted},
		Required: []string{"pipeline_run_id", "pipeline_name"},
	},
	{
		Name: EventRunEnded, About: AboutRun, Place: AsRun, Fields: RunFields,
		Types:    []string{TypeRunCompleted, TypeRunFailed, TypeRunCancelled, "pipeline_cancelled"},
		Required: []string{"pipeline_run_id"},
	},
	{
		// With a child_run_id, which the Rust port sends, its fields are those of a child.
		Name: EventRunCancelRequested, About: AboutRun, Place: AsRun, Fields: RunFields,
		Types:    []string{"pipeline.canceled"},
		Required: []string{"pipeline_run_id", "reason"},
		Optional: []string{"cascade_depth"},
	},
	{
		Name: EventWideRun, About: AboutRun, Place: AsRun, Fields: RunFields,
		Types:  []string{"pipeline.wide"},
		Shapes: []string{"pipeline.wide.{…}"},
		Required: []string{
			"pipeline_run_id", "request_id", "execution_mode", "pipeline_name", "status", "stage_counts", "stage_details",
		},
		Optional: []string{"extra"},
	},
	{
		Name: EventChildStarted, About: AboutChild, Place: AsChild, Fields: ChildFields,
		Types:    []string{"pipeline.spawned_child"},
		Required: []string{"child_run_id", "parent_run_id"},
		Optional: []string{"depth"},
	},
	{
		Name: EventChildEnded, About: AboutChild, Place: AsChild, Fields: ChildFields,
		Types:    []string{"pipeline.child_completed", "pipeline.child_failed"},
		Required: []string{"child_run_id", "parent_run_id"},
	},
	{
		// Nothing sends it, although the framework documents it.
		Name: "stageflow.run.created", About: AboutRun,
		Types: []string{"pipeline.created"},
	},

	// Stages. A type without a name in it tells the stage in its data. A status may be spelled in every way that
	// [ParseStatus] knows; these are the spellings that were seen.
	{
		Name: EventStageStarted, About: AboutStage, Place: AsStage, Fields: StageFields,
		Shapes:   []string{"stage.{name}.started", "stage.started"},
		Required: []string{"pipeline_run_id", "stage"},
	},
	{
		Name: EventStageEnded, About: AboutStage, Place: AsStage, Fields: StageFields,
		Shapes: []string{
			"stage.{name}.completed", "stage.{name}.failed", "stage.{name}.skipped", "stage.{name}.cancelled",
			"stage.completed", "stage.failed", "stage.skipped", "stage.cancelled", "stage.error",
		},
		Required: []string{"pipeline_run_id", "stage"},
		Optional: []string{"retryable"},
	},
	{
		Name: EventWideStage, About: AboutStage, Place: AsStage, Fields: StageFields,
		Types:  []string{"stage.wide"},
		Shapes: []string{"stage.wide.{…}"},
		Required: []string{
			"pipeline_run_id", "request_id", "execution_mode", "stage", "status", "started_at", "ended_at", "duration_ms",
			"data_keys",
		},
		Optional: []string{"extra"},
	},
	{
		Name: EventStageOther, About: AboutStage, Fields: StageFields, Open: true,
		Shapes: []string{"stage.{…}"},
	},
	{
		Name: "stageflow.stage.idempotency_hit", About: AboutStage,
		Types:    []string{"stage.idempotency_hit"},
		Required: []string{"pipeline_run_id", "execution_mode", "stage", "key"},
	},

	// Provider calls.
	{
		Name: EventCallStarted, About: AboutCall, Place: AsCall, Fields: CallFields,
		Types:    []string{TypeCallStarted},
		Required: []string{"call_id", "operation", "provider", "model_id"},
	},
	{
		Name: EventCallEnded, About: AboutCall, Place: AsCall, Fields: CallFields,
		Metrics:  []string{MetricTokenUsage},
		Types:    []string{TypeCallEnded},
		Required: []string{"call_id", "success"},
	},

	// Tool calls. Those of an agent have a call_id and no action_id, those of the Rust port mostly neither.
	{
		Name: EventToolRequested, About: AboutTool, Place: AsTool, Fields: ToolFields,
		Types:    []string{"tool.requested", "agent.tool.requested"},
		Required: []string{"pipeline_run_id", "tool_name"},
	},
	{
		Name: EventToolInvoked, About: AboutTool, Place: AsTool, Fields: ToolFields,
		Types:    []string{"tool.invoked"},
		Required: []string{"pipeline_run_id", "tool_name", "action_id"},
		Optional: []string{"payload_summary"},
	},
	{
		Name: EventToolStarted, About: AboutTool, Place: AsTool, Fields: ToolFields,
		Types:    []string{"tool.started", "agent.tool.started"},
		Required: []string{"pipeline_run_id", "tool_name"},
	},
	{
		Name: EventToolDenied, About: AboutTool, Place: AsTool, Fields: ToolFields,
		Types:    []string{"tool.denied"},
		Required: []string{"pipeline_run_id", "tool_name", "reason"},
	},
	{
		Name: EventToolUnresolved, About: AboutTool, Place: AsTool, Fields: ToolFields,
		Types:    []string{"tool.unresolved", "agent.tool.unresolved", "tools.unresolved"},
		Required: []string{"pipeline_run_id"},
	},
	{
		Name: EventToolEnded, About: AboutTool, Place: AsTool, Fields: ToolFields,
		Types: []string{
			"tool.completed", "tool.failed", "agent.tool.executed", "agent.tool.completed", "agent.tool.failed",
		},
		Required: []string{"pipeline_run_id", "tool_name"},
		Optional: []string{"artifacts_count", "output_summary"},
	},
	{
		Name: EventToolUpdated, About: AboutTool, Place: OnTool, Fields: ToolFields,
		Types:    []string{"tool.updated", "agent.tool.updated"},
		Required: []string{"pipeline_run_id", "tool_name"},
	},
	{
		Name: EventToolUndone, About: AboutTool, Place: OnTool, Fields: ToolFields,
		Types:    []string{"tool.undone"},
		Required: []string{"pipeline_run_id", "tool_name", "action_id"},
		Optional: []string{"original_action_timestamp"},
	},
	{
		Name: EventToolUndoFailed, About: AboutTool, Place: OnTool, Fields: ToolUndoFailedFields,
		Types: []string{"tool.undo_failed"},
		Required: []string{
			"pipeline_run_id", "request_id", "timestamp", "tool_name", "action_id", "error_message", "reason",
		},
	},
	{
		Name: EventApprovalRequested, About: AboutApproval, Place: OnTool, Fields: ApprovalFields,
		Types:    []string{"approval.requested"},
		Required: []string{"pipeline_run_id", "tool_name", "approval_message"},
	},
	{
		Name: EventApprovalDecided, About: AboutApproval, Place: OnTool, Fields: ApprovalFields,
		Types:    []string{"approval.decided"},
		Required: []string{"pipeline_run_id", "tool_name"},
	},

	// Agents, guards and retries.
	{
		Name: EventAgentTurnStarted, About: AboutNote, Place: OnStage, Fields: ShownFields,
		Types:    []string{"agent.turn.started"},
		Required: []string{"pipeline_run_id", "request_id", "execution_mode", "turn"},
		Optional: []string{"tool_calling_mode"},
	},
	{
		Name: EventAgentEnded, About: AboutNote, Place: OnStage, Fields: ShownFields,
		Types:    []string{"agent.completed"},
		Required: []string{"pipeline_run_id", "request_id", "execution_mode", "turns"},
	},
	{
		Name: EventStageRetryScheduled, About: AboutNote, Place: OnStage, Fields: ShownFields,
		Types:    []string{"stage.retry_scheduled"},
		Required: []string{"stage"},
		Optional: []string{"attempt", "backoff_strategy", "delay_ms", "max_attempts"},
	},
	{
		Name: EventStageRetryExhausted, About: AboutNote, Place: OnStage, Fields: ShownFields,
		Types:    []string{"stage.retry_exhausted"},
		Required: []string{"stage", "attempts", "error"},
	},
	{
		Name: EventGuardrailViolations, About: AboutNote, Place: OnStage, Fields: ShownFields,
		Types:    []string{"guardrail.violations_detected"},
		Required: []string{"check", "violations"},
	},
	{
		Name: EventGuardrailFailOpen, About: AboutNote, Place: OnStage, Fields: ShownFields,
		Types: []string{"guardrail.fail_open"},
		Required: []string{
			"pipeline_run_id", "request_id", "execution_mode", "stage", "violation_count", "fail_on_violation", "violations",
		},
	},
	// A guard's retry ties two stages together, so it is the run's.
	{
		Name: EventGuardRetryAttempt, About: AboutNote, Place: OnRun, Fields: ShownFields,
		Types: []string{"guard_retry.attempt"},
		Required: []string{
			"pipeline_run_id", "execution_mode", "guard", "attempt", "retry_stage", "max_attempts", "stagnation_hits",
			"timeout_seconds",
		},
	},
	{
		Name: EventGuardRetryScheduled, About: AboutNote, Place: OnRun, Fields: ShownFields,
		Types: []string{"guard_retry.scheduled"},
		Required: []string{
			"pipeline_run_id", "execution_mode", "guard", "attempt", "retry_stage", "stagnation_hits", "timeout_seconds",
		},
	},
	{
		Name: EventGuardRetryExhausted, About: AboutNote, Place: OnRun, Fields: ShownFields,
		Types: []string{"guard_retry.exhausted"},
		Required: []string{
			"pipeline_run_id", "execution_mode", "guard", "attempts", "retry_stage", "stagnation_hits", "timeout_seconds",
			"reason",
		},
	},
	{
		Name: EventGuardRetryRecovered, About: AboutNote, Place: OnRun, Fields: ShownFields,
		Types:    []string{"guard_retry.recovered"},
		Required: []string{"pipeline_run_id", "execution_mode", "guard", "attempts"},
	},

	// Streams. Only those that are wired to a context tell of which run they are; only our SDK's tell which queue.
	{
		Name: EventStreamChunkDropped, About: AboutStream, Metrics: []string{MetricStreamDropped, MetricStreamQueueUse},
		Types:    []string{TypeStreamChunkDropped},
		Required: []string{"queue_size", "max_size", "reason"},
		Optional: []string{"queue"},
	},
	{
		Name: EventStreamProducerBlocked, About: AboutStream, Metrics: []string{MetricStreamBlockedDuration},
		Types:    []string{TypeStreamProducerBlocked},
		Required: []string{"blocked_ms", "queue_size"},
		Optional: []string{"queue"},
	},
	{
		Name: EventStreamThrottleStarted, About: AboutStream, Metrics: []string{MetricStreamQueueUse},
		Types:    []string{TypeStreamThrottleStarted},
		Required: []string{"fill_percentage", "queue_size"},
		Optional: []string{"queue"},
	},
	{
		Name: EventStreamThrottleEnded, About: AboutStream, Metrics: []string{MetricStreamQueueUse},
		Types:    []string{TypeStreamThrottleEnded},
		Required: []string{"fill_percentage", "queue_size"},
		Optional: []string{"queue"},
	},
	{
		Name: EventStreamBufferOverflow, About: AboutStream, Metrics: []string{MetricStreamBytesDropped},
		Types:    []string{TypeStreamBufferOverflow},
		Required: []string{"bytes_dropped", "buffer_duration_ms", "max_duration_ms"},
		Optional: []string{"queue"},
	},
	{
		Name: EventStreamBufferUnderrun, About: AboutStream, Metrics: []string{MetricStreamUnderruns},
		Types:    []string{TypeStreamBufferUnderrun},
		Required: []string{"bytes_requested", "bytes_available", "buffer_duration_ms"},
		Optional: []string{"queue"},
	},
	{
		Name: "stageflow.stream.buffer_recovered", About: AboutStream,
		Types:    []string{TypeStreamBufferRecovered},
		Required: []string{"buffer_duration_ms"},
		Optional: []string{"queue"},
	},
	{
		Name: "stageflow.stream.queue_closed", About: AboutStream,
		Types:    []string{TypeStreamQueueClosed},
		Required: []string{"total_items", "dropped_items", "blocked_puts", "max_queue_size", "total_blocked_ms"},
		Optional: []string{"queue"},
	},

	// The rest.
	{
		Name:     "stageflow.auth.login",
		Types:    []string{"auth.login"},
		Required: []string{"type", "user_id", "org_id", "session_id", "timestamp", "request_id", "pipeline_run_id"},
	},
	{
		Name:     "stageflow.auth.failure",
		Types:    []string{"auth.failure"},
		Required: []string{"type", "reason", "ip_address", "user_agent", "timestamp", "request_id", "user_id"},
	},
	{
		Name:  "stageflow.tenant.access_denied",
		Types: []string{"tenant.access_denied"},
		Required: []string{
			"type", "user_org_id", "resource_org_id", "user_id", "timestamp", "request_id", "pipeline_run_id",
		},
	},
	{
		Name:  "stageflow.context.truncation",
		Types: []string{"context.truncation"},
		Required: []string{
			"timestamp", "original_tokens", "truncated_tokens", "tokens_removed", "strategy", "content_type", "reason",
			"preserved_ratio", "metadata",
		},
	},
	{
		Name:     "stageflow.context.size_recorded",
		Types:    []string{"context.size_recorded"},
		Required: []string{"pipeline_run_id", "execution_mode", "stage", "size_bytes"},
	},
	{
		Name:     EventBreakerTransition,
		Types:    []string{TypeBreakerTransition},
		Required: []string{"operation", "provider", "from_state", "to_state", "generation"},
	},
	{
		// Of the sender whose sink id it has: the number since it said so last, and since it began.
		Name:     EventTelemetryLost,
		Types:    []string{TypeTelemetryLost},
		Required: []string{"lost", "lost_total"},
	},
	{
		Name: EventOther, Open: true,
	},
}

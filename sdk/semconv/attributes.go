// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package semconv

// ScopeName is the instrumentation scope of every span and log record that this project makes.
const ScopeName = "github.com/stageflow/otelcol-stageflow"

// DefaultServiceName stands in where an event names no service; it is the Python library's own default.
const DefaultServiceName = "pipeline"

// The wire form of an event: one log record whose EventName begins with [EventNamePrefix].
const (
	// EventTypeKey holds the framework's own event type, e.g. "stage.llm.started". String.
	EventTypeKey = "stageflow.event.type"
	// EventDataKey holds the event's data, nested and unchanged. Map; absent when the data was null.
	EventDataKey = "stageflow.event.data"
	// EventEnvelopeKey holds what stood beside type and data in a JSON line and has no key of its own. Map.
	EventEnvelopeKey = "stageflow.event.envelope"
	// EventSinkIDKey names the sink that sent the event; with [EventSeqKey] it identifies the event. String.
	EventSinkIDKey = "stageflow.event.sink_id"
	// EventSeqKey is the event's number within its sink. Int.
	EventSeqKey = "stageflow.event.seq"
	// EventBatchKey stands in for [EventSeqKey] where the sender numbers its requests and not its events: the
	// request's number and the line in it, "7/2". String.
	EventBatchKey = "stageflow.event.batch"
	// EventTraceParentKey is the W3C traceparent of the run that the event belongs to: the run's trace
	// and the span above the run. The same on every event of one run. String.
	EventTraceParentKey = "stageflow.event.traceparent"
)

// Attributes of OpenTelemetry's own conventions that stageflow telemetry uses.
const (
	ServiceNameKey       = "service.name"
	ServiceInstanceIDKey = "service.instance.id"
	SessionIDKey         = "session.id"
	UserIDKey            = "user.id"
	ErrorTypeKey         = "error.type"
	ErrorMessageKey      = "error.message"
	ExceptionEventName   = "exception"
	ExceptionTypeKey     = "exception.type"
	ExceptionMessageKey  = "exception.message"
	ExceptionStackKey    = "exception.stacktrace"
	HTTPStatusCodeKey    = "http.response.status_code"
	// HTTPRetryAfterKey is the header by which a provider asks not to be called for some time. String slice.
	HTTPRetryAfterKey    = "http.response.header.retry-after"
	HTTPStatusCodeOldKey = "http.status_code"
	RPCStatusCodeKey     = "rpc.status_code"
	RPCResponseStatusKey = "rpc.response.status_code"
	RPCGRPCStatusCodeKey = "rpc.grpc.status_code"

	GenAIOperationNameKey = "gen_ai.operation.name"
	GenAIProviderNameKey  = "gen_ai.provider.name"
	GenAIRequestModelKey  = "gen_ai.request.model"
	GenAIWorkflowNameKey  = "gen_ai.workflow.name"
	GenAIInputTokensKey   = "gen_ai.usage.input_tokens"
	GenAIOutputTokensKey  = "gen_ai.usage.output_tokens"
	GenAIToolNameKey      = "gen_ai.tool.name"
	// GenAIToolCallIDKey holds the framework's action_id. String.
	GenAIToolCallIDKey = "gen_ai.tool.call.id"
)

// Attributes of other instrumentations of calls to models: OpenTelemetry's conventions before gen_ai.provider.name,
// OpenLLMetry, OpenInference.
const (
	GenAISystemKey       = "gen_ai.system"
	LLMRequestTypeKey    = "llm.request.type"
	LLMProviderKey       = "llm.provider"
	LLMSystemKey         = "llm.system"
	OpenInferenceKindKey = "openinference.span.kind"
)

// OperationInvokeWorkflow is the gen_ai.operation.name of a run span, OperationExecuteTool that of a tool call's.
const (
	OperationInvokeWorkflow = "invoke_workflow"
	OperationExecuteTool    = "execute_tool"
)

// ErrorTypeOther is the error.type of a failure whose type nobody told (semantic conventions, error.type).
const ErrorTypeOther = "_OTHER"

// Attributes of runs, stages, provider calls and tool calls.
const (
	RunIDKey            = "stageflow.run.id"
	RunStatusKey        = "stageflow.run.status"
	RunEndKey           = "stageflow.run.end"
	RunRevisionKey      = "stageflow.run.revision"
	RunTopologyKey      = "stageflow.run.topology"
	RunExecutionModeKey = "stageflow.run.execution_mode"
	RunParentIDKey      = "stageflow.run.parent.id"
	RunParentStageKey   = "stageflow.run.parent.stage"
	RunReasonKey        = "stageflow.run.reason"
	// RunFailedStageKey names the stage that the end of the run blames. String.
	RunFailedStageKey = "stageflow.run.failed_stage"
	// RunStageResultsKey is stage_results as the run logger gave them. Map.
	RunStageResultsKey = "stageflow.run.stage_results"
	// RunDurationKey is the duration that the run's end told, in milliseconds. Double.
	RunDurationKey = "stageflow.run.duration_ms"
	// RunEarlierEndsKey lists the ends that lost against the one shown, as "status time". String slice.
	RunEarlierEndsKey = "stageflow.run.earlier_ends"
	// RunBreakersKey lists the circuit breakers that were not closed at some point of the run:
	// slice of maps with key and state.
	RunBreakersKey = "stageflow.run.breakers"
	// StageBreakersKey lists the same of a stage's attempt.
	StageBreakersKey = "stageflow.stage.breakers"

	StageNameKey    = "stageflow.stage.name"
	StageKindKey    = "stageflow.stage.kind"
	StageStatusKey  = "stageflow.stage.status"
	StageAttemptKey = "stageflow.stage.attempt"
	StageReasonKey  = "stageflow.stage.reason"
	// StageDataKeysKey lists the names of the stage's results. String slice.
	StageDataKeysKey = "stageflow.stage.data_keys"
	// StageDurationKey is the duration that the stage's end told, in milliseconds. Double.
	StageDurationKey = "stageflow.stage.duration_ms"

	CallIDKey = "stageflow.call.id"
	// CallStatusKey is running, completed, failed or abandoned. String.
	CallStatusKey = "stageflow.call.status"
	// CallLatencyKey is the latency that the call's end told, in milliseconds. Double.
	CallLatencyKey = "stageflow.call.latency_ms"
	// CallRetryAfterKey is for how long the provider asked not to be called again, in milliseconds. Double.
	CallRetryAfterKey = "stageflow.call.retry_after_ms"
	// CallCostKey is what the call cost, in US dollars. Double.
	CallCostKey = "stageflow.call.cost_usd"

	// ToolStatusKey is running, completed, failed, skipped (it was denied, see [ToolReasonKey]) or abandoned. String.
	ToolStatusKey = "stageflow.tool.status"
	// ToolReasonKey says why a tool call was denied; [ToolReasonApprovalDenied] when a person denied it. String.
	ToolReasonKey = "stageflow.tool.reason"
	// ToolBehaviorKey is the execution mode that the tool was called in. String.
	ToolBehaviorKey = "stageflow.tool.behavior"
	// ToolAllowedBehaviorsKey lists the execution modes that the tool may be called in. String slice.
	ToolAllowedBehaviorsKey = "stageflow.tool.allowed_behaviors"
	// ToolDurationKey is the duration that the tool's end told, or its undoing, in milliseconds. Double.
	ToolDurationKey = "stageflow.tool.duration_ms"

	// AgentTurnKey is the number of an agent's turn, from 1. Int.
	AgentTurnKey = "stageflow.agent.turn"
	// AgentTurnsKey is how many turns an agent took. Int.
	AgentTurnsKey = "stageflow.agent.turns"

	ApprovalIDKey = "stageflow.approval.id"
	// ApprovalDecisionKey is approved or denied. String.
	ApprovalDecisionKey  = "stageflow.approval.decision"
	ApprovalDecidedByKey = "stageflow.approval.decided_by"
	ApprovalMessageKey   = "stageflow.approval.message"

	RequestIDKey     = "stageflow.request.id"
	CorrelationIDKey = "stageflow.correlation.id"
	OrgIDKey         = "stageflow.org.id"
	InteractionIDKey = "stageflow.interaction.id"

	// ClockKey is set where an event's time cannot be right: [ClockFuture] or [ClockPast]. The time is kept. String.
	ClockKey = "stageflow.clock"

	// StartTimeKey is when the thing that a log record tells of began, where the event says so:
	// RFC 3339 in UTC. String.
	StartTimeKey = "stageflow.start_time"

	// DataPrefix goes before the name of a data field that has no attribute of its own.
	DataPrefix = "stageflow.data."
)

// What is wrong with the time of an event that has [ClockKey]: it lies after its arrival, or long before it.
const (
	ClockFuture = "future"
	ClockPast   = "past"
)

// ToolReasonApprovalDenied is the stageflow.tool.reason of a tool call that a person denied: the framework tells
// that by the decision alone.
const ToolReasonApprovalDenied = "approval_denied"

// What went wrong, written by the errorsummary processor; a code that came with the event is kept.
const (
	ErrorCodeKey        = "stageflow.error.code"
	ErrorSummaryTypeKey = "stageflow.error.type"
	ErrorTextKey        = "stageflow.error.message"
	ErrorRetryableKey   = "stageflow.error.retryable"
	ErrorSummaryKey     = "stageflow.error.summary"
	ErrorRuleKey        = "stageflow.error.rule"
	ErrorFingerprintKey = "stageflow.error.fingerprint"
	// ErrorStageKey is the stage to blame for the failure of a run, on its span, or of a stage: its own name, or that of a
	// stage of a child run. String.
	ErrorStageKey = "stageflow.error.stage"
)

// How sick the provider was, written by the breaker processor.
const (
	// BreakerKeyKey is "operation/provider". String.
	BreakerKeyKey = "stageflow.breaker.key"
	// BreakerStateKey is the state when the call started. String.
	BreakerStateKey = "stageflow.breaker.state"
	// BreakerFailureRatioKey is the share of the window's calls that had failed when the call started, 0 to 1. Double.
	BreakerFailureRatioKey = "stageflow.breaker.failure_ratio"
	// BreakerCallsKey is how many calls the window then held. Int.
	BreakerCallsKey = "stageflow.breaker.calls"
	// BreakerOpenedAtKey is when a breaker that was not closed had opened, RFC 3339. String.
	BreakerOpenedAtKey = "stageflow.breaker.opened_at"
	// BreakerRetryAfterKey is how long an open one was to stay so yet, in milliseconds. Int.
	BreakerRetryAfterKey = "stageflow.breaker.retry_after"
	// BreakerTransitionKey is set on the call that caused a change: "closed>open". String.
	BreakerTransitionKey = "stageflow.breaker.transition"
	// BreakerSourceKey names the breaker that changed, among those of one key, where there is more than one of them. String.
	BreakerSourceKey = "stageflow.breaker.source"
	// BreakerGenerationKey counts the changes of one breaker, where it tells. Int.
	BreakerGenerationKey = "stageflow.breaker.generation"
)

// ErrorCodeAbandoned is the stageflow.error.code of a run or a call whose end never came.
const ErrorCodeAbandoned = "ABANDONED"

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package semconv

// Type says how a data field is written as an attribute.
type Type uint8

// The attribute types.
const (
	// Text is a string; an id that came as a number is written in decimal.
	Text Type = iota
	// Int is a 64-bit integer.
	Int
	// Double is a 64-bit float.
	Double
	// Any keeps the field's own shape: a list, a map, a flag.
	Any
	// State is a word that [ParseStatus] reads.
	State
)

// String is the type as the reference of events shows it.
func (t Type) String() string {
	return [...]string{"string", "int", "double", "as it is", "status"}[t]
}

// Field says which attribute a field of an event's data becomes.
type Field struct {
	// Key is the attribute; "" means the field is read for something else (a time, a nested list of stages)
	// and is no attribute of its own.
	Key  string
	Type Type
	// Use says what a field without an attribute is read for.
	Use string
}

// Fields is the disposition of data fields by name. Several names may lead to one attribute: they are the
// spellings of the versions and ports. A field that is in none of the tables that apply keeps its name behind
// [DataPrefix].
type Fields map[string]Field

// CommonFields apply to every event (envelopes E1 to E4 of the catalogue, and the unmerged ones of 1.9).
var CommonFields = Fields{
	"pipeline_run_id": {Key: RunIDKey},
	"request_id":      {Key: RequestIDKey},
	"session_id":      {Key: SessionIDKey},
	"user_id":         {Key: UserIDKey},
	"org_id":          {Key: OrgIDKey},
	"correlation_id":  {Key: CorrelationIDKey},
	"topology":        {Key: RunTopologyKey},
	"execution_mode":  {Key: RunExecutionModeKey},
	"pipeline_name":   {Key: GenAIWorkflowNameKey},
	"service":         {Use: "the resource's service.name"},
	"timestamp":       {Use: "the event's time"},
	"emitted_at":      {Use: "the event's time, where the application told none"},
}

// EnvelopeFields apply, before all others, to events in the envelope of the framework's telemetry branch (catalogue 1.9),
// which is known by its event_name and event_version: what it says is of the run that the event belongs to, whatever the
// same name means elsewhere.
var EnvelopeFields = Fields{
	"event_name":      {Use: "knowing the envelope; it repeats the type"},
	"event_version":   {Use: "knowing the envelope"},
	"request_id":      {Key: RequestIDKey},
	"parent_run_id":   {Key: RunParentIDKey},
	"parent_stage_id": {Key: RunParentStageKey},
	"interaction_id":  {Key: InteractionIDKey},
	"trace_id":        {Use: "the run's trace, where it is one"},
}

// errorFields tell what went wrong; our SDK sends all of them, the framework one of the first two.
var errorFields = Fields{
	"error":           {Key: ExceptionMessageKey},
	"error_message":   {Key: ExceptionMessageKey},
	"error_type":      {Key: ExceptionTypeKey},
	"error_code":      {Key: ErrorCodeKey},
	"error_retryable": {Key: ErrorRetryableKey, Type: Any},
	"http_status":     {Key: HTTPStatusCodeKey, Type: Int},
	"grpc_status":     {Key: RPCGRPCStatusCodeKey, Type: Int},
}

// RunFields apply to the run's own events: run logger, pipeline.wide, pipeline.canceled.
var RunFields = merge(errorFields, Fields{
	"status":          {Key: RunStatusKey, Type: State},
	"duration_ms":     {Key: RunDurationKey, Type: Double},
	"reason":          {Key: RunReasonKey},
	"stage":           {Key: RunFailedStageKey},
	"stage_results":   {Key: RunStageResultsKey, Type: Any},
	"parent_run_id":   {Key: RunParentIDKey},
	"parent_stage_id": {Key: RunParentStageKey},
	"stage_details":   {Use: "a stage for each entry"},
	"started_at":      {Use: "when it began"},
	"start_time":      {Use: "when it began"},
	"ended_at":        {Use: "when it ended"},
	"end_time":        {Use: "when it ended"},
	"trace_id":        {Use: "the run's trace, where it is one"},
})

// ChildFields apply to what a parent tells of its child (catalogue 1.6); the run they describe is the child. The Rust
// port sends them from the parent, whose id is the pipeline_run_id then.
var ChildFields = merge(errorFields, Fields{
	"parent_run_id":   {Key: RunParentIDKey},
	"pipeline_run_id": {Key: RunParentIDKey},
	"reason":          {Key: RunReasonKey},
	"child_run_id":    {Key: RunIDKey},
	"parent_stage_id": {Key: RunParentStageKey},
	"duration_ms":     {Key: RunDurationKey, Type: Double},
})

// StageFields apply to lifecycle and wide events of a stage.
var StageFields = merge(errorFields, Fields{
	"stage":       {Key: StageNameKey},
	"stage_name":  {Key: StageNameKey},
	"status":      {Key: StageStatusKey, Type: State},
	"kind":        {Key: StageKindKey},
	"stage_kind":  {Key: StageKindKey},
	"attempt":     {Key: StageAttemptKey, Type: Int},
	"reason":      {Key: StageReasonKey},
	"data_keys":   {Key: StageDataKeysKey, Type: Any},
	"duration_ms": {Key: StageDurationKey, Type: Double},
	"started_at":  {Use: "when it began"},
	"start_time":  {Use: "when it began"},
	"ended_at":    {Use: "when it ended"},
	"end_time":    {Use: "when it ended"},
})

// CallFields apply to provider calls. Token counts go by many names in the wild (catalogue 2.1).
var CallFields = merge(errorFields, Fields{
	"call_id":           {Key: CallIDKey},
	"operation":         {Key: GenAIOperationNameKey},
	"provider":          {Key: GenAIProviderNameKey},
	"model_id":          {Key: GenAIRequestModelKey},
	"model":             {Key: GenAIRequestModelKey},
	"success":           {Use: "the call's status"},
	"latency_ms":        {Key: CallLatencyKey, Type: Double},
	"retry_after_ms":    {Key: CallRetryAfterKey, Type: Double},
	"stage":             {Key: StageNameKey},
	"stage_name":        {Key: StageNameKey},
	"stage_attempt":     {Key: StageAttemptKey, Type: Int},
	"input_tokens":      {Key: GenAIInputTokensKey, Type: Int},
	"tokens_in":         {Key: GenAIInputTokensKey, Type: Int},
	"prompt_tokens":     {Key: GenAIInputTokensKey, Type: Int},
	"output_tokens":     {Key: GenAIOutputTokensKey, Type: Int},
	"tokens_out":        {Key: GenAIOutputTokensKey, Type: Int},
	"completion_tokens": {Key: GenAIOutputTokensKey, Type: Int},
	"cost_usd":          {Key: CallCostKey, Type: Double},
	"cost":              {Key: CallCostKey, Type: Double},
})

// ToolFields apply to tool calls (catalogue 1.7; the Rust port says tool, agents name a call by call_id). What failed
// comes as the name of an exception's class in error_code, which is no code of ours.
var ToolFields = merge(errorFields, Fields{
	"tool_name":         {Key: GenAIToolNameKey},
	"tool":              {Key: GenAIToolNameKey},
	"action_id":         {Key: GenAIToolCallIDKey},
	"call_id":           {Key: GenAIToolCallIDKey},
	"success":           {Use: "the tool call's status"},
	"error_code":        {Key: ExceptionTypeKey},
	"reason":            {Key: ToolReasonKey},
	"behavior":          {Key: ToolBehaviorKey},
	"allowed_behaviors": {Key: ToolAllowedBehaviorsKey, Type: Any},
	"duration_ms":       {Key: ToolDurationKey, Type: Double},
	"stage":             {Key: StageNameKey},
	"stage_name":        {Key: StageNameKey},
	"parent_stage_id":   {Key: StageNameKey},
	"stage_attempt":     {Key: StageAttemptKey, Type: Int},
})

// ToolUndoFailedFields apply to an undoing that failed: its reason is the name of the exception's class.
var ToolUndoFailedFields = merge(ToolFields, Fields{
	"reason": {Key: ExceptionTypeKey},
})

// ApprovalFields apply to approvals of tool calls. Their request_id is the approval's, not that of the HTTP request
// as everywhere else.
var ApprovalFields = merge(ToolFields, Fields{
	"request_id":       {Key: ApprovalIDKey},
	"approval_message": {Key: ApprovalMessageKey},
	"message":          {Key: ApprovalMessageKey},
	"decision":         {Key: ApprovalDecisionKey},
	"decided_by":       {Key: ApprovalDecidedByKey},
	"approved":         {Use: "the decision, as the Rust port tells it"},
})

// ShownFields apply to the events that [EventName.ShownOn] places on a span of something else.
var ShownFields = merge(errorFields, Fields{
	"stage":      {Key: StageNameKey},
	"stage_name": {Key: StageNameKey},
	"turn":       {Key: AgentTurnKey, Type: Int},
	"turns":      {Key: AgentTurnsKey, Type: Int},
})

// FieldTables are all tables of fields with their titles, for documentation.
var FieldTables = []struct {
	Title string
	// About is what the events tell of that have these fields, [AboutOther] for tables of any event.
	About  Subject
	Fields Fields
}{
	{"Every event", AboutOther, CommonFields},
	{"Events in the envelope of the telemetry branch", AboutOther, EnvelopeFields},
	{"Runs", AboutRun, RunFields},
	{"Child runs", AboutChild, ChildFields},
	{"Stages", AboutStage, StageFields},
	{"Provider calls", AboutCall, CallFields},
	{"Tool calls", AboutTool, ToolFields},
	{"Approvals", AboutApproval, ApprovalFields},
	{"Agents, guards and retries", AboutNote, ShownFields},
}

func merge(tables ...Fields) Fields {
	out := Fields{}
	for _, t := range tables {
		for name, f := range t {
			out[name] = f
		}
	}
	return out
}

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package semconv

// The names of the metrics that the receiver makes of events (design, section 5). What each of them is, and in which
// unit, is in [Metrics].
const (
	MetricRunActive             = "stageflow.run.active"
	MetricRunAbandoned          = "stageflow.run.abandoned"
	MetricCallInFlight          = "stageflow.provider_call.in_flight"
	MetricCallOldestAge         = "stageflow.provider_call.oldest.age"
	MetricStreamDropped         = "stageflow.stream.dropped"
	MetricStreamBlockedDuration = "stageflow.stream.blocked.duration"
	MetricStreamQueueUse        = "stageflow.stream.queue.utilization"
	MetricStreamUnderruns       = "stageflow.stream.underruns"
	MetricStreamBytesDropped    = "stageflow.stream.bytes.dropped"
	// MetricTokenUsage is of the GenAI conventions, v1.41.
	MetricTokenUsage = "gen_ai.client.token.usage"
)

// The events about streams that metrics are made of (catalogue 1.7).
const (
	EventStreamChunkDropped    EventName = "stageflow.stream.chunk_dropped"
	EventStreamProducerBlocked EventName = "stageflow.stream.producer_blocked"
	EventStreamThrottleStarted EventName = "stageflow.stream.throttle_started"
	EventStreamThrottleEnded   EventName = "stageflow.stream.throttle_ended"
	EventStreamBufferOverflow  EventName = "stageflow.stream.buffer_overflow"
	EventStreamBufferUnderrun  EventName = "stageflow.stream.buffer_underrun"
)

// StreamDropOverflow is the reason of a stream.chunk_dropped that made room: the oldest chunk went, and the one that
// did not fit took its place (catalogue 1.7).
const StreamDropOverflow = "overflow"

// Attributes of metrics that neither spans nor log records have.
const (
	// StreamDropReasonKey says why a chunk was dropped, [StreamDropOverflow] for the framework's own queue. String.
	StreamDropReasonKey = "stageflow.stream.drop_reason"
	// GenAITokenTypeKey is [TokenTypeInput] or [TokenTypeOutput] (GenAI conventions). String.
	GenAITokenTypeKey = "gen_ai.token.type"
	// MetricOverflowKey marks the one series that takes what a metric had no series left for, as in the OpenTelemetry
	// SDK (metrics SDK specification, cardinality limits). Bool.
	MetricOverflowKey = "otel.metric.overflow"
)

// The values of [GenAITokenTypeKey].
const (
	TokenTypeInput  = "input"
	TokenTypeOutput = "output"
)

// MetricKind is how the values of a metric add up, in the words of OpenTelemetry's instruments.
type MetricKind uint8

// The kinds of metrics. Sums and histograms are cumulative.
const (
	// Counter is a sum that only grows.
	Counter MetricKind = iota
	// UpDownCounter is a sum that also falls.
	UpDownCounter
	// Gauge is a value that cannot be added up.
	Gauge
	// Histogram counts values by their size.
	Histogram
)

// String is the kind as the reference of metrics shows it.
func (k MetricKind) String() string {
	return [...]string{"counter", "up-down counter", "gauge", "histogram"}[k]
}

// Metric says what a metric is.
type Metric struct {
	Name string
	Kind MetricKind
	// Type is [Int] or [Double].
	Type Type
	// Unit is UCUM, as the conventions ask for.
	Unit        string
	Description string
	// Attributes are the keys of its series, beside the resource's service.name and [MetricOverflowKey]. One that is
	// not known is left out.
	Attributes []string
	// Bounds are the upper ends of a histogram's buckets, in Unit.
	Bounds []float64
}

// callAttributes and streamAttributes tell series apart. Ids of runs, users and sessions never do: they have no bound.
// Which queue an event of a stream is of, only our SDK tells, by a name of the application's that may have no bound either.
var (
	callAttributes   = []string{GenAIOperationNameKey, GenAIProviderNameKey}
	streamAttributes = []string{GenAIWorkflowNameKey, RunTopologyKey, StageNameKey}
)

// Metrics are all metrics that the receiver makes of events.
var Metrics = []Metric{
	{
		Name: MetricRunActive, Kind: UpDownCounter, Type: Int, Unit: "{run}",
		Description: "Runs in flight.",
	},
	{
		Name: MetricRunAbandoned, Kind: Counter, Type: Int, Unit: "{run}",
		Description: "Runs given up after a silence with something open.",
	},
	{
		Name: MetricCallInFlight, Kind: UpDownCounter, Type: Int, Unit: "{call}", Attributes: callAttributes,
		Description: "Provider calls that have started and not ended.",
	},
	{
		Name: MetricCallOldestAge, Kind: Gauge, Type: Double, Unit: "s", Attributes: callAttributes,
		Description: "Time since the start of the oldest provider call in flight, 0 while there is none.",
	},
	{
		Name: MetricStreamDropped, Kind: Counter, Type: Int, Unit: "{chunk}", Attributes: append(streamAttributes[:3:3], StreamDropReasonKey),
		Description: "Chunks that a full queue dropped.",
	},
	{
		Name: MetricStreamBlockedDuration, Kind: Histogram, Type: Double, Unit: "s", Attributes: streamAttributes,
		Description: "Time that a producer waited for room in a queue, where it waited at all.",
		// Those of the conventions' durations (http.server.request.duration), and below them what streams are about:
		// the framework tells of waits from 1 ms.
		Bounds: []float64{0.002, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10},
	},
	{
		Name: MetricStreamQueueUse, Kind: Gauge, Type: Double, Unit: "1", Attributes: streamAttributes,
		Description: "Fullest that a queue was since the last export, 1 being full; nothing when no event told.",
	},
	{
		Name: MetricStreamUnderruns, Kind: Counter, Type: Int, Unit: "{underrun}", Attributes: streamAttributes,
		Description: "Times that a buffer had less than was asked of it.",
	},
	{
		Name: MetricStreamBytesDropped, Kind: Counter, Type: Int, Unit: "By", Attributes: streamAttributes,
		Description: "Bytes that a full buffer dropped.",
	},
	{
		Name: MetricTokenUsage, Kind: Histogram, Type: Int, Unit: "{token}",
		Attributes:  []string{GenAIOperationNameKey, GenAIProviderNameKey, GenAIRequestModelKey, GenAITokenTypeKey},
		Description: "Number of input and output tokens used.",
		Bounds:      []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864},
	},
}

// MetricBreakerFleetConnected is 1 while an SDK knows the breaker states of its collector, 0 while all count as closed.
const MetricBreakerFleetConnected = "stageflow.breaker.fleet.connected"

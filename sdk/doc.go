// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package stageflow tells a collector what a pipeline does: runs, stages, provider calls and circuit breakers.
//
// Everything leaves as events, one OpenTelemetry log record each; the collector's stageflow receiver makes the
// spans. The package therefore never emits spans of its own, but the contexts that it hands out carry the ids
// that those spans will have, so the application's own spans and logs hang under the right stage.
//
// [Setup] builds the pipeline to the collector. Then there are two ways to use the package:
//
//   - [Run], [Stage] and [Call] wrap the application's functions and do everything else: start and end events,
//     attempts, durations, error summaries, cancellation, child runs, the circuit breaker.
//   - [PipelineRunLogger], [ProviderCallLogger] and [CircuitBreaker] are the framework's observability API in Go,
//     for applications that have an engine of their own and only need to tell.
//
// Beside these: trace context and correlation ids that cross processes ([NewPropagator], [TraceContext]); spans and log
// lines of the application's own that say where they belong ([Tracer], [NewSpanProcessor], [NewSlogHandler]); streams
// that tell of overload ([ChunkQueue], [StreamingBuffer]); and analytics ([AnalyticsEvent], [Exporter]).
//
// Nothing here blocks on the network, and nothing fails because no collector listens: events wait in a bounded
// queue, the oldest are dropped when it is full.
package stageflow

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

// contestant is a collector and how it is sent events.
type contestant struct {
	// name is what tables call it, target how many times its CPU time that of the first may be, 0 for any.
	name   string
	target float64
	// ours is set for the distribution, else it is the stock collector; logsOnly where it assembles no runs.
	ours, logsOnly bool
	// config is YAML, one merged over the other. ADDRESS is where to listen, DIR a directory to write to.
	config []string
	encode encoding
	dial   dialer
}

// The first is what all others are compared with. The third does what the stock collectors do and no more: it hands on
// log records, and assembles no runs.
var contestants = []contestant{
	{name: "stageflow", ours: true, config: []string{input, logs, traces, metrics}, encode: jsonLines, dial: dialEvents},
	{name: "stageflow with a journal", ours: true, config: []string{input, logs, traces, metrics, journal}, encode: jsonLines, dial: dialEvents},
	{name: "stageflow, traces only", ours: true, config: []string{input, traces}, encode: jsonLines, dial: dialEvents},
	{name: "stageflow, logs only", ours: true, logsOnly: true, config: []string{input, logs}, encode: jsonLines, dial: dialEvents},
	{name: "(a) otlp gRPC, text", target: 2, config: []string{otlpGRPC}, encode: textProto, dial: dialGRPC},
	{name: "(b) as (a), then ParseJSON and 2 sets", target: 0.25, config: []string{otlpGRPC, parsed}, encode: textProto, dial: dialGRPC},
	{name: "(c) otlp HTTP JSON, text", target: 0.75, config: []string{otlpHTTP}, encode: textJSON, dial: dialLogs},
	{name: "(c) otlp HTTP JSON, attributes", target: 0.75, config: []string{otlpHTTP}, encode: attributesJSON, dial: dialLogs},
}

const (
	input = `
receivers:
  stageflow: {events: {endpoint: ADDRESS}}
exporters: {nop: {}}
`
	logs = `
service:
  pipelines:
    logs: {receivers: [stageflow], exporters: [nop]}
`
	traces = `
service:
  pipelines:
    traces: {receivers: [stageflow], exporters: [nop]}
`
	metrics = `
service:
  pipelines:
    metrics: {receivers: [stageflow], exporters: [nop]}
`
	journal = `
extensions:
  file_storage: {directory: DIR}
receivers:
  stageflow: {storage: file_storage}
service:
  extensions: [file_storage]
`
	otlpGRPC = `
receivers:
  otlp: {protocols: {grpc: {endpoint: ADDRESS}}}
exporters: {nop: {}}
service:
  pipelines:
    logs: {receivers: [otlp], exporters: [nop]}
`
	otlpHTTP = `
receivers:
  otlp: {protocols: {http: {endpoint: ADDRESS}}}
exporters: {nop: {}}
service:
  pipelines:
    logs: {receivers: [otlp], exporters: [nop]}
`
	// parsed is the least that makes an event's text usable: its type and its run, to sort and to join by.
	parsed = `
processors:
  transform:
    error_mode: propagate
    log_statements:
      - set(log.cache, ParseJSON(log.body))
      - set(log.attributes["event.type"], log.cache["type"])
      - set(log.attributes["run.id"], log.cache["data"]["pipeline_run_id"])
service:
  pipelines:
    logs: {processors: [transform]}
`
)

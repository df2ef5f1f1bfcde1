// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"maps"
)

const fieldMetadata = "metadata"

// OTLPExporter sends events through a [*Client], as [Client.TryEmit] does but with their own time. Where their data
// does not have them, run id, stage, duration in milliseconds and metadata are added to it.
type OTLPExporter struct{ client *Client }

var _ Exporter = (*OTLPExporter)(nil)

// NewOTLPExporter sends through c, nil meaning the [Default] of the moment.
func NewOTLPExporter(c *Client) *OTLPExporter { return &OTLPExporter{client: c} }

// Export sends the event. It never waits and has no error: what the queue behind a client drops is counted there.
func (o *OTLPExporter) Export(ctx context.Context, event AnalyticsEvent) error {
	c := o.client.or()
	event = event.at(c.now)
	data := maps.Clone(event.Data)
	if data == nil {
		data = map[string]any{}
	}
	add := func(name string, v any, known bool) {
		if _, there := data[name]; known && !there {
			data[name] = v
		}
	}
	add(fieldRunID, event.PipelineRunID, event.PipelineRunID != "")
	add(fieldStage, event.StageName, event.StageName != "")
	if event.Duration != nil {
		add(fieldDuration, milliseconds(*event.Duration), true)
	}
	add(fieldMetadata, event.Metadata, len(event.Metadata) > 0)

	// A buffer may bring the event of one run in the context of another, which must not lend it stage, span and ids.
	if run := RunID(ctx); run != "" && event.PipelineRunID != "" && event.PipelineRunID != run {
		ctx = TraceContext{}.Activate(ctx)
	}
	c.custom(ctx, event.EventType, event.Timestamp, data)
	return nil
}

// ExportBatch is Export for each of events.
func (o *OTLPExporter) ExportBatch(ctx context.Context, events []AnalyticsEvent) error {
	for _, e := range events {
		_ = o.Export(ctx, e) // has none
	}
	return nil
}

// Close does nothing: the client belongs to who made it.
func (*OTLPExporter) Close(context.Context) error { return nil }

// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package recorder lets the tests of the examples see what the examples tell a collector.
package recorder

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	stageflow "github.com/stageflow/otelcol-stageflow/sdk"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Events are the fields of every event, as text, with its type as the field "type".
type Events []map[string]string

// Client is one whose events are recorded.
func (e *Events) Client() *stageflow.Client {
	return stageflow.NewClient(sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(e))))
}

// Export records events.
func (e *Events) Export(_ context.Context, records []sdklog.Record) error {
	for _, r := range records {
		fields := map[string]string{}
		r.WalkAttributes(func(kv attribute.KeyValue) bool {
			switch kv.Key {
			case semconv.EventTypeKey:
				fields["type"] = kv.Value.AsString()
			case semconv.EventDataKey:
				for _, field := range kv.Value.AsMap() {
					fields[string(field.Key)] = field.Value.String()
				}
			}
			return true
		})
		*e = append(*e, fields)
	}
	return nil
}

// ForceFlush does nothing.
func (*Events) ForceFlush(context.Context) error { return nil }

// Shutdown does nothing.
func (*Events) Shutdown(context.Context) error { return nil }

// Of are the events of a type.
func (e *Events) Of(eventType string) (out []map[string]string) {
	for _, fields := range *e {
		if fields["type"] == eventType {
			out = append(out, fields)
		}
	}
	return out
}
